// What could be otherwise about one call, fact by fact: the values at which the policies of its leaf turn.
import type { BundleContent, LeafAction, PrincipalFacts, RequestFacts, Slice } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import { canonicalJson } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { candidatesOf, mergedCandidates, withValue } from "./call-classes.ts";
import type { LeafSide } from "./call-classes.ts";
import { coherentCall } from "./method-calls.ts";
import { planSide } from "./plan-side.ts";
import type { PlanSide } from "./plan-side.ts";
import { literalsOf } from "./policy-literals.ts";
import { attributeChoices, namesIn, tenantsOf } from "./principal-classes.ts";
import { changesOf, factsRead } from "./request-classes.ts";
import { isResourceKind } from "./resource-calls.ts";

/** A call with everything that decides it. */
export interface FactualCall {
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
}

/** One fact with another value. */
export interface FactChange {
  /** What is changed, e.g. `context.arguments.amount` or `role Admin`; two changes of one fact exclude each other. */
  readonly fact: string;
  /** Values as text; `absent` where there is none. */
  readonly from: string;
  readonly to: string;
  /** Undefined where no such call can be made together with what was changed before. */
  readonly apply: (call: FactualCall) => FactualCall | undefined;
}

/** Values of one fact; a policy that names more is not tried with all of them. */
const MAX_VALUES = 24;
const ABSENT = "absent";

/** Everything that the policies of one slice could tell apart in this call. Arguments first, then the caller. */
export function factChanges(
  content: BundleContent,
  slice: Slice,
  call: FactualCall,
): readonly (readonly FactChange[])[] {
  const server = content.registry.servers.find(({ leaves }) => hasLeaf(leaves, slice.action));
  const leaf = server?.leaves.find(({ action }) => action === slice.action);
  if (server === undefined || leaf === undefined) return [];
  const { derivations } = slice;
  const literals = literalsOf(content, slice);
  const side: LeafSide = { leaf, server: server.id, neighbours: [], derivations, literals };
  // What is read decides which leaf it is: another URI would be another call.
  // Calls of the tests come first: they read better than what is made up.
  const known = content.vectors.vectors.filter(({ action }) => action === slice.action);
  const ofArguments = isResourceKind(leaf.kind)
    ? []
    : argumentChanges(
        side,
        call,
        known.map((vector) => vector.arguments),
      );
  const plan = planSide({ bundle: { content, digest: "" } }, "call");
  return [
    ...ofArguments,
    ...membershipChanges(plan, literals.entities, call.principal),
    ...attributeChanges(plan, slice, call.principal),
    ...literals.requestReads.map((read) =>
      requestChanges(read, changesOf(read, { comparisons: literals.comparisons, derivations }), call.request),
    ),
  ].flatMap((changes) => (changes.length === 0 ? [] : [changes.slice(0, MAX_VALUES)]));
}

function hasLeaf(leaves: readonly { readonly action: LeafAction }[], action: LeafAction): boolean {
  return leaves.some((leaf) => leaf.action === action);
}

function shown(value: JsonValue | undefined): string {
  return value === undefined ? ABSENT : JSON.stringify(value);
}

function argumentChanges(
  side: LeafSide,
  call: FactualCall,
  known: readonly JsonObject[],
): readonly (readonly FactChange[])[] {
  return mergedCandidates(candidatesOf(side)).map(({ path, values }) => {
    const from = valueAt(call.arguments, path);
    const fact = `context.arguments.${path.join(".")}`;
    const used = known.flatMap((args) => valueAt(args, path) ?? []);
    const unique = new Map([...used, ...values, undefined].map((value) => [shown(value), value]));
    unique.delete(shown(from));
    const others = [...unique.values()];
    return others.map((value): FactChange => ({
      fact,
      from: shown(from),
      to: shown(value),
      apply: (known) => {
        const changed = coherentCall(side.leaf.kind, withValue(known.arguments, path, value));
        return changed === undefined ? undefined : { ...known, arguments: changed };
      },
    }));
  });
}

function valueAt(object: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const name of path) {
    value =
      value !== undefined && isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

/** Roles and groups that the policies name, held or not; then another id or type where they ask for one. */
function membershipChanges(
  side: PlanSide,
  entities: readonly { readonly type: string; readonly id: string }[],
  principal: PrincipalFacts,
): readonly (readonly FactChange[])[] {
  const tenants = tenantsOf(side, side);
  const named = (type: string): readonly string[] => {
    const ids = entities.filter((entity) => entity.type === type).map(({ id }) => id);
    return [...new Set(namesIn(principal.tenant, ids, tenants))];
  };
  const toggle = (kind: "groups" | "roles", noun: string, name: string): readonly FactChange[] => {
    const isHeld = principal[kind].includes(name);
    const apply = (call: FactualCall): FactualCall => {
      const rest = call.principal[kind].filter((other) => other !== name);
      const held = isHeld ? rest : [...rest, name].sort();
      return { ...call, principal: { ...call.principal, [kind]: held } };
    };
    return [
      {
        fact: `${noun} ${name}`,
        from: isHeld ? "held" : "not held",
        to: isHeld ? "not held" : "held",
        apply,
      },
    ];
  };
  const ids = named(principal.type).filter((id) => id !== principal.id);
  const asId = ids.map((id): FactChange => ({
    fact: "principal id",
    from: principal.id,
    to: id,
    apply: (call) => ({ ...call, principal: { ...call.principal, id } }),
  }));
  return [
    ...named("Role").map((name) => toggle("roles", "role", name)),
    ...named("Group").map((name) => toggle("groups", "group", name)),
    asId,
  ];
}

function attributeChanges(
  side: PlanSide,
  slice: Slice,
  principal: PrincipalFacts,
): readonly (readonly FactChange[])[] {
  return attributeChoices(side, side, [literalsOf(side.content, slice)]).map(({ name, values }) => {
    const from = Object.hasOwn(principal.attributes, name) ? principal.attributes[name] : undefined;
    const others = values.filter((value) => canonicalJson(value ?? null) !== canonicalJson(from ?? null));
    return others.map((value): FactChange => ({
      fact: `principal.${name}`,
      from: shown(from),
      to: shown(value),
      apply: (call) => {
        const rest = Object.entries(call.principal.attributes).filter(([key]) => key !== name);
        const attributes = Object.fromEntries(value === undefined ? rest : [...rest, [name, value]]);
        return { ...call, principal: { ...call.principal, attributes } };
      },
    }));
  });
}

function requestChanges(
  read: string,
  changes: readonly ((request: RequestFacts) => RequestFacts)[],
  request: RequestFacts,
): readonly FactChange[] {
  const textOf = (facts: RequestFacts): string => factsRead(facts, [read])[read] ?? ABSENT;
  const from = textOf(request);
  const found = new Map<string, FactChange>();
  for (const change of changes) {
    const to = textOf(change(request));
    if (to === from || found.has(to)) continue;
    const apply = (call: FactualCall): FactualCall => ({ ...call, request: change(call.request) });
    found.set(to, { fact: `context.${read}`, from, to, apply });
  }
  return [...found.values()];
}

/** A call of which nothing is known but what is asked. */
export function factualCall(
  caller: { readonly facts: PrincipalFacts; readonly request?: RequestFacts },
  args: JsonObject,
): FactualCall {
  return { principal: caller.facts, request: caller.request ?? UNKNOWN_REQUEST, arguments: args };
}
