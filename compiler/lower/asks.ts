// sampling, elicitation and roots → permits and forbids on the methods by which a server asks something of the client.
import { leafActionOf, METHODS_OF_KIND } from "#bundle";
import type { Derivation } from "#bundle";
import { patternFault, patternRegex } from "#resources";
import { matchesName } from "../cedar/index.ts";
import type {
  AskGroup,
  ElicitationShape,
  ImpliedGroup,
  RootsShape,
  SamplingShape,
} from "../documents/shapes.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { cedarString, entity, principalScope } from "./cedar-text.ts";
import { globRegex } from "./glob.ts";
import { addPolicy, rolesOf } from "./policies.ts";
import type { PolicyWork } from "./policies.ts";

const KIND_OF_ASK = { sampling: "sampling", elicitation: "elicitation", roots: "roots" } as const;
const KIND_OF_IMPLIED = {
  completion: "completion",
  logging: "logging",
  subscriptions: "subscription",
  tasks: "task",
} as const;
const ASKS: readonly AskGroup[] = ["sampling", "elicitation", "roots"];
const IMPLIED: readonly ImpliedGroup[] = ["completion", "logging", "subscriptions", "tasks"];

/** Servers that a name means: itself, or all in scope for `*`. Reports a server that does not exist or is out of scope. */
function serversOf(work: PolicyWork, name: string, at: SourceSpan): readonly string[] {
  const known = [...work.registry.servers.keys()].sort();
  const inScope = known.filter((server) => work.servers?.has(server) !== false);
  if (name === "*") return inScope;
  if (inScope.includes(name)) return [name];
  const message = known.includes(name)
    ? `${name} is outside the scope of this document`
    : `no server is named ${JSON.stringify(name)}`;
  work.sink.report("SERVER_UNKNOWN", at, message, didYouMean(name, inScope));
  return [];
}

interface MethodPolicy {
  readonly effect: "permit" | "forbid";
  readonly methods: readonly string[];
  readonly server: string;
  readonly when?: string;
}

function methodPolicyText(work: PolicyWork, { effect, methods, server, when }: MethodPolicy): string {
  const actions = methods.map((method) => entity("Action", leafActionOf(method, server, "")));
  const { head, conditions } = principalScope(rolesOf(work));
  const clauses = [...conditions, ...(when === undefined ? [] : [`when { ${when} }`])];
  const scope = `${effect} (${head}, action in [${actions.join(", ")}], resource == ${entity("Server", server)})`;
  return `${[scope, ...clauses].join(" ")};`;
}

function lowerNames(
  work: PolicyWork,
  verb: "allow" | "deny",
  group: AskGroup | ImpliedGroup,
  names: readonly string[],
  methods: readonly string[],
): void {
  for (const [index, name] of names.entries()) {
    const at = work.document.source.at(verb, group, index);
    for (const server of serversOf(work, name, at)) {
      const effect = verb === "allow" ? "permit" : "forbid";
      const path = name === "*" ? [verb, group, index, server] : [verb, group, index];
      addPolicy(work, path, methodPolicyText(work, { effect, methods, server }), at);
    }
  }
}

/** `allow` without principals grants nothing, and there is nothing of these primitives to close. */
export function lowerAsks(work: PolicyWork): void {
  const { allow = {}, deny = {} } = work.document.shape;
  for (const group of ASKS) {
    const methods = METHODS_OF_KIND[KIND_OF_ASK[group]];
    lowerNames(work, "deny", group, deny[group] ?? [], methods);
    const granted = allow[group] ?? [];
    if (work.principals !== undefined) lowerNames(work, "allow", group, granted, methods);
    else if (granted.length > 0) {
      const help = "say who: scope: { principals: any } or { in: [roles] }";
      const at = work.document.source.at("allow", group);
      work.sink.report(
        "EXPOSED_NOT_GRANTED",
        at,
        `allow.${group} grants nothing without scope.principals`,
        help,
      );
    }
  }
  for (const group of IMPLIED) {
    lowerNames(work, "deny", group, deny[group] ?? [], METHODS_OF_KIND[KIND_OF_IMPLIED[group]]);
  }
  for (const group of ASKS) lowerRestrictions(work, group);
}

/** What one key of a restriction demands: a condition under which the request is refused. */
interface Restriction {
  readonly key: string;
  readonly when: string;
  readonly derivations?: readonly Derivation[];
}

function lowerRestrictions(work: PolicyWork, group: AskGroup): void {
  const { source, shape } = work.document;
  const methods = METHODS_OF_KIND[KIND_OF_ASK[group]];
  for (const name of Object.keys(shape[group] ?? {})) {
    const restrictions = restrictionsOf(work, group, name);
    for (const server of serversOf(work, name, source.atKey(group, name))) {
      for (const { key, when, derivations } of restrictions) {
        const text = methodPolicyText(work, { effect: "forbid", methods, server, when });
        const path = name === "*" ? [group, name, key, server] : [group, name, key];
        addPolicy(work, path, text, source.atKey(group, name, key), derivations);
      }
    }
  }
}

function restrictionsOf(work: PolicyWork, group: AskGroup, name: string): readonly Restriction[] {
  const { shape } = work.document;
  switch (group) {
    case "sampling":
      return samplingRestrictions(shape.sampling?.[name] ?? {});
    case "elicitation":
      return elicitationRestrictions(shape.elicitation?.[name] ?? {});
    case "roots":
      return rootsRestrictions(work, name, shape.roots?.[name] ?? {});
  }
}

function samplingRestrictions(shape: SamplingShape): readonly Restriction[] {
  const { maxTokens, models, tools, includeContext } = shape;
  return [
    ...(maxTokens === undefined
      ? []
      : [{ key: "maxTokens", when: `context.arguments.maxTokens > ${maxTokens}` }]),
    ...(models === undefined ? [] : [everyLine("models", "modelHintLines", models)]),
    ...(tools === undefined
      ? []
      : [
          {
            key: "tools",
            when:
              tools.length === 0
                ? "!context.arguments.tools.isEmpty()"
                : `!(${stringSet(tools)}.containsAll(context.arguments.tools))`,
          },
        ]),
    ...(includeContext === undefined
      ? []
      : [
          {
            key: "includeContext",
            when: `!(${stringSet(includeContext)}.contains(context.arguments.includeContext))`,
          },
        ]),
  ];
}

function elicitationRestrictions(shape: ElicitationShape): readonly Restriction[] {
  const { modes, fields, forbiddenFields, hosts } = shape;
  return [
    ...(modes === undefined
      ? []
      : [{ key: "modes", when: `!(${stringSet(modes)}.contains(context.arguments.mode))` }]),
    ...(fields === undefined ? [] : [everyLine("fields", "fieldLines", fields.map(lower))]),
    ...(forbiddenFields === undefined
      ? []
      : [someLine("forbiddenFields", "fieldLines", forbiddenFields.map(lower))]),
    ...(hosts === undefined
      ? []
      : [
          {
            key: "hosts",
            when: `context.arguments.mode == "url" && !(context.arguments.urlScheme == "https" && (${hosts.map(hostCondition).join(" || ")}))`,
          },
        ]),
  ];
}

function rootsRestrictions(work: PolicyWork, name: string, shape: RootsShape): readonly Restriction[] {
  const { schemes, within } = shape;
  const restrictions: Restriction[] = [];
  if (schemes !== undefined) {
    const when = `!(${stringSet(schemes.map(lower))}.contains(context.arguments.scheme))`;
    restrictions.push({ key: "schemes", when });
  }
  if (within !== undefined) {
    for (const [index, pattern] of within.entries()) {
      const fault = patternFault(pattern);
      if (fault === undefined) continue;
      const at = work.document.source.at("roots", name, "within", index);
      work.sink.report("RESOURCE_PATTERN_INVALID", at, `${JSON.stringify(pattern)}: ${fault}`);
    }
    const derivation = matching("uri", `(?:${within.map((pattern) => patternRegex(pattern)).join("|")})`);
    const when = `!(context.arguments.isCanonical && context._m.${derivation.name})`;
    restrictions.push({ key: "within", when, derivations: [derivation] });
  }
  return restrictions;
}

/** A host of a URL: `*.example.com` is any below it. */
function hostCondition(host: string): string {
  const value = "context.arguments.urlHost";
  const name = host.toLowerCase();
  if (!name.startsWith("*.")) return `${value} == ${cedarString(name)}`;
  return `${value} like ${cedarString(name)}`;
}

function everyLine(key: string, argument: string, globs: readonly string[]): Restriction {
  const derivation = matching(argument, `\\A(?:(?:${globs.map(globRegex).join("|")})(?:\\n|\\z))*\\z`);
  return { key, when: `!context._m.${derivation.name}`, derivations: [derivation] };
}

function someLine(key: string, argument: string, globs: readonly string[]): Restriction {
  const derivation = matching(argument, `(?:\\A|\\n)(?:${globs.map(globRegex).join("|")})(?:\\n|\\z)`);
  return { key, when: `context._m.${derivation.name}`, derivations: [derivation] };
}

function matching(argument: string, pattern: string): Derivation {
  const path = ["arguments", argument];
  return { kind: "matches", name: matchesName(path, pattern), path, pattern };
}

function stringSet(values: readonly string[]): string {
  return `[${values.map(cedarString).join(", ")}]`;
}

function lower(text: string): string {
  return text.toLowerCase();
}
