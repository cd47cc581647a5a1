// Policies that came, went, or say something else, whether or not a call shows it. Matched by what they say of each
// definition: a policy that moves to another place or file is no change.
import { canonicalJson } from "#bundle";
import type { BundleContent, PolicyId, PolicySource } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { policyExpression } from "../cedar/policy-expression.ts";
import type { Plan, PlanChange, StructuralChange } from "./plan-types.ts";

/** Definitions that a row names. */
const MAX_NAMED = 3;
const NO_CALL = "no call found that it decides otherwise: a search, not a proof";
const ASK_SOLVER = `${NO_CALL}; --symbolic asks a solver`;

/** Of one policy: the residual of each tenant and definition that both sides know. */
type Meaning = ReadonlyMap<string, string>;

interface Stated {
  readonly id: PolicyId;
  readonly source: PolicySource;
  readonly meaning: Meaning;
  /** Definitions of the version, shared or not. */
  readonly actions: readonly string[];
}

/** One row for each policy that does something else than any policy of the other side. Modes are told apart. */
export function policyChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const shared = sharedKeys(base, head);
  const { before, after } = withoutEqual(stated(base, shared), stated(head, shared), base, head);
  const pairs = paired(before, after);
  const followed = new Set([...pairs.values()].map(({ id }) => id));
  const isCovered = coverOf(base, head, new Set(after.map(({ id }) => id)));
  const weakens = (one: Stated): Pick<StructuralChange, "weakens"> =>
    one.source.effect === "forbid" && one.source.mode !== "shadow" && !isCovered(one)
      ? { weakens: true }
      : {};
  return [
    ...after.map((is): StructuralChange => {
      const was = pairs.get(is.id);
      if (was === undefined) return row("policy-added", undefined, is);
      return { ...row("policy-changed", was, is), ...weakens(was) };
    }),
    ...before
      .filter(({ id }) => !followed.has(id))
      .map((was): StructuralChange => ({ ...row("policy-removed", was, undefined), ...weakens(was) })),
  ];
}

function row(
  kind: StructuralChange["kind"],
  was: Stated | undefined,
  is: Stated | undefined,
): StructuralChange {
  const one = is ?? was;
  const moved = was !== undefined && is !== undefined && was.id !== is.id ? [`was ${was.id}`] : [];
  const details = one === undefined ? [] : [placeLine(one), ...moved, actionsLine(one)];
  const values = { before: view(was), after: view(is) };
  return { kind, evidence: "structural", subject: one?.id ?? "", ...values, details };
}

function view(one: Stated | undefined): JsonValue {
  if (one === undefined) return null;
  const { effect, file, line, column, mode = "enforce" } = one.source;
  return { policy: one.id, effect, mode, file, line, column };
}

function placeLine({ source: { effect, file, line, column, mode } }: Stated): string {
  return `${effect}${mode === "shadow" ? " in shadow mode" : ""}, ${file}:${line}:${column}`;
}

function actionsLine({ actions }: Stated): string {
  const more = actions.length - MAX_NAMED;
  return `on ${actions.slice(0, MAX_NAMED).join(", ")}${more <= 0 ? "" : ` and ${more} more`}`;
}

function sharedKeys(base: BundleContent, head: BundleContent): ReadonlySet<string> {
  const keys = ({ policies }: BundleContent): readonly string[] =>
    policies.slices.map(({ tenant, action }) => canonicalJson([tenant, action]));
  return new Set(keys(base)).intersection(new Set(keys(head)));
}

/** Policies that a document states and some call can be decided by. */
function stated({ policies, sources }: BundleContent, shared: ReadonlySet<string>): readonly Stated[] {
  const found = new Map<PolicyId, { readonly meaning: Map<string, string>; readonly actions: Set<string> }>();
  for (const { tenant, action, call, shadow } of policies.slices) {
    const key = canonicalJson([tenant, action]);
    for (const { id, residual } of [...call, ...shadow]) {
      const known = found.get(id) ?? { meaning: new Map<string, string>(), actions: new Set<string>() };
      found.set(id, known);
      known.actions.add(action);
      if (shared.has(key)) known.meaning.set(key, residual);
    }
  }
  return [...found].flatMap(([id, { meaning, actions }]): readonly Stated[] => {
    const source = Object.hasOwn(sources.policies, id) ? sources.policies[id] : undefined;
    return source === undefined ? [] : [{ id, source, meaning, actions: [...actions].sort() }];
  });
}

interface Unmatched {
  readonly before: readonly Stated[];
  readonly after: readonly Stated[];
}

/** What is left once each policy is taken out with one of the other side that says the same, its own namesake first. */
function withoutEqual(
  before: readonly Stated[],
  after: readonly Stated[],
  base: BundleContent,
  head: BundleContent,
): Unmatched {
  const meaningOf = ({ meaning }: Stated): string => canonicalJson([...meaning].sort());
  const open = Map.groupBy(before, meaningOf);
  const matched = new Set<PolicyId>();
  const left: Stated[] = [];
  for (const one of [...after].sort((a, b) => Number(isIn(base, b)) - Number(isIn(base, a)))) {
    const equal = open.get(meaningOf(one)) ?? [];
    // One that speaks only of what the other side does not have is the same only under its own name.
    const other =
      equal.find(({ id }) => id === one.id && !matched.has(id)) ??
      (one.meaning.size === 0 ? undefined : equal.find(({ id }) => !matched.has(id)));
    if (other === undefined) left.push(one);
    else matched.add(other.id);
  }
  const isLeft = (one: Stated): boolean => !matched.has(one.id) && (one.meaning.size > 0 || !isIn(head, one));
  const isNew = (one: Stated): boolean => one.meaning.size > 0 || !isIn(base, one);
  return { before: before.filter(isLeft), after: left.filter(isNew).sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

function isIn({ sources }: BundleContent, { id }: Stated): boolean {
  return Object.hasOwn(sources.policies, id);
}

/** By the id on the head: what a changed policy was. One that says the same somewhere goes before a namesake. */
function paired(before: readonly Stated[], after: readonly Stated[]): ReadonlyMap<PolicyId, Stated> {
  const entries = ({ meaning }: Stated): readonly string[] =>
    [...meaning].map(([key, residual]) => `${key}\0${residual}`);
  const byEntry = new Map<string, Stated[]>();
  for (const one of before)
    for (const entry of entries(one)) byEntry.set(entry, [...(byEntry.get(entry) ?? []), one]);
  const taken = new Set<PolicyId>();
  const pairs = new Map<PolicyId, Stated>();
  const take = (is: Stated, was: Stated | undefined): void => {
    if (was === undefined) return;
    taken.add(was.id);
    pairs.set(is.id, was);
  };
  for (const is of after)
    take(
      is,
      entries(is)
        .flatMap((entry) => byEntry.get(entry) ?? [])
        .find(({ id }) => !taken.has(id)),
    );
  for (const is of after) {
    if (pairs.has(is.id)) continue;
    const isSame = (was: Stated): boolean =>
      was.id === is.id && was.source.effect === is.source.effect && !taken.has(was.id);
    take(is, before.find(isSame));
  }
  return pairs;
}

/**
 * Whether on every definition that both sides know an enforced forbid of the head stops what a forbid stopped: an equal
 * one, or one in its place. One that stood beside it stops less than both did once it goes too.
 */
function coverOf(
  base: BundleContent,
  head: BundleContent,
  replacements: ReadonlySet<PolicyId>,
): (was: Stated) => boolean {
  const slices = new Map(
    head.policies.slices.map(({ tenant, action, call }) => [canonicalJson([tenant, action]), call]),
  );
  const expressionOf = (content: BundleContent, residual: string): JsonObject | undefined => {
    const policy = content.policies.residuals[residual];
    return policy === undefined || policy["effect"] !== "forbid" ? undefined : policyExpression(policy);
  };
  return ({ meaning }) =>
    [...meaning].every(([key, residual]) => {
      const was = expressionOf(base, residual);
      return (slices.get(key) ?? []).some(({ id, residual: other }) => {
        if (other === residual) return true;
        if (!replacements.has(id)) return false;
        const is = expressionOf(head, other);
        return was !== undefined && is !== undefined && implies(was, is);
      });
    });
}

/** By form alone: false says nothing. */
function implies(left: JsonValue, right: JsonValue): boolean {
  if (canonicalJson(left) === canonicalJson(right)) return true;
  if (canonicalJson(right) === canonicalJson({ Value: true })) return true;
  const [both, either] = [sides(right, "&&"), sides(left, "||")];
  if (both !== undefined) return both.every((side) => implies(left, side));
  if (either !== undefined) return either.every((side) => implies(side, right));
  return (
    (sides(right, "||") ?? []).some((side) => implies(left, side)) ||
    (sides(left, "&&") ?? []).some((side) => implies(side, right))
  );
}

function sides(expression: JsonValue, operator: "&&" | "||"): readonly [JsonValue, JsonValue] | undefined {
  const body = (expression as JsonObject)[operator];
  if (body === undefined) return undefined;
  const { left, right } = body as JsonObject;
  return left === undefined || right === undefined ? undefined : [left, right];
}

/** Says of each policy that no row of a decision names that no call was found. Asked again once a solver has spoken. */
export function notedPolicies(plan: Plan): Plan {
  const named = { base: new Set<PolicyId>(), head: new Set<PolicyId>() };
  for (const change of plan.changes) {
    if (change.evidence === "structural") continue;
    for (const id of change.before.reasons) named.base.add(id);
    for (const id of change.after.reasons) named.head.add(id);
  }
  const note = plan.symbolic === undefined ? ASK_SOLVER : NO_CALL;
  return {
    ...plan,
    changes: plan.changes.map((change): PlanChange => {
      if (change.evidence !== "structural" || !isPolicyChange(change)) return change;
      const details = (change.details ?? []).filter((line) => line !== ASK_SOLVER && line !== NO_CALL);
      const { base, head } = policiesOf(change);
      const isNamed =
        (base !== undefined && named.base.has(base)) || (head !== undefined && named.head.has(head));
      return { ...change, details: isNamed ? details : [...details, note] };
    }),
  };
}

function isPolicyChange({ kind }: StructuralChange): boolean {
  return kind === "policy-added" || kind === "policy-changed" || kind === "policy-removed";
}

/** The policies that a row is about, by side; none for rows about something else. */
export function policiesOf(change: StructuralChange): {
  readonly base?: PolicyId;
  readonly head?: PolicyId;
} {
  if (!isPolicyChange(change)) return {};
  const idIn = (value: JsonValue): PolicyId | undefined => {
    const id = value === null ? undefined : (value as JsonObject)["policy"];
    return typeof id === "string" ? id : undefined;
  };
  const [base, head] = [idIn(change.before), idIn(change.after)];
  return { ...(base === undefined ? {} : { base }), ...(head === undefined ? {} : { head }) };
}
