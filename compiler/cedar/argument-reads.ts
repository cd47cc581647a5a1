// What residuals read of `context.arguments`, so that nothing else of a call has to be representable for Cedar.
import type { Derivation } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import type { ArgumentReads } from "../json-schema/index.ts";
import { bodyOf, childrenOf, isVar, open, operand, pathOf } from "./est.ts";
import type { Expr, PolicyEst } from "./est.ts";

/** What one residual reads. A context that is read other than through an attribute path counts as read whole. */
function readsOf(residual: PolicyEst): ArgumentReads {
  const values: (readonly string[])[] = [];
  const presences: (readonly string[])[] = [];
  const walk = (expr: Expr): void => {
    const [operator] = open(expr);
    if (operator === ".") {
      const path = pathOf(expr);
      if (path !== undefined) return addPath(values, path);
    } else if (operator === "has") {
      const path = pathOf(operand(bodyOf(expr), "left"));
      if (path !== undefined) return addPath(presences, [...path, ...attributesOf(bodyOf(expr))]);
    } else if (isVar(expr, "context")) addPath(values, ["context"]);
    for (const child of childrenOf(expr)) walk(child);
  };
  for (const clause of residual.conditions) walk(clause.body);
  return { values, presences };
}

/** What a derived fact reads, by its path from the root of the context. */
export function readOfDerivation({ path }: Derivation): ArgumentReads {
  return { values: path[0] === "arguments" ? [path.slice(1)] : [], presences: [] };
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
  for (const read of reads) {
    for (const path of read.values) values.set(JSON.stringify(path), path);
    for (const path of read.presences) presences.set(JSON.stringify(path), path);
  }
  return { values: [...values.values()], presences: [...presences.values()] };
}

function addPath(paths: (readonly string[])[], [root, group, ...names]: readonly string[]): void {
  if (root === "context" && (group === undefined || group === "arguments")) paths.push(names);
}

/** `has a` and `has a.b`. */
function attributesOf(body: JsonObject): readonly string[] {
  const { attr } = body;
  const names = Array.isArray(attr) ? (attr as readonly JsonValue[]) : [attr];
  return names.filter((name) => typeof name === "string");
}
