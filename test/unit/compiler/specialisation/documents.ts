// Random YAML policy documents, and what each line of one means as plain Cedar, by the language's document.
import { METHODS_OF_KIND } from "#bundle";
import type { MethodKind, PolicyId, TenantId } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { randomAsks } from "./asks.ts";
import { qualified, ROLES, text } from "./conditions.ts";
import type { Feature, Layer } from "./conditions.ts";
import { randomConstraint } from "./constraints.ts";
import type { Keep } from "./constraints.ts";
import type { Dice } from "./dice.ts";
import type { FactBook } from "./facts.ts";
import { randomPatterns, uriFits } from "./patterns.ts";
import { groupOf, LABELS } from "./shape.ts";
import type { Group, Leaf, ServerShape } from "./shape.ts";

/** Leaves that a policy is about. `undefined`: all. */
export interface Reach {
  readonly servers?: readonly string[];
  /** Actions or methods. */
  readonly actions?: readonly string[];
}

export interface ReferencePolicy {
  readonly id: PolicyId;
  /** Plain Cedar. */
  readonly text: string;
  readonly shadow: boolean;
  readonly tenant: TenantId;
  readonly reach: Reach;
  /** Of a constraint. */
  readonly keep?: Keep;
  readonly features: readonly Feature[];
}

/** URIs that an allowed pattern makes reachable. */
export interface ResourceRule {
  readonly server: string;
  /** As the leaf is called. */
  readonly pattern: string;
  readonly tenant: TenantId;
}

export interface RandomDocument {
  readonly yaml: JsonObject;
  readonly policies: readonly ReferencePolicy[];
  readonly rules: readonly ResourceRule[];
}

/** One meaning of a line. */
export interface Line {
  readonly pointer: string;
  readonly effect: "permit" | "forbid";
  readonly server: string;
  readonly actions: readonly string[];
  readonly feature: string | readonly string[];
  /** Cedar text that must hold as well. */
  readonly when?: string;
  readonly keep?: Keep;
  /** Of everybody, whatever the principals of the document are. */
  readonly isForAll?: boolean;
}

/** What the parts of a document are made from. */
export interface Draft {
  readonly dice: Dice;
  readonly layer: Layer;
  readonly facts: FactBook;
  /** Servers in the document's scope; at least one. */
  readonly servers: readonly ServerShape[];
  /** Whether `allow` grants. */
  readonly grants: boolean;
}

export interface Part {
  readonly yaml: JsonObject;
  readonly lines: readonly Line[];
  readonly rules?: readonly Pick<ResourceRule, "server" | "pattern">[];
}

const GROUPS: readonly Group[] = ["tools", "resources", "prompts"];

interface Scope {
  readonly yaml: JsonObject;
  readonly servers: readonly ServerShape[];
  readonly features: readonly Feature[];
}

/** All that is written of servers, labels and tiers must fit. */
function randomScope(dice: Dice, { shape }: Layer): Scope {
  const servers = dice.chance(0.3) ? dice.some(shape.servers, 0.6).map(({ id }) => id) : [];
  const labels = dice.chance(0.3) ? dice.some(LABELS) : [];
  const tiers = dice.chance(0.25) ? dice.some(["production", "internal", "prod2"], 0.6) : [];
  const fitting = shape.servers.filter(
    (server) =>
      (servers.length === 0 || servers.includes(server.id)) &&
      (labels.length === 0 || labels.some((label) => server.labels.includes(label))) &&
      (tiers.length === 0 || tiers.includes(server.tier)),
  );
  // A scope without servers is refused.
  if (fitting.length === 0) return { yaml: {}, servers: shape.servers, features: [] };
  const written = Object.entries({ servers, labels, tiers }).filter(([, list]) => list.length > 0);
  const features = written.map(([name]) => ({ name: `scope.${name}` }));
  return { yaml: Object.fromEntries(written), servers: fitting, features };
}

/** A name that means the leaf alone. */
function nameOf({ dice, servers, layer }: Draft, leaf: Leaf): string {
  const namesakes = layer.shape.leaves.filter(
    ({ name, server }) => name === leaf.name && servers.some(({ id }) => id === server),
  );
  return namesakes.length > 1 || dice.chance(0.2) ? `${leaf.server}/${leaf.name}` : leaf.name;
}

function pointerOf(...path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function named(draft: Draft, verb: "allow" | "deny", group: Group): Part {
  const { dice, layer, servers, facts } = draft;
  const isInScope = (leaf: Leaf): boolean => servers.some(({ id }) => id === leaf.server);
  const all = layer.shape.leaves.filter((leaf) => groupOf(leaf) === group && isInScope(leaf));
  const leaves = dice.some(all, verb === "deny" ? 0.12 : 0.45);
  const patterns = group === "resources" ? randomPatterns(draft, verb) : [];
  const names: readonly string[] = [
    ...leaves.map((leaf) => nameOf(draft, leaf)),
    ...patterns.map(({ written }) => written),
  ];
  if (names.length === 0) return { yaml: {}, lines: [] };
  const effect = verb === "deny" ? "forbid" : "permit";
  const ofLeaves = leaves.map(({ server, action }, index): Line => ({
    ...{ pointer: pointerOf(verb, group, index), effect, server, actions: [action] },
    feature: `${verb}.${group}`,
  }));
  const ofPatterns = patterns.flatMap(({ pattern, on }, at) =>
    on.map((server): Line => {
      const index = leaves.length + at;
      const path = on.length > 1 ? [verb, group, index, server] : [verb, group, index];
      const when = facts.about(["context", "arguments", "uri"], (uri) =>
        uriFits(pattern, uri as string, verb === "deny"),
      );
      const line = { pointer: pointerOf(...path), effect, server, actions: ["resources/read"] } as const;
      return { ...line, feature: `${verb} pattern`, when };
    }),
  );
  const ofBelow = (verb === "deny" && group === "resources" ? leaves : []).map(
    ({ server, name }, index): Line => ({
      ...{ pointer: pointerOf(verb, group, index, "below"), effect, server, actions: ["resources/read"] },
      ...{ feature: "deny.resources" },
      when: facts.about(["context", "arguments", "uri"], (uri) => uriFits(name, uri as string, true)),
    }),
  );
  const named = [...ofLeaves, ...ofBelow, ...ofPatterns];
  const rules =
    verb === "allow" ? patterns.flatMap(({ pattern, on }) => on.map((server) => ({ server, pattern }))) : [];
  const yaml = { [group]: names };
  if (verb === "deny" || draft.grants) return { yaml, lines: named, rules };
  return { yaml, lines: closing(draft, group, all, leaves, rules), rules };
}

/** `allow` without principals forbids what else the named servers have of that group. */
function closing(
  { facts }: Draft,
  group: Group,
  all: readonly Leaf[],
  leaves: readonly Leaf[],
  patterns: readonly Pick<ResourceRule, "server" | "pattern">[],
): readonly Line[] {
  const servers = [...new Set([...leaves, ...patterns].map(({ server }) => server))];
  return servers.flatMap((server): readonly Line[] => {
    const pointer = pointerOf("allow", group, `others@${server}`);
    const closes = { pointer, effect: "forbid", server, isForAll: true } as const;
    const open = leaves.filter((leaf) => leaf.server === server).map(({ name }) => name);
    if (group !== "resources") {
      const others = all.filter((leaf) => leaf.server === server && !leaves.includes(leaf));
      const actions = others.map(({ action }) => action);
      return actions.length === 0 ? [] : [{ ...closes, actions, feature: `exposed ${group}` }];
    }
    const own = patterns.filter((rule) => rule.server === server).map(({ pattern }) => pattern);
    const when = facts.add(
      ["resources/read"],
      ({ context }) =>
        !open.includes(context["target"] as string) &&
        !own.some((pattern) => uriFits(pattern, (context["arguments"] as JsonObject)["uri"] as string)),
    );
    return [{ ...closes, actions: ["resources/read"], when, feature: "exposed resources" }];
  });
}

function constraints(draft: Draft): Part {
  const { dice, layer, facts, servers } = draft;
  const tools = layer.shape.leaves.filter(
    ({ kind, server }) => kind === "tool" && servers.some(({ id }) => id === server),
  );
  const found = dice.some(tools, 0.6).flatMap((leaf) => {
    const constraint = randomConstraint(dice, leaf, facts);
    return constraint === undefined ? [] : [{ leaf, constraint, name: nameOf(draft, leaf) }];
  });
  const lines = found.flatMap(({ leaf, constraint, name }) =>
    constraint.rules.map(({ pointer, features, broken, keep }): Line => ({
      pointer: `${pointerOf("constraints", name)}/${pointer}`,
      ...{ effect: "forbid", server: leaf.server, actions: [leaf.action] },
      ...{ feature: features.map((feature) => `constraint ${feature}`), when: broken, keep },
    })),
  );
  return { yaml: Object.fromEntries(found.map(({ name, constraint }) => [name, constraint.yaml])), lines };
}

const METHOD_GROUPS: Readonly<Record<string, MethodKind>> = {
  ...{ sampling: "sampling", elicitation: "elicitation", roots: "roots" },
  ...{ completion: "completion", logging: "logging", subscriptions: "subscription", tasks: "task" },
};

/** Servers under `allow` and `deny` for the methods. */
function methods(draft: Draft, verb: "allow" | "deny"): readonly Part[] {
  const { dice, servers, grants } = draft;
  const groups = Object.keys(METHOD_GROUPS).slice(0, verb === "allow" ? 3 : undefined);
  return dice.some(groups, verb === "allow" ? 0.45 : 0.15).map((group): Part => {
    const kind = METHOD_GROUPS[group] ?? "sampling";
    const name = dice.pick(["*", ...servers.map(({ id }) => id)]);
    const on = name === "*" ? servers.map(({ id }) => id) : [name];
    const lines = on.map((server): Line => {
      const path = name === "*" ? [verb, group, 0, server] : [verb, group, 0];
      const actions = METHODS_OF_KIND[kind];
      const effect = verb === "allow" ? "permit" : "forbid";
      return { pointer: pointerOf(...path), effect, server, actions, feature: `${verb}.${group}` };
    });
    return { yaml: { [group]: [name] }, lines: verb === "deny" || grants ? lines : [] };
  });
}

function isEmpty(value: JsonValue): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export function randomDocument(dice: Dice, layer: Layer, facts: FactBook, file: string): RandomDocument {
  const shadow = dice.chance(0.15);
  const principals = dice.pick<"any" | readonly string[] | undefined>([
    ...(["any", "any", undefined] as const),
    [dice.pick(ROLES)],
    ["Developer", "Auditor"],
  ]);
  const scope = randomScope(dice, layer);
  const draft: Draft = { dice, layer, facts, servers: scope.servers, grants: principals !== undefined };
  const group = (verb: "allow" | "deny"): readonly Part[] => [
    ...GROUPS.map((name) => named(draft, verb, name)),
    ...methods(draft, verb),
  ];
  const [deny, allow] = [group("deny"), group("allow")];
  const limits = constraints(draft);
  const asks = randomAsks(draft);
  const merged = (parts: readonly Part[]): JsonObject =>
    Object.assign({}, ...parts.map(({ yaml }) => yaml)) as JsonObject;
  const sections = Object.entries({
    policy: shadow ? { mode: "shadow" } : {},
    scope: {
      ...scope.yaml,
      ...(principals === undefined ? {} : { principals: principals === "any" ? "any" : { in: principals } }),
    },
    ...{ deny: merged(deny), allow: merged(allow), constraints: limits.yaml, ...merged(asks) },
  }).filter(([, value]) => !isEmpty(value as JsonValue));
  const who =
    principals === undefined || principals === "any"
      ? undefined
      : principals.map((role) => qualified(layer, role));
  const parts = [...deny, ...allow, limits, ...asks];
  return {
    yaml: Object.fromEntries(sections) as JsonObject,
    policies: parts.flatMap(({ lines }) =>
      lines.map((line): ReferencePolicy => {
        const { pointer, server, actions, feature, keep } = line;
        const features = [
          ...[feature].flat().map((name) => ({ name })),
          ...scope.features,
          ...(shadow ? [{ name: "shadow document" }] : []),
        ];
        return {
          id: `${file}#${pointer}`,
          text: textOf(line, who),
          shadow,
          tenant: layer.tenant,
          reach: { servers: [server], actions },
          ...(keep === undefined ? {} : { keep }),
          features,
        };
      }),
    ),
    // In shadow mode nothing becomes reachable.
    rules: shadow
      ? []
      : parts.flatMap(({ rules = [] }) => rules.map((rule) => ({ ...rule, tenant: layer.tenant }))),
  };
}

function textOf(
  { effect, server, actions, when, isForAll }: Line,
  roles: readonly string[] | undefined,
): string {
  const list = actions.map((action) => `Action::${text(action)}`).join(", ");
  const who =
    roles === undefined || isForAll === true
      ? ""
      : `when { principal in [${roles.map((role) => `Role::${text(role)}`).join(", ")}] }`;
  const condition = when === undefined ? "" : `when { ${when} }`;
  return `${effect} (principal, action in [${list}], resource == Server::${text(server)}) ${who} ${condition};`;
}

/** What follows from what a caller may use, until a line denies it. */
export function impliedPolicy(tenant: TenantId): ReferencePolicy {
  const kinds: readonly MethodKind[] = ["completion", "logging", "subscription", "task"];
  const actions = kinds.flatMap((kind) => METHODS_OF_KIND[kind]);
  const list = actions.map((action) => `Action::${text(action)}`).join(", ");
  return {
    ...{
      id: "aegis.yaml#implied",
      text: `permit (principal, action in [${list}], resource);`,
      shadow: false,
    },
    ...{ tenant, reach: { actions }, features: [{ name: "implied permit" }] },
  };
}

/** True where the policy can be about the leaf. */
export function reaches({ servers, actions }: Reach, leaf: Leaf): boolean {
  const method = leaf.action.slice(0, leaf.action.indexOf(":"));
  return (
    servers?.includes(leaf.server) !== false &&
    (actions === undefined || actions.includes(leaf.action) || actions.includes(method))
  );
}
