// What the compiled policies of a leaf compare with: the values at which decisions turn.
import type { BundleContent, EntityRef, Slice } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { bodyOf, childrenOf, entityLiteral, open, pathOf, scopeEntities } from "../cedar/est.ts";
import type { Expr, PolicyEst } from "../cedar/est.ts";

export interface Comparison {
  /** e.g. `["context", "arguments", "amount"]`. */
  readonly path: readonly string[];
  readonly literal: string | number | boolean;
  /** The literal is `decimal("…")`, an element of a set on the other side, or a wildcard pattern's shortest match. */
  readonly form: "decimal" | "plain";
}

export interface PolicyLiterals {
  readonly comparisons: readonly Comparison[];
  readonly entities: readonly EntityRef[];
}

/** Every comparison and entity in the policies that decide one slice. */
export function literalsOf(content: BundleContent, slice: Slice): PolicyLiterals {
  const comparisons: Comparison[] = [];
  const entities: EntityRef[] = [];
  for (const { residual } of slice.call) {
    const est = content.policies.residuals[residual] as unknown as PolicyEst | undefined;
    if (est === undefined) continue;
    entities.push(...scopeEntities(est.principal));
    for (const { body } of est.conditions) visit(body, comparisons, entities);
  }
  return { comparisons, entities };
}

function visit(expr: Expr, comparisons: Comparison[], entities: EntityRef[]): void {
  const entity = entityLiteral(expr);
  if (entity !== undefined) entities.push(entity);
  const children = childrenOf(expr);
  const paths = children.flatMap((child) => pathOf(child) ?? []).length === 0 ? [] : pathsOf(children);
  const literals = children.flatMap(valuesOf).concat(likeLiterals(expr));
  for (const path of paths) for (const value of literals) comparisons.push({ path, ...value });
  for (const child of children) visit(child, comparisons, entities);
}

function pathsOf(children: readonly Expr[]): readonly (readonly string[])[] {
  return children.flatMap((child) => {
    const path = pathOf(child);
    return path === undefined || path.length < 2 ? [] : [path];
  });
}

type Literal = Omit<Comparison, "path">;

/** The literal that an expression is, or the literals of a set of them. */
function valuesOf(expr: Expr): readonly Literal[] {
  const [operator, body] = open(expr);
  if (operator === "Value") return scalar(body);
  if (operator === "Set") return childrenOf(expr).flatMap(valuesOf);
  if (operator !== "decimal") return [];
  return childrenOf(expr)
    .flatMap(valuesOf)
    .flatMap(({ literal }) => [{ literal: Number(literal), form: "decimal" as const }]);
}

function scalar(value: JsonValue): readonly Literal[] {
  const isScalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return isScalar ? [{ literal: value, form: "plain" }] : [];
}

/** The shortest text that a `like` pattern accepts. A bare `*` accepts everything and tells nothing. */
function likeLiterals(expr: Expr): readonly Literal[] {
  if (open(expr)[0] !== "like") return [];
  const pattern = bodyOf(expr)["pattern"];
  if (!Array.isArray(pattern)) return [];
  const literal = (pattern as readonly JsonValue[])
    .map((piece) => (isJsonObject(piece) && typeof piece["Literal"] === "string" ? piece["Literal"] : ""))
    .join("");
  return literal === "" ? [] : [{ literal, form: "plain" }];
}
