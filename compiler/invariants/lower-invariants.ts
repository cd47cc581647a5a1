// invariants/*.yaml → invariants with every name resolved.
import { annotationsOf, DEFAULT_TENANT, methodOfAction } from "#bundle";
import type { LeafEntry, ServerEntry, TenantId } from "#bundle";
import type { DiagnosticCode, DiagnosticSink } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { InvariantShape, InvariantsShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { PrincipalAttribute } from "../lower/identity.ts";
import type { Layers } from "../lower/layers.ts";
import { IMPLIED_KINDS } from "../lower/method-leaves.ts";
import type { Invariant } from "../model/invariant.ts";

interface InvariantWork {
  readonly servers: readonly ServerEntry[];
  readonly tenants: readonly TenantId[];
  /** Undefined = any. */
  readonly roles: readonly string[] | undefined;
  /** Undefined where identity.yaml has errors of its own. */
  readonly attributes: readonly PrincipalAttribute[] | undefined;
  readonly sink: DiagnosticSink;
}

type Path = readonly (string | number)[];

/** One invariant and where it stands. */
interface Place {
  readonly document: Parsed<InvariantsShape>;
  readonly path: Path;
}

/** Every invariant of the platform. Names that mean nothing are reported. */
export function lowerInvariants(
  layers: Layers,
  servers: readonly ServerEntry[],
  attributes: readonly PrincipalAttribute[] | undefined,
  sink: DiagnosticSink,
): readonly Invariant[] {
  const { documents } = layers.platform;
  const tenants = [DEFAULT_TENANT, ...layers.tenants.keys()];
  const work = { servers, tenants, roles: documents.project?.shape.roles, attributes, sink };
  const names = new Set<string>();
  return documents.invariants.flatMap((document) =>
    document.shape.invariants.flatMap((shape, index) => {
      const place = { document, path: ["invariants", index] };
      if (names.has(shape.name)) {
        const at = document.source.at(...place.path, "name");
        sink.report(
          "DOCUMENT_DUPLICATE",
          at,
          `the invariant ${JSON.stringify(shape.name)} is declared twice`,
        );
      }
      names.add(shape.name);
      return invariantOf(work, place, shape) ?? [];
    }),
  );
}

function invariantOf(work: InvariantWork, place: Place, shape: InvariantShape): Invariant | undefined {
  const { source } = place.document;
  checkCallers(work, place, shape);
  if (!checkTargets(work, place, shape)) return undefined;
  const actions = work.servers
    .flatMap((server) => server.leaves.filter((leaf) => isTarget(shape, server, leaf)))
    .map(({ action }) => action)
    .sort();
  if (actions.length === 0) {
    const help = "servers, labels, tiers and annotations must all fit; check that their combination exists";
    const at = source.at(...place.path, ...(shape.targets === undefined ? [] : ["targets"]));
    work.sink.report("DOCUMENT_INVALID", at, "nothing in the registry is a target of this invariant", help);
    return undefined;
  }
  const { type, roles, notRoles, groups, tenants, attrs = {} } = shape.callers ?? {};
  return {
    name: shape.name,
    reason: shape.reason ?? place.document.shape.metadata?.reason,
    callers: {
      ...(type === undefined ? {} : { type }),
      ...(roles === undefined ? {} : { roles }),
      ...(notRoles === undefined ? {} : { notRoles }),
      ...(groups === undefined ? {} : { groups }),
      ...(tenants === undefined ? {} : { tenants }),
      attributes: attrs,
    },
    actions,
    expect: shape.expect,
    at: source.at(...place.path, "name"),
  };
}

/** Reports each name of a list that is not known; true where all are. */
function known(
  work: InvariantWork,
  place: Place,
  path: Path,
  names: readonly string[] | undefined,
  wanted: readonly string[],
  [code, noun]: readonly [DiagnosticCode, string],
): boolean {
  const unknown = [...(names ?? []).entries()].filter(([, name]) => !wanted.includes(name));
  for (const [index, name] of unknown) {
    const at = place.document.source.at(...place.path, ...path, index);
    work.sink.report(code, at, `no ${noun} is named ${JSON.stringify(name)}`, didYouMean(name, wanted));
  }
  return unknown.length === 0;
}

function checkCallers(work: InvariantWork, place: Place, { callers }: InvariantShape): void {
  if (callers === undefined) return;
  const { roles, attributes, sink } = work;
  if (roles !== undefined) {
    for (const key of ["roles", "notRoles"] as const) {
      known(work, place, ["callers", key], callers[key], roles, ["ROLE_UNKNOWN", "role"]);
    }
  }
  known(work, place, ["callers", "tenants"], callers.tenants, work.tenants, ["TENANT_UNKNOWN", "tenant"]);
  const names = attributes?.map(({ name }) => name);
  for (const name of Object.keys(callers.attrs ?? {})) {
    if (names?.includes(name) !== false) continue;
    const at = place.document.source.atKey(...place.path, "callers", "attrs", name);
    const message = `no issuer maps a claim to the attribute ${JSON.stringify(name)}`;
    sink.report("DOCUMENT_INVALID", at, message, didYouMean(name, names));
  }
}

const RESOURCE_KINDS: readonly LeafEntry["kind"][] = ["resource", "resource-template", "resource-rule"];
const NAMED = {
  tools: ["tool"],
  resources: RESOURCE_KINDS,
  prompts: ["prompt"],
} as const satisfies Readonly<Record<string, readonly LeafEntry["kind"][]>>;
type NamedKey = keyof typeof NAMED;
const NAMED_KEYS: readonly NamedKey[] = ["tools", "resources", "prompts"];

function isNamed(names: readonly string[], server: ServerEntry, leaf: LeafEntry): boolean {
  return names.includes(leaf.name) || names.includes(`${server.id}/${leaf.name}`);
}

function checkTargets(work: InvariantWork, place: Place, { targets }: InvariantShape): boolean {
  if (targets === undefined) return true;
  const { servers } = work;
  const leaves = servers.flatMap((server) => server.leaves.map((leaf) => ({ server, leaf })));
  const list = (
    key: string,
    names: readonly string[] | undefined,
    wanted: readonly string[],
    noun: string,
  ): boolean =>
    known(work, place, ["targets", key], names, [...new Set(wanted)].sort(), [
      key === "servers"
        ? "SERVER_UNKNOWN"
        : key === "labels" || key === "tiers"
          ? "SCOPE_EMPTY"
          : "NAME_UNKNOWN",
      noun,
    ]);
  const named = NAMED_KEYS.map((key) => {
    const kinds: readonly LeafEntry["kind"][] = NAMED[key];
    const wanted = leaves
      .filter(({ leaf }) => kinds.includes(leaf.kind))
      .flatMap(({ server, leaf }) => [leaf.name, `${server.id}/${leaf.name}`]);
    return list(key, targets[key], wanted, key.slice(0, -1));
  });
  return [
    ...named,
    list(
      "servers",
      targets.servers,
      servers.map(({ id }) => id),
      "server",
    ),
    list(
      "labels",
      targets.labels,
      servers.flatMap(({ labels }) => labels),
      "label of a server",
    ),
    list(
      "tiers",
      targets.tiers,
      servers.map(({ tier }) => tier),
      "tier of a server",
    ),
    list(
      "methods",
      targets.methods,
      leaves.map(({ leaf }) => methodOfAction(leaf.action)),
      "method",
    ),
  ].every(Boolean);
}

/** Servers, labels, tiers and annotations narrow; the lists of names together say what. */
function isTarget({ targets = {} }: InvariantShape, server: ServerEntry, leaf: LeafEntry): boolean {
  const { servers, labels, tiers, methods, annotations } = targets;
  if (servers?.includes(server.id) === false) return false;
  if (labels !== undefined && !labels.some((label) => server.labels.includes(label))) return false;
  if (tiers?.includes(server.tier) === false) return false;
  if (annotations !== undefined) {
    const own = annotationsOf(leaf);
    if (own === undefined) return false;
    if (Object.entries(annotations).some(([name, value]) => own[name as keyof typeof own] !== value))
      return false;
  }
  const lists = NAMED_KEYS.flatMap((key) => {
    const names = targets[key];
    const kinds: readonly LeafEntry["kind"][] = NAMED[key];
    return names === undefined ? [] : [kinds.includes(leaf.kind) && isNamed(names, server, leaf)];
  });
  if (methods !== undefined) lists.push(methods.includes(methodOfAction(leaf.action)));
  // What follows from other permits is meant only where it is named.
  return lists.length === 0
    ? !(IMPLIED_KINDS as readonly LeafEntry["kind"][]).includes(leaf.kind)
    : lists.some(Boolean);
}
