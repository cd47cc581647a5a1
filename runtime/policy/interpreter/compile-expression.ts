// Cedar expressions in JSON form (EST) to closures. No code is generated. A construct that the operator table does not
// have is unsupported: the whole slice then stays with cedar-wasm.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Evaluate, Frame } from "./frame.ts";
import { readPattern } from "./like.ts";
import { EvaluationError, longOfJson } from "./long.ts";
import type { OperatorTable } from "./operators.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue, RecordValue, SetValue } from "./values.ts";
import type { Value } from "./values.ts";

type Compile = (body: JsonValue, table: OperatorTable) => Evaluate;

const VARIABLES: Readonly<Record<string, Evaluate>> = {
  principal: (frame) => frame.principal,
  action: (frame) => frame.action,
  resource: (frame) => frame.resource,
  context: (frame) => frame.context,
};

const FORMS: Readonly<Record<string, Compile>> = {
  Value: (body, table) => constant(() => literal(body, table)),
  Var: (body) => {
    const variable = typeof body === "string" ? entry(VARIABLES, body) : undefined;
    if (variable === undefined) throw new UnsupportedConstruct("operator", "variable");
    return variable;
  },
  "&&": (body, table) => table.lazy["&&"](operand(body, "left", table), operand(body, "right", table)),
  "||": (body, table) => table.lazy["||"](operand(body, "left", table), operand(body, "right", table)),
  "if-then-else": (body, table) =>
    table.lazy["if-then-else"](
      operand(body, "if", table),
      operand(body, "then", table),
      operand(body, "else", table),
    ),
  ".": (body, table) => {
    const left = operand(body, "left", table);
    const name = text(member(body, "attr"));
    const apply = table.named["."];
    return (frame) => apply(left(frame), name, frame);
  },
  has: (body, table) => {
    const left = operand(body, "left", table);
    const attr = member(body, "attr");
    const path = Array.isArray(attr) ? (attr as readonly JsonValue[]).map(text) : [text(attr)];
    const apply = table.named.has;
    return (frame) => apply(left(frame), path, frame);
  },
  like: (body, table) => {
    const left = operand(body, "left", table);
    const pattern = readPattern(member(body, "pattern"));
    const apply = table.named.like;
    return (frame) => apply(left(frame), pattern);
  },
  is: (body, table) => compileIs(body, table),
  Set: (body, table) => {
    const items = list(body).map((item) => compileExpression(item, table));
    return folded(items, (frame) => new SetValue(items.map((item) => item(frame))));
  },
  Record: (body, table) => {
    if (!isJsonObject(body)) throw new UnsupportedConstruct("form", "Record");
    const members = Object.entries(body).map(
      ([name, value]) => [name, compileExpression(value, table)] as const,
    );
    return folded(
      members.map(([, evaluate]) => evaluate),
      (frame) => new RecordValue(new Map(members.map(([name, evaluate]) => [name, evaluate(frame)]))),
    );
  },
};

/** @throws {UnsupportedConstruct} for anything outside the table */
export function compileExpression(expression: JsonValue, table: OperatorTable): Evaluate {
  if (!isJsonObject(expression)) throw new UnsupportedConstruct("form", "not an expression");
  const [form, ...others] = Object.keys(expression);
  if (form === undefined || others.length > 0) throw new UnsupportedConstruct("form", "not an expression");
  const body = expression[form] as JsonValue;
  const compile = entry(FORMS, form);
  if (compile !== undefined) return compile(body, table);
  const unary = entry(table.unary, form);
  if (unary !== undefined) {
    const argument = operand(body, "arg", table);
    return folded([argument], (frame) => unary(argument(frame)));
  }
  const binary = entry(table.binary, form);
  if (binary !== undefined) {
    const [left, right] = [operand(body, "left", table), operand(body, "right", table)];
    return (frame) => binary(left(frame), right(frame), frame);
  }
  return compileCall(form, body, table);
}

/** A function of an extension type. Where the operands are constants it is applied now: constructors nearly always. */
function compileCall(name: string, body: JsonValue, table: OperatorTable): Evaluate {
  const called = entry(table.functions, name);
  if (called === undefined) throw new UnsupportedConstruct("operator", name);
  const operands = list(body).map((item) => compileExpression(item, table));
  const [first, second] = operands;
  if (first === undefined || operands.length !== called.arity) throw new UnsupportedConstruct("arity", name);
  if (called.arity === 1) return folded(operands, (frame) => called.apply(first(frame)));
  if (second === undefined) throw new UnsupportedConstruct("arity", name);
  return folded(operands, (frame) => called.apply(first(frame), second(frame)));
}

function compileIs(body: JsonValue, table: OperatorTable): Evaluate {
  const left = operand(body, "left", table);
  const type = text(member(body, "entity_type"));
  const apply = table.named.is;
  if (!isJsonObject(body) || body["in"] === undefined) return (frame) => apply(left(frame), type);
  const within = operand(body, "in", table);
  const isIn = table.binary["in"];
  if (isIn === undefined) throw new UnsupportedConstruct("operator", "in");
  return table.lazy["&&"](
    (frame) => apply(left(frame), type),
    (frame) => isIn(left(frame), within(frame), frame),
  );
}

// Constants are known by their closure, so that what is made of constants alone is computed once. A constant that
// cannot be computed errs when it is evaluated, not before: the policy may never come to it.
const constants = new WeakSet<Evaluate>();
const NOTHING = new EntityValue("", "");
const NO_FRAME: Frame = {
  principal: NOTHING,
  action: NOTHING,
  resource: NOTHING,
  context: new RecordValue(new Map()),
  entities: new Map(),
};

function constant(compute: () => Value): Evaluate {
  let evaluate: Evaluate;
  try {
    const value = compute();
    evaluate = () => value;
  } catch (fault) {
    if (!(fault instanceof EvaluationError)) throw fault;
    evaluate = () => {
      throw fault;
    };
  }
  constants.add(evaluate);
  return evaluate;
}

function folded(operands: readonly Evaluate[], evaluate: Evaluate): Evaluate {
  return operands.every((item) => constants.has(item)) ? constant(() => evaluate(NO_FRAME)) : evaluate;
}

/** The body of `Value`: Cedar JSON without a type. @throws {EvaluationError} for a malformed extension value */
function literal(json: JsonValue, table: OperatorTable): Value {
  if (typeof json === "string" || typeof json === "boolean") return json;
  if (typeof json === "number") {
    const long = longOfJson(json);
    if (long === undefined) throw new UnsupportedConstruct("literal", "number");
    return long;
  }
  if (Array.isArray(json))
    return new SetValue((json as readonly JsonValue[]).map((item) => literal(item, table)));
  if (!isJsonObject(json) || json["__expr"] !== undefined) throw new UnsupportedConstruct("literal");
  if (isEscape(json, "__entity")) return literalEntity(json["__entity"] ?? null);
  if (isEscape(json, "__extn")) return literalExtension(json["__extn"] ?? null, table);
  return new RecordValue(new Map(Object.entries(json).map(([name, value]) => [name, literal(value, table)])));
}

/** A record beside the escape makes it a record for cedar-wasm; whichever it is, it is not decided here. */
function isEscape(json: JsonObject, name: string): boolean {
  if (!Object.hasOwn(json, name)) return false;
  if (Object.keys(json).length > 1) throw new UnsupportedConstruct("literal", name);
  return true;
}

function literalEntity(json: JsonValue): EntityValue {
  const { type, id } = isJsonObject(json) ? json : {};
  if (typeof type !== "string" || typeof id !== "string") throw new UnsupportedConstruct("literal", "entity");
  return new EntityValue(type, id);
}

function literalExtension(json: JsonValue, table: OperatorTable): Value {
  const { fn, arg } = isJsonObject(json) ? json : {};
  const called = typeof fn === "string" ? entry(table.functions, fn) : undefined;
  if (called?.arity !== 1 || typeof arg !== "string") throw new UnsupportedConstruct("literal", "extension");
  return called.apply(arg);
}

function operand(body: JsonValue, name: string, table: OperatorTable): Evaluate {
  return compileExpression(member(body, name), table);
}

function entry<T>(entries: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

function member(body: JsonValue, name: string): JsonValue {
  const value = isJsonObject(body) && Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined) throw new UnsupportedConstruct("form", name);
  return value;
}

function text(value: JsonValue): string {
  if (typeof value !== "string") throw new UnsupportedConstruct("form", "name");
  return value;
}

function list(value: JsonValue): readonly JsonValue[] {
  if (!Array.isArray(value)) throw new UnsupportedConstruct("form", "list");
  return value as readonly JsonValue[];
}
