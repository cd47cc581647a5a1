// Folds what a leaf fixes into a policy: primitive, target, server, action, resource. Left to right only: `false && X`
// folds, `X && false` must not, because `X` may error and an error denies.
import { annotationsOf, methodOfAction, primitiveOf } from "#bundle";
import type { LeafEntry, ServerEntry } from "#bundle";
import { canonicalSpelling } from "#resources";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import {
  bodyOf,
  booleanLiteral,
  entityLiteral,
  FALSE,
  isVar,
  mapChildren,
  open,
  operand,
  pathOf,
  TRUE,
} from "./est.ts";
import type { Expr } from "./est.ts";

/** What is known about every request on one leaf before it arrives. */
export interface LeafFacts {
  readonly leaf: LeafEntry;
  readonly server: ServerEntry;
  /** Values of paths: `context.target`, `resource.tier`. */
  readonly constants: ReadonlyMap<string, JsonValue>;
  /** Derived facts whose input is a constant, by name under `context._m` or `context._d`. */
  readonly derived: ReadonlyMap<string, JsonValue>;
}

/** The facts of a leaf. The target of a resource template is the template, whatever URI is asked for. */
export function leafFacts(server: ServerEntry, leaf: LeafEntry): LeafFacts {
  const constants = new Map<string, JsonValue>([
    [pathKey(["context", "primitive"]), primitiveOf(leaf.kind)],
    [pathKey(["context", "target"]), leaf.name],
    [pathKey(["context", "server"]), server.id],
    [pathKey(["resource", "tier"]), server.tier],
    ...Object.entries(annotationsOf(leaf) ?? {}).map(
      ([name, value]) => [pathKey(["context", "annotations", name]), value as boolean] as const,
    ),
    // The one URI of a pinned resource; a template or rule covers many.
    ...(leaf.kind === "resource"
      ? [[pathKey(["context", "arguments", "uri"]), canonicalSpelling(leaf.name)] as const]
      : []),
  ]);
  return { leaf, server, constants, derived: new Map() };
}

/** Key of a path in `LeafFacts.constants`. */
export function pathKey(path: readonly string[]): string {
  return path.join("\0");
}

const ALWAYS_PRESENT: Readonly<Record<string, ReadonlySet<string>>> = {
  context: new Set(["primitive", "target", "server", "arguments", "extra", "_m", "_d"]),
  resource: new Set(["tier", "labels"]),
};

/**
 * Folds one expression. `booleanPlace`: a non-Boolean value would be an error here anyway, so that `true && X` may
 * become `X` whatever the type of `X`.
 */
export function fold(expr: Expr, facts: LeafFacts, booleanPlace: boolean): Expr {
  const [operator] = open(expr);
  switch (operator) {
    case "Value":
    case "Var":
      return expr;
    case ".":
      return foldPath(expr, facts);
    case "&&":
      return foldRow(expr, facts, booleanPlace, { absorbing: false, operator });
    case "||":
      return foldRow(expr, facts, booleanPlace, { absorbing: true, operator });
    case "if-then-else":
      return foldIf(expr, facts, booleanPlace);
    default:
      return foldAtom(
        mapChildren(expr, (child) => fold(child, facts, operator === "!")),
        facts,
      );
  }
}

function foldPath(expr: Expr, facts: LeafFacts): Expr {
  const path = pathOf(expr);
  if (path === undefined) return foldMember(expr, facts);
  const value = facts.constants.get(pathKey(path)) ?? derivedValue(path, facts);
  return value === undefined ? expr : constant(value);
}

/** True for what cannot err: Cedar evaluates every member of a record, also those that nobody reads. */
function isLiteral(expr: Expr): boolean {
  const [operator, body] = open(expr);
  if (operator === "Value") return true;
  if (operator === "Set") return Array.isArray(body) && (body as readonly Expr[]).every(isLiteral);
  if (operator !== "Record" || !isJsonObject(body)) return false;
  return Object.keys(body).every((name) => isLiteral(operand(body, name)));
}

/** A member of what is no path, such as of the branches that a derived record is written as. */
function foldMember(expr: Expr, facts: LeafFacts): Expr {
  const folded = mapChildren(expr, (child) => fold(child, facts, false));
  const { attr } = bodyOf(folded);
  const record = operand(bodyOf(folded), "left")["Record"];
  if (
    typeof attr === "string" &&
    record !== undefined &&
    isJsonObject(record) &&
    Object.hasOwn(record, attr) &&
    Object.keys(record).every((name) => name === attr || isLiteral(operand(record, name)))
  ) {
    return operand(record, attr);
  }
  return folded === expr || pathOf(folded) === undefined ? folded : foldPath(folded, facts);
}

function derivedValue(path: readonly string[], facts: LeafFacts): JsonValue | undefined {
  const [root, group, name = "", member, ...deeper] = path;
  if (root !== "context" || (group !== "_m" && group !== "_d") || deeper.length > 0) return undefined;
  const fact = facts.derived.get(name);
  if (fact === undefined || member === undefined) return fact;
  return isJsonObject(fact) && Object.hasOwn(fact, member) ? fact[member] : undefined;
}

/** A derived fact or other constant as an expression. */
function constant(value: JsonValue): Expr {
  if (Array.isArray(value)) return { Set: (value as readonly JsonValue[]).map(constant) };
  if (!isJsonObject(value)) return { Value: value };
  return { Record: Object.fromEntries(Object.entries(value).map(([name, item]) => [name, constant(item)])) };
}

interface Row {
  /** The value of the left side that decides the whole. */
  readonly absorbing: boolean;
  readonly operator: "&&" | "||";
}

function foldRow(expr: Expr, facts: LeafFacts, booleanPlace: boolean, row: Row): Expr {
  const body = bodyOf(expr);
  const leftBefore = operand(body, "left");
  const rightBefore = operand(body, "right");
  const left = fold(leftBefore, facts, true);
  const leftValue = booleanLiteral(left);
  if (leftValue === row.absorbing) return literal(row.absorbing);
  if (isDecided(left, row)) return left;
  const right = fold(rightBefore, facts, true);
  if (leftValue !== undefined && (booleanPlace || isBoolean(right))) return right;
  const rightValue = booleanLiteral(right);
  if (rightValue !== undefined && rightValue !== row.absorbing && (booleanPlace || isBoolean(left)))
    return left;
  if (left === leftBefore && right === rightBefore) return expr;
  return { [row.operator]: { left, right } };
}

/** True for `X && false`, which is false or an error: what follows it in the row is never evaluated. */
function isDecided(expr: Expr, row: Row): boolean {
  if (open(expr)[0] !== row.operator) return booleanLiteral(expr) === row.absorbing;
  return isDecided(operand(bodyOf(expr), "right"), row);
}

function foldIf(expr: Expr, facts: LeafFacts, booleanPlace: boolean): Expr {
  const body = bodyOf(expr);
  const condition = fold(operand(body, "if"), facts, true);
  const value = booleanLiteral(condition);
  if (value !== undefined) return fold(operand(body, value ? "then" : "else"), facts, booleanPlace);
  const then = fold(operand(body, "then"), facts, booleanPlace);
  const otherwise = fold(operand(body, "else"), facts, booleanPlace);
  const unchanged =
    condition === operand(body, "if") &&
    then === operand(body, "then") &&
    otherwise === operand(body, "else");
  return unchanged ? expr : { "if-then-else": { if: condition, then, else: otherwise } };
}

function literal(value: boolean): Expr {
  return value ? TRUE : FALSE;
}

const BOOLEAN_OPERATORS: ReadonlySet<string> = new Set([
  ...["==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "in", "has", "like", "is"],
  ...["contains", "containsAll", "containsAny", "isEmpty", "hasTag"],
]);

/** True where the expression yields a Boolean or errors, whatever its operands. */
function isBoolean(expr: Expr): boolean {
  const [operator] = open(expr);
  return BOOLEAN_OPERATORS.has(operator) || booleanLiteral(expr) !== undefined;
}

function foldAtom(expr: Expr, facts: LeafFacts): Expr {
  const [operator] = open(expr);
  const body = bodyOf(expr);
  switch (operator) {
    case "!": {
      const value = booleanLiteral(operand(body, "arg"));
      return value === undefined ? expr : literal(!value);
    }
    case "==":
    case "!=": {
      const equal = foldEquality(operand(body, "left"), operand(body, "right"), facts);
      return equal === undefined ? expr : literal(equal === (operator === "=="));
    }
    case "in":
      return optional(foldIn(operand(body, "left"), operand(body, "right"), facts), expr);
    case "is":
      return optional(foldIs(body, facts), expr);
    case "has":
      return optional(foldHas(body), expr);
    case "like":
      return optional(foldLike(body), expr);
    case "contains":
      return optional(foldContains(operand(body, "left"), operand(body, "right"), facts), expr);
    default:
      return expr;
  }
}

function optional(value: boolean | undefined, expr: Expr): Expr {
  return value === undefined ? expr : literal(value);
}

/** True where `id` is the leaf's own action or its method, which is the group of the leaf. */
function isActionOf(facts: LeafFacts, id: string): boolean {
  return id === facts.leaf.action || id === methodOfAction(facts.leaf.action);
}

function foldEquality(left: Expr, right: Expr, facts: LeafFacts): boolean | undefined {
  if (isVar(right, "action") || isVar(right, "resource")) return foldEquality(right, left, facts);
  const entity = entityLiteral(right);
  if (isVar(left, "action")) return entity?.type === "Action" ? isActionOf(facts, entity.id) : undefined;
  if (isVar(left, "resource")) return entity?.type === "Server" ? entity.id === facts.server.id : undefined;
  const a = scalar(left);
  const b = scalar(right);
  return a !== undefined && b !== undefined && typeof a === typeof b ? a === b : undefined;
}

function scalar(expr: Expr): string | number | boolean | undefined {
  const value = expr["Value"];
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : undefined;
}

function foldIn(left: Expr, right: Expr, facts: LeafFacts): boolean | undefined {
  if (!isVar(left, "action") && !isVar(left, "resource")) return undefined;
  const [operator, items] = open(right);
  if (operator !== "Set" || !Array.isArray(items)) return foldEquality(left, right, facts);
  const answers = (items as readonly Expr[]).map((item) => foldEquality(left, item, facts));
  return answers.includes(undefined) ? undefined : answers.includes(true);
}

function foldIs(body: JsonObject, facts: LeafFacts): boolean | undefined {
  if (!isVar(operand(body, "left"), "resource") || body["entity_type"] !== "Server") return undefined;
  return body["in"] === undefined ? true : foldIn(operand(body, "left"), operand(body, "in"), facts);
}

function foldHas(body: JsonObject): boolean | undefined {
  const variable = operand(body, "left")["Var"];
  const { attr } = body;
  const name = Array.isArray(attr) && attr.length === 1 ? (attr as readonly JsonValue[])[0] : attr;
  if (typeof variable !== "string" || typeof name !== "string") return undefined;
  return ALWAYS_PRESENT[variable]?.has(name) === true ? true : undefined;
}

function foldContains(left: Expr, right: Expr, facts: LeafFacts): boolean | undefined {
  if (isVar(right, "action") || isVar(right, "resource")) {
    return open(left)[0] === "Set" ? foldIn(right, left, facts) : undefined;
  }
  const wanted = scalar(right);
  if (wanted === undefined) return undefined;
  const path = pathOf(left);
  if (path !== undefined && pathKey(path) === LABELS_KEY && typeof wanted === "string") {
    return facts.server.labels.includes(wanted);
  }
  const [operator, items] = open(left);
  if (operator !== "Set" || !Array.isArray(items)) return undefined;
  const values = (items as readonly Expr[]).map(scalar);
  if (values.some((value) => typeof value !== typeof wanted)) return undefined;
  return values.includes(wanted);
}

const LABELS_KEY = pathKey(["resource", "labels"]);

function foldLike(body: JsonObject): boolean | undefined {
  const text = scalar(operand(body, "left"));
  const pattern = body["pattern"];
  if (typeof text !== "string" || !Array.isArray(pattern)) return undefined;
  return likeMatches([...text], pattern as readonly JsonValue[]);
}

/** Cedar's `like` on code points. Greedy with one backtrack point, hence quadratic at worst. */
function likeMatches(text: readonly string[], pattern: readonly JsonValue[]): boolean | undefined {
  const elements: string[] = [];
  for (const element of pattern) {
    if (element === "Wildcard") elements.push("");
    else {
      const value = (element as JsonObject)["Literal"];
      if (typeof value !== "string") return undefined;
      elements.push(...value);
    }
  }
  let at = 0;
  let element = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    const wanted = elements[element];
    if (wanted === "") {
      star = element++;
      retry = at;
    } else if (wanted !== undefined && wanted === text[at]) {
      at++;
      element++;
    } else if (star >= 0) {
      element = star + 1;
      at = ++retry;
    } else return false;
  }
  return elements.slice(element).every((rest) => rest === "");
}
