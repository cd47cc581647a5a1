// Cedar expressions in JSON form (EST) to closures. No code is generated. A construct that is not in the tables below
// is unsupported: the whole slice then stays with cedar-wasm.
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import type { Evaluate, Frame } from "./frame.ts";
import { compileLike } from "./like.ts";
import { BINARY } from "./operators.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import {
  EntityValue,
  EvaluationError,
  RecordValue,
  SetValue,
  isLong,
  normalLong,
  parseDecimal,
  valueOf,
} from "./values.ts";
import type { Value } from "./values.ts";

type Compile = (body: JsonValue) => Evaluate;

const FORMS: Readonly<Record<string, Compile>> = {
  Value: (body) => {
    const value = valueOf(body);
    return () => value;
  },
  Var: (body) => compileVariable(body),
  "!": (body) => {
    const argument = compileExpression(member(body, "arg"));
    return (frame) => !bool(argument(frame));
  },
  neg: (body) => {
    const argument = compileExpression(member(body, "arg"));
    return (frame) => {
      const value = argument(frame);
      if (!isLong(value)) throw new EvaluationError("type error: expected long");
      return normalLong(-BigInt(value));
    };
  },
  "&&": (body) => {
    const left = compileExpression(member(body, "left"));
    const right = compileExpression(member(body, "right"));
    return (frame) => bool(left(frame)) && bool(right(frame));
  },
  "||": (body) => {
    const left = compileExpression(member(body, "left"));
    const right = compileExpression(member(body, "right"));
    return (frame) => bool(left(frame)) || bool(right(frame));
  },
  "if-then-else": (body) => {
    const test = compileExpression(member(body, "if"));
    const then = compileExpression(member(body, "then"));
    const otherwise = compileExpression(member(body, "else"));
    return (frame) => (bool(test(frame)) ? then(frame) : otherwise(frame));
  },
  ".": (body) => compileAttribute(compileExpression(member(body, "left")), text(member(body, "attr"))),
  has: (body) => compileHas(compileExpression(member(body, "left")), text(member(body, "attr"))),
  like: (body) => {
    const left = compileExpression(member(body, "left"));
    const matches = compileLike(member(body, "pattern"));
    return (frame) => {
      const value = left(frame);
      if (typeof value !== "string") throw new EvaluationError("type error: expected string");
      return matches(value);
    };
  },
  is: (body) => compileIs(body),
  isEmpty: (body) => {
    const argument = compileExpression(member(body, "arg"));
    return (frame) => {
      const value = argument(frame);
      if (!(value instanceof SetValue)) throw new EvaluationError("type error: expected set");
      return value.members.size === 0;
    };
  },
  Set: (body) => {
    const items = list(body).map(compileExpression);
    return (frame) => new SetValue(items.map((item) => item(frame)));
  },
  Record: (body) => {
    if (!isJsonObject(body)) throw new UnsupportedConstruct("Record");
    const members = Object.entries(body).map(([name, value]) => [name, compileExpression(value)] as const);
    return (frame) => new RecordValue(new Map(members.map(([name, evaluate]) => [name, evaluate(frame)])));
  },
  decimal: (body) => {
    const [argument, ...others] = list(body).map(compileExpression);
    if (argument === undefined || others.length > 0) throw new UnsupportedConstruct("decimal");
    return (frame) => {
      const value = argument(frame);
      if (typeof value !== "string") throw new EvaluationError("type error: expected string");
      return parseDecimal(value);
    };
  },
};

/** @throws {UnsupportedConstruct} for anything outside the tables */
export function compileExpression(expression: JsonValue): Evaluate {
  if (!isJsonObject(expression)) throw new UnsupportedConstruct("not an expression");
  const [form, ...others] = Object.keys(expression);
  if (form === undefined || others.length > 0) throw new UnsupportedConstruct("not an expression");
  const body = expression[form] as JsonValue;
  if (Object.hasOwn(FORMS, form)) return (FORMS[form] as Compile)(body);
  if (Object.hasOwn(BINARY, form)) {
    const apply = BINARY[form] as (left: Value, right: Value, frame: Frame) => Value;
    const [left, right] = Array.isArray(body)
      ? operands(body)
      : [compileExpression(member(body, "left")), compileExpression(member(body, "right"))];
    return (frame) => apply(left(frame), right(frame), frame);
  }
  throw new UnsupportedConstruct(form);
}

/** Method-style calls such as `lessThan` carry their operands as a list. */
function operands(body: readonly JsonValue[]): readonly [Evaluate, Evaluate] {
  const [left, right, ...others] = body.map(compileExpression);
  if (left === undefined || right === undefined || others.length > 0)
    throw new UnsupportedConstruct("operands");
  return [left, right];
}

function compileVariable(body: JsonValue): Evaluate {
  switch (body) {
    case "principal":
      return (frame) => frame.principal;
    // The groups of an action stand in the schema, which a frame does not hold; the compiler folds the action away.
    case "resource":
      return (frame) => frame.resource;
    case "context":
      return (frame) => frame.context;
    default:
      throw new UnsupportedConstruct("variable");
  }
}

function compileAttribute(left: Evaluate, name: string): Evaluate {
  return (frame) => {
    const target = left(frame);
    const value = readAttribute(target, name, frame);
    if (value === undefined) throw new EvaluationError(`attribute \`${name}\` is absent`);
    return value;
  };
}

function compileHas(left: Evaluate, name: string): Evaluate {
  return (frame) => {
    const target = left(frame);
    if (target instanceof RecordValue) return target.has(name);
    if (target instanceof EntityValue) return frame.entities.get(target.key)?.attributes.has(name) === true;
    throw new EvaluationError("type error: expected record or entity");
  };
}

function readAttribute(target: Value, name: string, frame: Frame): Value | undefined {
  if (target instanceof RecordValue) return target.get(name);
  if (target instanceof EntityValue) return frame.entities.get(target.key)?.attributes.get(name);
  throw new EvaluationError("type error: expected record or entity");
}

function compileIs(body: JsonValue): Evaluate {
  const left = compileExpression(member(body, "left"));
  const type = text(member(body, "entity_type"));
  const within = isJsonObject(body) && body["in"] !== undefined ? compileExpression(body["in"]) : undefined;
  const isIn = BINARY["in"];
  return (frame) => {
    const value = left(frame);
    if (!(value instanceof EntityValue)) throw new EvaluationError("type error: expected entity");
    if (value.type !== type) return false;
    return within === undefined || isIn === undefined ? true : isIn(value, within(frame), frame);
  };
}

export function bool(value: Value): boolean {
  if (typeof value !== "boolean") throw new EvaluationError("type error: expected bool");
  return value;
}

function member(body: JsonValue, name: string): JsonValue {
  const value = isJsonObject(body) && Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined) throw new UnsupportedConstruct(name);
  return value;
}

function text(value: JsonValue): string {
  if (typeof value !== "string") throw new UnsupportedConstruct("name");
  return value;
}

function list(value: JsonValue): readonly JsonValue[] {
  if (!Array.isArray(value)) throw new UnsupportedConstruct("list");
  return value as readonly JsonValue[];
}
