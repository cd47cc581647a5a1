// What residuals read of `context.arguments`, so that nothing else of a call has to be representable for Cedar.
import type { Derivation } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import type { ArgumentReads, ElementRead } from "../json-schema/index.ts";
import { bodyOf, childrenOf, isVar, open, operand, pathOf } from "./est.ts";
import type { Expr, PolicyEst } from "./est.ts";

/** Attribute paths that one residual reads the value or the presence of. */
interface PathReads {
  readonly values: readonly (readonly string[])[];
  readonly presences: readonly (readonly string[])[];
  /** Sets of which it is asked whether they are empty. */
  readonly counts: readonly (readonly string[])[];
}

/** A variable that is read other than through an attribute path counts as read whole. */
function pathReads(residual: PolicyEst): PathReads {
  const values: (readonly string[])[] = [];
  const presences: (readonly string[])[] = [];
  const counts: (readonly string[])[] = [];
  const walk = (expr: Expr): void => {
    const [operator] = open(expr);
    if (operator === ".") {
      const path = pathOf(expr);
      if (path !== undefined) return void values.push(path);
    } else if (operator === "has") {
      const path = pathOf(operand(bodyOf(expr), "left"));
      if (path !== undefined) return void presences.push([...path, ...attributesOf(bodyOf(expr))]);
    } else if (operator === "isEmpty") {
      const path = pathOf(operand(bodyOf(expr), "arg"));
      if (path !== undefined) return void counts.push(path);
    } else if (isVar(expr, "context")) values.push(["context"]);
    for (const child of childrenOf(expr)) walk(child);
  };
  for (const clause of residual.conditions) walk(clause.body);
  return { values, presences, counts };
}

/** What one residual reads of the arguments. */
function readsOf(residual: PolicyEst): ArgumentReads {
  const { values, presences, counts } = pathReads(residual);
  return {
    values: values.flatMap(argumentPath),
    presences: presences.flatMap(argumentPath),
    elements: counts.flatMap(argumentPath).map((path) => ({ path })),
  };
}

/** Which of `members` of the context one residual reads. */
export function contextMembersOf<Member extends string>(
  residual: PolicyEst,
  members: readonly Member[],
): ReadonlySet<Member> {
  const { values, presences, counts } = pathReads(residual);
  const paths = [...values, ...presences, ...counts].filter(([root]) => root === "context");
  if (paths.some((path) => path.length === 1)) return new Set(members);
  return new Set(members.filter((member) => paths.some((path) => path[1] === member)));
}

/** What a derived fact reads, by its path from the root of the context. */
export function readOfDerivation(derivation: Derivation): ArgumentReads {
  const nothing: ArgumentReads = { values: [], presences: [], elements: [] };
  if (derivation.path[0] !== "arguments") return nothing;
  const path = derivation.path.slice(1);
  switch (derivation.kind) {
    case "count":
      return { ...nothing, elements: [{ path }] };
    case "every":
    case "range":
      return { ...nothing, elements: [{ path, member: derivation.element }] };
    default:
      return { ...nothing, values: [path] };
  }
}

/** The same object for equal reads, so that what depends on them is computed once. */
export class ReadsTable {
  readonly #ofResidual = new WeakMap<PolicyEst, ArgumentReads>();
  readonly #equal = new Map<string, ArgumentReads>();

  readsOf(residual: PolicyEst): ArgumentReads {
    const known = this.#ofResidual.get(residual);
    if (known !== undefined) return known;
    const fresh = readsOf(residual);
    const key = JSON.stringify(fresh);
    const reads = this.#equal.get(key) ?? fresh;
    this.#equal.set(key, reads);
    this.#ofResidual.set(residual, reads);
    return reads;
  }
}

/** Everything that any of `reads` reads, each path once. */
export function unionOfReads(reads: Iterable<ArgumentReads>): ArgumentReads {
  const values = new Map<string, readonly string[]>();
  const presences = new Map<string, readonly string[]>();
  const elements = new Map<string, ElementRead>();
  for (const read of reads) {
    for (const path of read.values) values.set(JSON.stringify(path), path);
    for (const path of read.presences) presences.set(JSON.stringify(path), path);
    for (const list of read.elements) elements.set(JSON.stringify([list.path, list.member ?? null]), list);
  }
  return {
    values: [...values.values()],
    presences: [...presences.values()],
    elements: [...elements.values()],
  };
}

function argumentPath([root, group, ...names]: readonly string[]): readonly (readonly string[])[] {
  return root === "context" && (group === undefined || group === "arguments") ? [names] : [];
}

/** `has a` and `has a.b`. */
function attributesOf(body: JsonObject): readonly string[] {
  const { attr } = body;
  const names = Array.isArray(attr) ? (attr as readonly JsonValue[]) : [attr];
  return names.filter((name) => typeof name === "string");
}
