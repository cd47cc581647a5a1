// Changes that are no decisions: definitions, servers, routes, issuers, limits, transforms.
import { canonicalJson, DEFAULT_TENANT } from "#bundle";
import type { BundleContent, LeafEntry, ServerEntry, TransformEntry } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { operationDetail, pathText } from "#explain";
import type { StructuralChange, StructuralChangeKind } from "./plan-types.ts";

type Table = ReadonlyMap<string, JsonObject>;

interface Kinds {
  readonly added: StructuralChangeKind;
  readonly changed: StructuralChangeKind;
  readonly removed: StructuralChangeKind;
}

/** Everything that differs, in order of kind and subject. */
export function structuralChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const compare = (kinds: Kinds, tableOf: (content: BundleContent) => Table): readonly StructuralChange[] =>
    compareTables(kinds, tableOf(base), tableOf(head));
  const changes = [
    ...compare({ added: "server-added", changed: "server-changed", removed: "server-removed" }, servers),
    ...compare({ added: "leaf-added", changed: "pin-changed", removed: "leaf-removed" }, leaves),
    ...compare({ added: "route-added", changed: "route-changed", removed: "route-removed" }, routes),
    ...compare({ added: "issuer-added", changed: "issuer-changed", removed: "issuer-removed" }, issuers),
    ...compare({ added: "limit-added", changed: "limit-changed", removed: "limit-removed" }, limits),
    ...modeChanges(base, head),
    ...transformChanges(base, head),
  ];
  return changes.sort((a, b) => order(a.kind, b.kind) || order(a.subject, b.subject));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareTables(kinds: Kinds, base: Table, head: Table): readonly StructuralChange[] {
  const subjects = [...new Set([...base.keys(), ...head.keys()])];
  return subjects.flatMap((subject): readonly StructuralChange[] => {
    const before = base.get(subject);
    const after = head.get(subject);
    if (before === undefined || after === undefined) {
      const kind = before === undefined ? kinds.added : kinds.removed;
      return [{ kind, evidence: "structural", subject, before: before ?? null, after: after ?? null }];
    }
    const names = changedNames(before, after);
    if (names.length === 0) return [];
    const only = (object: JsonObject): JsonObject =>
      Object.fromEntries(
        names.flatMap((name) => (Object.hasOwn(object, name) ? [[name, object[name] ?? null]] : [])),
      );
    return [
      { kind: kinds.changed, evidence: "structural", subject, before: only(before), after: only(after) },
    ];
  });
}

function changedNames(before: JsonObject, after: JsonObject): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const text = (object: JsonObject, name: string): string | undefined =>
    Object.hasOwn(object, name) ? canonicalJson(object[name]) : undefined;
  return names.filter((name) => text(before, name) !== text(after, name));
}

function asObject(value: object): JsonObject {
  return value as JsonObject;
}

function servers(content: BundleContent): Table {
  return new Map(
    content.registry.servers.map((server): [string, JsonObject] => {
      const { id, leaves: _leaves, ...rest }: ServerEntry = server;
      return [id, asObject(rest)];
    }),
  );
}

function leaves(content: BundleContent): Table {
  const entries = content.registry.servers.flatMap((server) => server.leaves);
  return new Map(entries.map((leaf) => [leaf.action, approvedDefinition(leaf)]));
}

/** The members of an approved definition; by era where a server describes the leaf differently in each. */
function approvedDefinition(leaf: LeafEntry): JsonObject {
  const [first, ...more] = leaf.definitions;
  if (first !== undefined && more.length === 0) {
    return { eras: first.eras, ...first.definition, digest: first.digest };
  }
  return Object.fromEntries(
    leaf.definitions.map(({ eras, digest, definition }): [string, JsonValue] => [
      eras.join("+"),
      { ...definition, digest },
    ]),
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

function limits(content: BundleContent): Table {
  return new Map(content.limits.limits.map(({ id, ...rest }) => [id, asObject(rest)]));
}

/** Policies of both sides that are enforced on one and in shadow mode on the other. */
function modeChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const kind = "policy-mode-changed";
  const before = modes(base);
  const after = modes(head);
  const both = (table: Table): Table => new Map([...table].filter(([id]) => before.has(id) && after.has(id)));
  return compareTables({ added: kind, changed: kind, removed: kind }, both(before), both(after));
}

function modes(content: BundleContent): Table {
  const { policies } = content.sources;
  return new Map(Object.entries(policies).map(([id, { mode = "enforce" }]) => [id, { mode }]));
}

/** The action, with the tenant before it where that is not the default one. */
function entryName({ tenant, action }: TransformEntry): string {
  return tenant === DEFAULT_TENANT ? action : `${tenant}: ${action}`;
}

function transformChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const tableOf = (content: BundleContent): Table =>
    new Map(content.transforms.transforms.map((entry) => [entryName(entry), transformView(entry)]));
  const kind = "transforms-changed";
  return compareTables({ added: kind, changed: kind, removed: kind }, tableOf(base), tableOf(head));
}

/** What is redacted, whichever document says so. */
function transformView(entry: TransformEntry): JsonObject {
  const paths = (operations: TransformEntry["request"]): readonly string[] =>
    [
      ...new Set(
        operations.flatMap((operation) =>
          operation.paths.map((path) =>
            `${operation.verb} ${pathText(path)} ${operationDetail(operation)}`.trimEnd(),
          ),
        ),
      ),
    ].sort();
  const view = { request: paths(entry.request), response: paths(entry.response) };
  return Object.fromEntries(Object.entries(view).filter(([, list]) => list.length > 0));
}
