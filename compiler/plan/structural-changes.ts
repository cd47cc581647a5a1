// Changes that are no decisions: definitions, servers, routes, identity, tenants, limits, transforms, modes, facts,
// retention, and what guards the repository itself.
import { DEFAULT_TENANT, METHODS_OF_KIND, methodOfAction } from "#bundle";
import type { BundleContent, LeafAction, LimitEntry, ServerEntry } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { ProjectModel } from "../compile.ts";
import { gateTable, isLoosened } from "../gates/gate-table.ts";
import { asObject, compareTables } from "./compare-tables.ts";
import type { Kinds, Table } from "./compare-tables.ts";
import { derivationTable } from "./describe-derivation.ts";
import { modeChanges } from "./mode-changes.ts";
import { pinChanges } from "./pin-changes.ts";
import type { StructuralChange } from "./plan-types.ts";
import { policyChanges } from "./policy-changes.ts";
import { transformChanges } from "./transform-changes.ts";
import type { AllowedCallers } from "./transform-changes.ts";

/** One side: what its bundle holds, and what only its documents say. */
export interface StructuralSide {
  readonly content: BundleContent;
  /** Undefined where only the bundle is at hand. */
  readonly invariants: ProjectModel["invariants"] | undefined;
  readonly gates: ProjectModel["gates"] | undefined;
}

/** Everything that differs, in order of kind and subject. `allowedCallers` tells whom a lost transform concerns. */
export function structuralChanges(
  base: StructuralSide,
  head: StructuralSide,
  allowedCallers: AllowedCallers,
): readonly StructuralChange[] {
  const tables = (kinds: Kinds, tableOf: (content: BundleContent) => Table): readonly StructuralChange[] =>
    compareTables(kinds, tableOf(base.content), tableOf(head.content));
  const changes = [
    ...tables({ added: "server-added", changed: "server-changed", removed: "server-removed" }, servers),
    ...pinChanges(base.content, head.content),
    ...tables({ added: "route-added", changed: "route-changed", removed: "route-removed" }, routes),
    ...tables({ added: "issuer-added", changed: "issuer-changed", removed: "issuer-removed" }, issuers),
    ...tables({ added: "tenant-added", changed: "tenant-changed", removed: "tenant-removed" }, tenants),
    ...tables(
      { added: "derivation-added", changed: "derivation-changed", removed: "derivation-removed" },
      derivationTable,
    ),
    ...tables(only("retention-changed"), ({ retention }) =>
      retention === undefined ? new Map() : new Map([["audit records", asObject(retention)]]),
    ),
    ...limitChanges(base.content, head.content),
    ...policyChanges(base.content, head.content),
    ...modeChanges(base.content, head.content),
    ...transformChanges(base.content, head.content, allowedCallers),
    ...gateChanges(base, head),
    ...invariantChanges(base, head),
  ];
  return changes.sort((a, b) => order(a.kind, b.kind) || order(a.subject, b.subject));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function only(kind: StructuralChange["kind"]): Kinds {
  return { added: kind, changed: kind, removed: kind };
}

/** What a server announces is approved with its pins. */
function servers(content: BundleContent): Table {
  return new Map(
    content.registry.servers.map((server): [string, JsonObject] => {
      const { id, leaves: _leaves, eras: _eras, ...rest }: ServerEntry = server;
      return [id, asObject(rest)];
    }),
  );
}

function routes(content: BundleContent): Table {
  return perEnvironment(content, ({ routes: entries }) =>
    entries.map(({ path, ...rest }): [string, JsonObject] => [path, asObject(rest)]),
  );
}

function issuers(content: BundleContent): Table {
  return perEnvironment(content, ({ issuers: entries }) =>
    entries.map(({ issuer, ...rest }): [string, JsonObject] => [issuer, asObject(rest)]),
  );
}

type Environment = BundleContent["routes"]["environments"][string];

function perEnvironment(
  content: BundleContent,
  entriesOf: (environment: Environment) => readonly [string, JsonObject][],
): Table {
  return new Map(
    Object.entries(content.routes.environments).flatMap(([name, environment]) =>
      entriesOf(environment).map(([subject, value]): [string, JsonObject] => [`${name}: ${subject}`, value]),
    ),
  );
}

/** Tenants but the default one, by the servers that they may use. */
function tenants({ policies, registry }: BundleContent): Table {
  const serverOf = new Map(
    registry.servers.flatMap(({ id, leaves }) => leaves.map(({ action }) => [action, id] as const)),
  );
  const byTenant = Map.groupBy(
    policies.slices.filter(({ tenant }) => tenant !== DEFAULT_TENANT),
    ({ tenant }) => tenant,
  );
  return new Map(
    [...byTenant].map(([tenant, slices]) => {
      const used = [...new Set(slices.map(({ action }) => serverOf.get(action) ?? ""))].sort();
      return [tenant, { servers: used }];
    }),
  );
}

function limitChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const table = ({ limits }: BundleContent): Table =>
    new Map(limits.limits.map(({ id, ...rest }) => [id, asObject(rest)]));
  const kinds: Kinds = { added: "limit-added", changed: "limit-changed", removed: "limit-removed" };
  return compareTables(kinds, table(base), table(head), (before, after) => {
    if (before === undefined) return {};
    const isWeaker = after === undefined || admitsMore(limitOf(before), limitOf(after));
    return isWeaker ? { weakens: true } : {};
  });
}

function limitOf(value: JsonObject): LimitEntry {
  return value as unknown as LimitEntry;
}

/** More calls in some window of `before`, or fewer callers and definitions counted. */
function admitsMore(before: LimitEntry, after: LimitEntry): boolean {
  // So many windows of `after` begin within one of `before`, and each may be used up.
  if (Math.ceil(before.windowMs / after.windowMs) * after.limit > before.limit) return true;
  if (after.tenant !== before.tenant && after.tenant !== undefined) return true;
  if (after.per.some((key) => !before.per.includes(key))) return true;
  const counted = after.actions;
  // A limit on everything counts no asks.
  if (counted === undefined && before.actions?.some(isAsk) === true) return true;
  return counted !== undefined && (before.actions ?? ["*"]).some((action) => !counted.includes(action));
}

const ASKS: ReadonlySet<string> = new Set(
  (["elicitation", "roots", "sampling"] as const).flatMap((kind) => METHODS_OF_KIND[kind]),
);

function isAsk(action: LeafAction): boolean {
  return ASKS.has(methodOfAction(action));
}

/** A bundle carries no gates: then nothing is said of them. */
function gateChanges(base: StructuralSide, head: StructuralSide): readonly StructuralChange[] {
  if (base.gates === undefined || head.gates === undefined) return [];
  const kinds: Kinds = { added: "gate-added", changed: "gate-changed", removed: "gate-removed" };
  const before = new Map(base.gates.map((gate) => [gate.name as string, gate]));
  const after = new Map(head.gates.map((gate) => [gate.name as string, gate]));
  return compareTables(kinds, gateTable(base.gates), gateTable(head.gates), (_was, _is, name) =>
    isLoosened(before.get(name), after.get(name)) ? { weakens: true } : {},
  );
}

function invariantChanges(base: StructuralSide, head: StructuralSide): readonly StructuralChange[] {
  if (base.invariants === undefined || head.invariants === undefined) return [];
  const table = (invariants: ProjectModel["invariants"]): Table =>
    new Map(
      invariants.map(({ name, expect, callers, actions }) => [
        name,
        { expect, callers: asObject(callers), actions: [...actions] },
      ]),
    );
  const kinds: Kinds = {
    added: "invariant-added",
    changed: "invariant-changed",
    removed: "invariant-removed",
  };
  return compareTables(kinds, table(base.invariants), table(head.invariants), (before, after) => {
    if (before === undefined) return {};
    return after === undefined || !coversMore(before, after) ? { weakens: true } : {};
  });
}

/** The same demand of at least as many definitions; of other callers nothing is known. */
function coversMore(before: JsonObject, after: JsonObject): boolean {
  const { actions: was, ...rest } = before;
  const { actions: is, ...others } = after;
  const covered = Array.isArray(was) && Array.isArray(is) && was.every((action) => is.includes(action));
  return (
    covered &&
    isJsonObject(rest) &&
    compareTables(only("invariant-changed"), entry(rest), entry(others)).length === 0
  );
}

function entry(value: JsonObject): Table {
  return new Map([["", value]]);
}
