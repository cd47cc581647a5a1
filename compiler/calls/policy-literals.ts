// What the compiled policies of a leaf compare with: the values at which decisions turn.
import type { BundleContent, EntityRef, Slice } from "#bundle";
import { REQUEST_MEMBERS } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { bodyOf, childrenOf, entityLiteral, open, operand, pathOf, scopeEntities } from "../cedar/est.ts";
import type { Expr, PolicyEst } from "../cedar/est.ts";

export interface Comparison {
  /** e.g. `["context", "arguments", "amount"]`. */
  readonly path: readonly string[];
  readonly literal: string | number | boolean;
  /** `plain`: a literal, an element of a set on the other side, or a wildcard pattern's shortest match. */
  readonly form: "datetime" | "decimal" | "duration" | "ip" | "plain";
}

export interface PolicyLiterals {
  readonly comparisons: readonly Comparison[];
  readonly entities: readonly EntityRef[];
  /** Entity types that a policy tests with `is`. */
  readonly types: readonly string[];
  /** Facts about the request that are read, without `context`, e.g. `auth.mfa`; sorted. */
  readonly requestReads: readonly string[];
}

interface Found {
  readonly comparisons: Comparison[];
  readonly entities: EntityRef[];
  readonly types: Set<string>;
  readonly requestReads: Set<string>;
}

/** Every comparison, entity and fact about the request in the policies that decide one slice. */
export function literalsOf(content: BundleContent, slice: Slice): PolicyLiterals {
  const found: Found = { comparisons: [], entities: [], types: new Set(), requestReads: new Set() };
  for (const { residual } of slice.call) {
    const est = content.policies.residuals[residual] as unknown as PolicyEst | undefined;
    if (est === undefined) continue;
    found.entities.push(...scopeEntities(est.principal));
    noteType(est.principal, found);
    for (const { body } of est.conditions) visit(body, found);
  }
  for (const { path } of slice.derivations) noteRead(["context", ...path], found);
  const { comparisons, entities, types, requestReads } = found;
  return { comparisons, entities, types: [...types].sort(), requestReads: leavesOf(requestReads) };
}

function noteType(test: JsonObject, found: Found): void {
  const type = test["entity_type"];
  if (typeof type === "string") found.types.add(type);
}

function noteRead(path: readonly string[] | undefined, found: Found): void {
  const [root, member, ...rest] = path ?? [];
  if (root !== "context" || member === undefined) return;
  if ((REQUEST_MEMBERS as readonly string[]).includes(member)) {
    found.requestReads.add([member, ...rest].join("."));
  }
}

/** Without the records that only lead to another member. */
function leavesOf(paths: ReadonlySet<string>): readonly string[] {
  return [...paths].filter((path) => ![...paths].some((other) => other.startsWith(`${path}.`))).sort();
}

function visit(expr: Expr, found: Found): void {
  const entity = entityLiteral(expr);
  if (entity !== undefined) found.entities.push(entity);
  const [operator] = open(expr);
  const body = bodyOf(expr);
  if (operator === "is") noteType(body, found);
  noteRead(pathOf(expr), found);
  if (operator === "has" && typeof body["attr"] === "string") {
    const record = pathOf(operand(body, "left"));
    noteRead(record === undefined ? undefined : [...record, body["attr"]], found);
  }
  const children = childrenOf(expr);
  const paths = pathsOf(children);
  const literals = paths.length === 0 ? [] : children.flatMap(valuesOf).concat(likeLiterals(expr));
  for (const path of paths) for (const value of literals) found.comparisons.push({ path, ...value });
  for (const child of children) visit(child, found);
}

function pathsOf(children: readonly Expr[]): readonly (readonly string[])[] {
  return children.flatMap((child) => {
    const path = pathThrough(child);
    return path === undefined || path.length < 2 ? [] : [path];
  });
}

/**
 * The path that an expression is, or that one of Cedar's methods is asked of: `context.now.toTime()`. A derived fact is
 * read under a test of the argument that it is derived from: `if … then context._d.x else context._d.x`.
 */
function pathThrough(expr: Expr): readonly string[] | undefined {
  const path = pathOf(expr);
  if (open(expr)[0] === "if-then-else") return pathThrough(operand(bodyOf(expr), "then"));
  const [, body] = open(expr);
  if (path !== undefined || !Array.isArray(body)) return path;
  const [first] = childrenOf(expr);
  return first === undefined ? undefined : pathThrough(first);
}

type Literal = Omit<Comparison, "path">;

/** The literal that an expression is, or the literals of a set of them. */
function valuesOf(expr: Expr): readonly Literal[] {
  const [operator, body] = open(expr);
  if (operator === "Value") return scalar(body);
  if (operator === "Set") return childrenOf(expr).flatMap(valuesOf);
  switch (operator) {
    case "decimal":
      return inner(expr).map(({ literal }) => ({ literal: Number(literal), form: operator }));
    case "datetime":
    case "duration":
    case "ip":
      return inner(expr).map(({ literal }) => ({ literal, form: operator }));
    default:
      return [];
  }
}

function inner(expr: Expr): readonly Literal[] {
  return childrenOf(expr).flatMap(valuesOf);
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
