// policies/*.yaml → Cedar policies with stable ids, and the facts that checks need about the documents.
import { DEFAULT_TENANT } from "#bundle";
import type { Derivation, LeafAction, PolicyId, TenantId } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { PolicyShape, TargetGroup } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { policyText } from "./cedar-text.ts";
import { isUriPattern } from "#resources";
import { lowerAsks } from "./asks.ts";
import { lowerConstraints } from "./constraints.ts";
import type { NameIndex } from "./names.ts";
import type { LoweredRegistry, PinnedLeaf } from "./registry.ts";
import { closeOtherResources, denyBelow, lowerResourcePatterns } from "./resource-patterns.ts";
import type { ResourceRule } from "./resource-patterns.ts";

/** One policy that a line of a YAML document means; shape of `compileCedar`'s `generated`. */
export interface GeneratedPolicy {
  readonly id: PolicyId;
  readonly text: string;
  readonly source: SourceSpan;
  readonly reason?: string;
  readonly tenant: TenantId;
  /** The document is in shadow mode. */
  readonly shadow?: boolean;
  readonly derivations: readonly Derivation[];
}

/** A line of a document that names a definition. */
export interface TargetUse {
  readonly file: string;
  readonly at: SourceSpan;
  readonly action: LeafAction;
  readonly use: "deny" | "grant" | "expose" | "constrain";
  /** The document is in shadow mode: it opens and closes nothing. */
  readonly shadow?: boolean;
}

export interface LoweredPolicies {
  readonly generated: readonly GeneratedPolicy[];
  readonly uses: readonly TargetUse[];
  /** Resource URIs that patterns make reachable. */
  readonly rules: readonly ResourceRule[];
  /** Definitions that an exposure list closes, by the document that does. */
  readonly closed: ReadonlyMap<LeafAction, readonly string[]>;
}

const GROUPS: readonly TargetGroup[] = ["tools", "resources", "prompts"];

/** What lowering one document needs and produces. */
export interface PolicyWork {
  readonly document: Parsed<PolicyShape>;
  readonly file: string;
  readonly names: NameIndex;
  readonly registry: LoweredRegistry;
  /** Tenant of the layer that the document belongs to. */
  readonly tenant: TenantId;
  readonly servers: ReadonlySet<string> | undefined;
  /** `any` grants to everyone; undefined = the document has no principals, so `allow` only exposes. */
  readonly principals: "any" | readonly string[] | undefined;
  /** The document is in shadow mode. */
  readonly shadow: boolean;
  readonly sink: DiagnosticSink;
  readonly generated: GeneratedPolicy[];
  readonly uses: TargetUse[];
  readonly rules: ResourceRule[];
}

/** Id of a line of a document: the file and the JSON Pointer of the line. */
export function policyIdOf(document: Parsed<PolicyShape>, path: readonly (string | number)[]): PolicyId {
  const parts = path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`);
  return `${document.source.file}#${parts.join("")}`;
}

/** Adds the policy that a line means. */
export function addPolicy(
  work: PolicyWork,
  path: readonly (string | number)[],
  text: string,
  at: SourceSpan,
  derivations: readonly Derivation[] = [],
): void {
  const { reason } = work.document.shape.metadata ?? {};
  work.generated.push({
    id: policyIdOf(work.document, path),
    text,
    source: at,
    ...(reason === undefined ? {} : { reason }),
    tenant: work.tenant,
    ...(work.shadow ? { shadow: true } : {}),
    derivations,
  });
}

/** Notes that a line of the document names a definition. */
export function noteUse(work: PolicyWork, leaf: PinnedLeaf, at: SourceSpan, use: TargetUse["use"]): void {
  const { file, shadow } = work;
  work.uses.push({ file, at, action: leaf.leaf.action, use, ...(shadow ? { shadow } : {}) });
}

export function rolesOf(work: PolicyWork): readonly string[] | undefined {
  return work.principals === "any" ? undefined : work.principals;
}

interface NamedTarget {
  readonly leaf: PinnedLeaf;
  readonly index: number;
  readonly at: SourceSpan;
}

function targetsOf(work: PolicyWork, verb: "deny" | "allow", group: TargetGroup): readonly NamedTarget[] {
  const written = work.document.shape[verb]?.[group] ?? [];
  return written.flatMap((name, index) => {
    if (group === "resources" && isUriPattern(name)) return [];
    const at = work.document.source.at(verb, group, index);
    const leaf = work.names.resolve(group, name, work.servers, at, work.sink);
    return leaf === undefined ? [] : [{ leaf, index, at }];
  });
}

function lowerDeny(work: PolicyWork): void {
  for (const group of GROUPS) {
    for (const { leaf, index, at } of targetsOf(work, "deny", group)) {
      const text = policyText({ effect: "forbid", roles: rolesOf(work), leaves: [leaf] });
      addPolicy(work, ["deny", group, index], text, at);
      denyBelow(work, leaf, ["deny", group, index, "below"], at);
      noteUse(work, leaf, at, "deny");
    }
  }
}

function lowerAllow(work: PolicyWork, closed: Map<LeafAction, string[]>): void {
  const patterns = lowerResourcePatterns(work);
  for (const group of GROUPS) {
    const targets = targetsOf(work, "allow", group);
    const use = work.principals === undefined ? "expose" : "grant";
    for (const { leaf, index, at } of targets) {
      noteUse(work, leaf, at, use);
      if (use === "expose") continue;
      addPolicy(
        work,
        ["allow", group, index],
        policyText({ effect: "permit", roles: rolesOf(work), leaves: [leaf] }),
        at,
      );
    }
    if (use !== "expose") continue;
    const others =
      group === "resources"
        ? closeOtherResources(
            work,
            targets.map(({ leaf }) => leaf),
            patterns,
          )
        : closeOthers(work, group, targets);
    if (work.shadow) continue;
    for (const { leaf } of others) closed.set(leaf.action, [...(closed.get(leaf.action) ?? []), work.file]);
  }
}

/**
 * Exposure: on every server of which a definition is named, the other definitions of that primitive are forbidden.
 * Returns those.
 */
function closeOthers(
  work: PolicyWork,
  group: TargetGroup,
  targets: readonly NamedTarget[],
): readonly PinnedLeaf[] {
  const named = new Set(targets.map((target) => target.leaf));
  const first = new Map(targets.toReversed().map((target) => [target.leaf.server.entry.id, target]));
  return [...first]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([server, target]) => {
      const others = work.names.siblings(target.leaf).filter((leaf) => !named.has(leaf));
      if (others.length === 0) return [];
      const text = policyText({ effect: "forbid", roles: undefined, leaves: others });
      addPolicy(work, ["allow", group, `others@${server}`], text, target.at);
      return others;
    });
}

/** Servers that names of the document may mean; undefined = all. Reports unknown ones where a sink is given. */
export function scopeServers(
  document: Parsed<PolicyShape>,
  registry: LoweredRegistry,
  sink: DiagnosticSink | undefined,
): ReadonlySet<string> | undefined {
  const { servers: written, labels, tiers } = document.shape.scope ?? {};
  if (written === undefined && labels === undefined && tiers === undefined) return undefined;
  const known = [...registry.servers.keys()];
  for (const [index, name] of (written ?? []).entries()) {
    if (known.includes(name)) continue;
    const at = document.source.at("scope", "servers", index);
    sink?.report("SERVER_UNKNOWN", at, `no server is named ${JSON.stringify(name)}`, didYouMean(name, known));
  }
  const inScope = [...registry.servers.values()].filter(
    ({ entry }) =>
      written?.includes(entry.id) !== false &&
      (labels === undefined || labels.some((label) => entry.labels.includes(label))) &&
      tiers?.includes(entry.tier) !== false,
  );
  if (inScope.length === 0 && (labels !== undefined || tiers !== undefined)) {
    const message = "no server has these labels and tiers";
    const help = misspeltScope(document, registry);
    sink?.report("SCOPE_EMPTY", document.source.atKey("scope"), message, help);
  }
  return new Set(inScope.map(({ entry }) => entry.id));
}

/** The first label or tier of the scope that no server has, with the one that may be meant. */
function misspeltScope(
  { shape: { scope = {} } }: Parsed<PolicyShape>,
  { servers }: LoweredRegistry,
): string | undefined {
  const entries = [...servers.values()].map(({ entry }) => entry);
  const labels = new Set(entries.flatMap((entry) => entry.labels));
  const tiers = new Set(entries.map(({ tier }) => tier).filter((tier) => tier !== ""));
  const hints = [
    ...(scope.labels ?? []).map((name) => (labels.has(name) ? undefined : didYouMean(name, [...labels]))),
    ...(scope.tiers ?? []).map((name) => (tiers.has(name) ? undefined : didYouMean(name, [...tiers]))),
  ];
  return hints.find((hint) => hint !== undefined);
}

/** `Developer` and `Role::"Developer"` both name the role. */
function roleName(written: string): string {
  return /^Role::"([^"\\]+)"$/u.exec(written)?.[1] ?? written;
}

function scopePrincipals(
  document: Parsed<PolicyShape>,
  knownRoles: readonly string[] | undefined,
  sink: DiagnosticSink,
): PolicyWork["principals"] {
  const written = document.shape.scope?.principals;
  if (written === undefined || written === "any") return written;
  const roles = typeof written === "string" ? undefined : written.in;
  if (roles === undefined) {
    const at = document.source.at("scope", "principals");
    sink.report("DOCUMENT_INVALID", at, "scope.principals is any, or { in: [role names] }");
    return [];
  }
  return roles.map((item, index) => {
    const role = roleName(item);
    if (knownRoles?.includes(role) === false) {
      const at = document.source.at("scope", "principals", "in", index);
      sink.report(
        "ROLE_UNKNOWN",
        at,
        `the role ${JSON.stringify(role)} is not declared`,
        didYouMean(role, knownRoles),
      );
    }
    return role;
  });
}

function checkHeader({ shape, source }: Parsed<PolicyShape>, sink: DiagnosticSink): void {
  const { evaluator, failMode, mode } = shape.policy ?? {};
  if (mode === "shadow" && shape.transforms !== undefined) {
    const help = "a decision can be taken and only recorded, a transform cannot";
    sink.report("SHADOW_TRANSFORM", source.atKey("transforms"), "a document in shadow mode transforms", help);
  }
  if (evaluator !== undefined && evaluator !== "cedar") {
    const help =
      "every decision is Cedar's, so that check, test, plan and the gateway cannot differ; write cedar";
    const at = source.at("policy", "evaluator");
    sink.report(
      "EVALUATOR_UNSUPPORTED",
      at,
      `the evaluator ${JSON.stringify(evaluator)} does not exist`,
      help,
    );
  }
  if (failMode !== undefined && failMode !== "closed") {
    const help = "a fault always denies; there is no mode in which an unevaluated call passes; write closed";
    const at = source.at("policy", "failMode");
    sink.report(
      "FAIL_MODE_UNSUPPORTED",
      at,
      `the fail mode ${JSON.stringify(failMode)} does not exist`,
      help,
    );
  }
}

export function lowerPolicies(
  documents: Documents,
  registry: LoweredRegistry,
  names: NameIndex,
  sink: DiagnosticSink,
  tenant: TenantId = DEFAULT_TENANT,
): LoweredPolicies {
  const generated: GeneratedPolicy[] = [];
  const uses: TargetUse[] = [];
  const rules: ResourceRule[] = [];
  const closed = new Map<LeafAction, string[]>();
  for (const document of documents.policies) {
    checkHeader(document, sink);
    const work: PolicyWork = {
      document,
      file: document.source.file,
      names,
      registry,
      tenant,
      servers: scopeServers(document, registry, sink),
      principals: scopePrincipals(document, documents.project?.shape.roles, sink),
      shadow: document.shape.policy?.mode === "shadow",
      sink,
      generated,
      uses,
      rules,
    };
    lowerDeny(work);
    lowerAllow(work, closed);
    lowerConstraints(work);
    lowerAsks(work);
  }
  return { generated, uses, rules, closed };
}
