// URI patterns under allow.resources and deny.resources → policies over the URI that is read, and the rules that make
// URIs reachable that nobody pinned.
import { DEFAULT_TENANT, leafActionOf, METHODS_OF_KIND } from "#bundle";
import type { Derivation, LeafAction, LeafEntry, ServerId } from "#bundle";
import { compileMatcher } from "#facts";
import { expandPattern, isUriPattern, patternFault, patternRegex, templateRegex } from "#resources";
import { matchesName } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { uriArguments } from "../json-schema/index.ts";
import { cedarString, entity, principalScope } from "./cedar-text.ts";
import { addPolicy, rolesOf } from "./policies.ts";
import type { PolicyWork, TargetUse } from "./policies.ts";
import type { LoweredServer, PinnedLeaf } from "./registry.ts";

/** URIs of one server that an allow line of the platform makes reachable. */
export interface ResourceRule {
  readonly server: ServerId;
  /** Expanded. */
  readonly pattern: string;
}

export interface NamedPattern {
  readonly server: LoweredServer;
  readonly pattern: string;
  readonly path: readonly (string | number)[];
  readonly at: SourceSpan;
}

/** `server/pattern` or a pattern. A scheme ends before the first slash, so a server name cannot be mistaken. */
function splitServer(work: PolicyWork, name: string): readonly [server: string | undefined, pattern: string] {
  const slash = name.indexOf("/");
  const head = name.slice(0, Math.max(0, slash));
  return work.registry.servers.has(head) ? [head, name.slice(slash + 1)] : [undefined, name];
}

function offersResources(server: LoweredServer): boolean {
  const { eras, leaves } = server.entry;
  return (
    leaves.some((leaf) => leaf.kind === "resource" || leaf.kind === "resource-template") ||
    [eras.legacy, eras.modern].some((era) => era?.capabilities["resources"] !== undefined)
  );
}

/** A denied pattern holds for every server in scope: what offers nothing today may be opened by another line. */
function serversOf(
  work: PolicyWork,
  verb: "allow" | "deny",
  name: string | undefined,
): readonly LoweredServer[] {
  const inScope = [...work.registry.servers.values()].filter(
    ({ entry }) => work.servers?.has(entry.id) !== false,
  );
  if (name !== undefined) return inScope.filter(({ entry }) => entry.id === name);
  const meant = verb === "deny" ? inScope : inScope.filter(offersResources);
  return meant.sort((a, b) => (a.entry.id < b.entry.id ? -1 : 1));
}

function namedPatterns(work: PolicyWork, verb: "allow" | "deny"): readonly NamedPattern[] {
  return (work.document.shape[verb]?.resources ?? []).flatMap((name, index): readonly NamedPattern[] => {
    if (!isUriPattern(name)) return [];
    const at = work.document.source.at(verb, "resources", index);
    const [wanted, pattern] = splitServer(work, name);
    const fault = patternFault(pattern);
    if (fault !== undefined) {
      work.sink.report("RESOURCE_PATTERN_INVALID", at, `${JSON.stringify(pattern)}: ${fault}`);
      return [];
    }
    const servers = serversOf(work, verb, wanted);
    const path = [verb, "resources", index];
    if (work.servers?.size === 0) return [];
    if (servers.length === 0) {
      const help = "name one: <server>/<pattern>, or scope.servers";
      work.sink.report("NAME_UNKNOWN", at, "no server in the scope of this document offers resources", help);
    } else if (servers.length > 1 && verb === "allow") {
      const choices = servers.map(({ entry }) => `${entry.id}/${pattern}`).join(", ");
      const message = `the pattern ${JSON.stringify(pattern)} could be of several servers`;
      work.sink.report("NAME_AMBIGUOUS", at, message, `write one of ${choices}`);
      return [];
    }
    return servers.map((server) => ({
      server,
      pattern: expandPattern(pattern),
      path: servers.length > 1 ? [...path, server.entry.id] : path,
      at,
    }));
  });
}

function matching(regex: string): Derivation {
  const path = ["arguments", "uri"];
  return { kind: "matches", name: matchesName(path, regex), path, pattern: regex };
}

function resourceText(
  work: PolicyWork,
  effect: "permit" | "forbid",
  server: ServerId,
  clause: string,
  roles = rolesOf(work),
): string {
  const { head, conditions } = principalScope(roles);
  const action = entity("Action", METHODS_OF_KIND.resource[0]);
  const scope = `${effect} (${head}, action in [${action}], resource == ${entity("Server", server)})`;
  return `${[scope, ...conditions, clause].join(" ")};`;
}

/**
 * Lowers the patterns of one document and returns those it allows. Lines that name pinned resources are lowered
 * elsewhere.
 */
export function lowerResourcePatterns(work: PolicyWork): readonly NamedPattern[] {
  for (const { server, pattern, path, at } of namedPatterns(work, "deny")) {
    denyUris(work, server.entry.id, patternRegex(pattern, "and below"), path, at);
  }
  const allowed = namedPatterns(work, "allow");
  for (const { server, pattern, path, at } of allowed) {
    const { id } = server.entry;
    // A URI that nobody pinned becomes reachable for whomever an enforced policy lets read. What was never approved is
    // for the platform to open: a tenant grants among what is.
    if (!work.shadow && work.tenant === DEFAULT_TENANT) work.rules.push({ server: id, pattern });
    const use = work.principals === undefined ? "expose" : "grant";
    noteRule(work, leafActionOf(METHODS_OF_KIND.resource[0], id, pattern), at, use);
    if (use === "expose") continue;
    const derivation = matching(patternRegex(pattern));
    const text = resourceText(work, "permit", id, `when { context._m.${derivation.name} }`);
    addPolicy(work, path, text, at, [derivation]);
  }
  return allowed;
}

function denyUris(
  work: PolicyWork,
  server: ServerId,
  regex: string,
  path: readonly (string | number)[],
  at: SourceSpan,
): void {
  const derivation = matching(regex);
  const text = resourceText(work, "forbid", server, `when { context._m.${derivation.name} }`);
  addPolicy(work, path, text, at, [derivation]);
}

/**
 * Denies what a denied resource or template means wherever it is met: below it, with a query, and where another
 * template or a pattern covers the same URI.
 */
export function denyBelow(
  work: PolicyWork,
  { leaf, server }: PinnedLeaf,
  path: readonly (string | number)[],
  at: SourceSpan,
): void {
  if (leaf.kind === "resource")
    denyUris(work, server.entry.id, patternRegex(leaf.name, "and below"), path, at);
  if (leaf.kind === "resource-template") denyUris(work, server.entry.id, templateRegex(leaf.name), path, at);
}

function noteRule(work: PolicyWork, action: LeafAction, at: SourceSpan, use: TargetUse["use"]): void {
  const { file, shadow } = work;
  work.uses.push({ file, at, action, use, ...(shadow ? { shadow } : {}) });
}

/**
 * Exposure of resources: on every server of which a resource or a pattern is named, reading anything else is forbidden,
 * pinned or not. Returns the pinned resources that are closed.
 */
export function closeOtherResources(
  work: PolicyWork,
  named: readonly PinnedLeaf[],
  patterns: readonly NamedPattern[],
): readonly PinnedLeaf[] {
  const servers = new Map([
    ...named.map((leaf) => [leaf.server.entry.id, leaf.server] as const),
    ...patterns.map(({ server }) => [server.entry.id, server] as const),
  ]);
  const closed: PinnedLeaf[] = [];
  for (const [id] of [...servers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const names = named.filter((leaf) => leaf.server.entry.id === id).map(({ leaf }) => leaf.name);
    const own = patterns.filter(({ server }) => server.entry.id === id).map(({ pattern }) => pattern);
    const derivations = [...new Set(own)].map((pattern) => matching(patternRegex(pattern)));
    const open = [
      ...(names.length === 0 ? [] : [`[${names.map(cedarString).join(", ")}].contains(context.target)`]),
      ...derivations.map(({ name }) => `context._m.${name}`),
    ];
    const text = resourceText(work, "forbid", id, `unless { ${open.join(" || ")} }`, undefined);
    addPolicy(work, ["allow", "resources", `others@${id}`], text, placeOf(work, id), derivations);
    closed.push(...closedOn(work, id, new Set(names), own));
  }
  return closed;
}

/** The first line of the document that names something of the server. */
function placeOf(work: PolicyWork, server: ServerId): SourceSpan {
  const { source, shape } = work.document;
  const index = (shape.allow?.resources ?? []).findIndex((name) => name.startsWith(`${server}/`));
  return source.at("allow", "resources", Math.max(0, index));
}

function closedOn(
  work: PolicyWork,
  server: ServerId,
  names: ReadonlySet<string>,
  patterns: readonly string[],
): readonly PinnedLeaf[] {
  const matchers = patterns.map((pattern) => compileMatcher(patternRegex(pattern)));
  return [...work.registry.leaves.values()].filter(
    ({ leaf, server: owner }) =>
      owner.entry.id === server &&
      (leaf.kind === "resource" || leaf.kind === "resource-template") &&
      !names.has(leaf.name) &&
      !(leaf.kind === "resource" && matchers.some((matches) => matches(leaf.name))) &&
      !(leaf.kind === "resource-template" && patterns.length > 0),
  );
}

/** The leaves of the rules of one server, in order of action. */
export function ruleLeaves(server: ServerId, rules: readonly ResourceRule[]): readonly LeafEntry[] {
  const patterns = new Set(rules.filter((rule) => rule.server === server).map(({ pattern }) => pattern));
  return [...patterns]
    .map((pattern): LeafEntry => ({
      action: leafActionOf(METHODS_OF_KIND["resource-rule"][0], server, pattern),
      kind: "resource-rule",
      name: pattern,
      definitions: [],
      argumentsProgram: uriArguments(),
      paramHeaders: [],
    }))
    .sort((a, b) => (a.action < b.action ? -1 : 1));
}
