// Cedar expressions in JSON form to terms, with Cedar's order of evaluation and its errors.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { bodyOf, entityOf, open, operand } from "../cedar/est.ts";
import type { Expr } from "../cedar/est.ts";
import { ENCODINGS, termOf } from "./encodings.ts";
import type { EncodingTable } from "./encodings.ts";
import { extensionLiteral } from "./extension-literals.ts";
import { scalar } from "./symbolic-values.ts";
import type { Evaluated, SymbolicRecord, SymbolicValue, Truth } from "./symbolic-values.ts";
import { FALSE, OutsideFragment, TRUE, and, integer, ite, not, or, text } from "./terms.ts";
import type { Term } from "./terms.ts";
import type { World } from "./world.ts";

const CONSTRUCTORS: ReadonlySet<string> = new Set(["datetime", "decimal", "duration", "ip"]);

/** Encodes expressions of one side. */
export class ExpressionEncoder {
  readonly #world: World;
  readonly #table: EncodingTable;

  constructor(world: World, table: EncodingTable = ENCODINGS) {
    this.#world = world;
    this.#table = table;
  }

  /**
   * A condition. One that has no terms is an unknown: equal conditions of both sides are the same unknown, because an
   * expression is a function of the request.
   */
  condition(expr: Expr): Truth {
    try {
      const { value, fails } = this.#evaluate(expr);
      return { holds: termOf(value, "Bool"), fails };
    } catch (fault) {
      if (!(fault instanceof OutsideFragment)) throw fault;
      const { symbols, sideTag, abstracted } = this.#world;
      abstracted.add(fault.construct);
      const key = [sideTag, JSON.stringify(expr)];
      return {
        holds: symbols.unknown("Bool", "condition", ...key),
        fails: symbols.unknown("Bool", "condition fails", ...key),
      };
    }
  }

  #evaluate(expr: Expr): Evaluated {
    const [operator, body] = open(expr);
    switch (operator) {
      case "Value":
        return sure(literal(body));
      case "Var":
        return sure(this.#variable(body));
      case "&&":
      case "||":
        return this.#row(operator, bodyOf(expr));
      case "if-then-else":
        return this.#choice(bodyOf(expr));
      case ".":
        return this.#member(bodyOf(expr));
      case "has":
        return this.#has(bodyOf(expr));
      case "like":
        return this.#like(bodyOf(expr));
      case "is":
        return this.#is(bodyOf(expr));
      case "Set":
        return this.#set(body);
      case "Record":
        return this.#record(bodyOf(expr));
      default:
        return this.#apply(operator, body);
    }
  }

  #truth(expr: Expr): Truth {
    return this.condition(expr);
  }

  #variable(name: JsonValue): SymbolicValue {
    const { action, resource, context } = this.#world;
    switch (name) {
      case "principal":
        return { kind: "Entity", who: "principal" };
      case "action":
        return { kind: "Entity", who: "literal", type: action.type, id: action.id };
      case "resource":
        return { kind: "Entity", who: "literal", type: resource.type, id: resource.id };
      case "context":
        return context;
      default:
        throw new OutsideFragment("a variable");
    }
  }

  /** The right side is evaluated where the left one leaves it open. */
  #row(operator: "&&" | "||", body: JsonObject): Evaluated {
    const left = this.#truth(operand(body, "left"));
    const goesOn = operator === "&&" ? left.holds : not(left.holds);
    // What is never evaluated is never an error, and need not have terms.
    if (goesOn === FALSE) return { value: scalar("Bool", left.holds), fails: left.fails };
    const right = this.#truth(operand(body, "right"));
    return {
      value: scalar("Bool", this.#table.rows[operator](left.holds, right.holds)),
      fails: or(left.fails, and(goesOn, right.fails)),
    };
  }

  #choice(body: JsonObject): Evaluated {
    const test = this.#truth(operand(body, "if"));
    if (test.holds === TRUE) return also(test.fails, this.#evaluate(operand(body, "then")));
    if (test.holds === FALSE) return also(test.fails, this.#evaluate(operand(body, "else")));
    const [then, otherwise] = [this.#evaluate(operand(body, "then")), this.#evaluate(operand(body, "else"))];
    const fails = or(test.fails, ite(test.holds, then.fails, otherwise.fails));
    return { value: this.#either(test.holds, then.value, otherwise.value), fails };
  }

  #either(test: Term, then: SymbolicValue, otherwise: SymbolicValue): SymbolicValue {
    if (!("term" in then) || !("term" in otherwise) || then.kind !== otherwise.kind)
      throw new OutsideFragment(`if-then-else of ${then.kind === "Opaque" ? then.what : "this type"}`);
    return scalar(then.kind, this.#table.choice(test, then.term, otherwise.term));
  }

  #recordOf(value: SymbolicValue): SymbolicRecord {
    if (value.kind === "Record") return value;
    if (value.kind === "Entity") {
      const { principal, resource } = this.#world;
      if (value.who === "principal") return principal.attributes;
      if (value.type === resource.type && value.id === resource.id) return resource.attributes;
    }
    throw new OutsideFragment(value.kind === "Opaque" ? value.what : "a member of something without members");
  }

  #member(body: JsonObject): Evaluated {
    const { value, fails } = this.#evaluate(operand(body, "left"));
    const member = this.#recordOf(value).member(String(body["attr"]));
    if (member === undefined) throw new OutsideFragment("a member that the schema does not have");
    return { value: member.value, fails: or(fails, not(member.isPresent)) };
  }

  #has(body: JsonObject): Evaluated {
    const { value, fails } = this.#evaluate(operand(body, "left"));
    const attr = body["attr"];
    const path = Array.isArray(attr) ? (attr as readonly JsonValue[]).map(String) : [String(attr)];
    let current: SymbolicValue = value;
    let isPresent: Term = TRUE;
    for (const name of path) {
      const member = this.#recordOf(current).member(name);
      if (member === undefined) return { value: scalar("Bool", FALSE), fails };
      isPresent = and(isPresent, member.isPresent);
      current = member.value;
    }
    return { value: scalar("Bool", isPresent), fails };
  }

  #like(body: JsonObject): Evaluated {
    const { value, fails } = this.#evaluate(operand(body, "left"));
    const term = termOf(value, "String");
    return { value: scalar("Bool", this.#table.like(term, piecesOf(body["pattern"]))), fails };
  }

  #is(body: JsonObject): Evaluated {
    const { value, fails } = this.#evaluate(operand(body, "left"));
    if (value.kind !== "Entity") throw new OutsideFragment("`is` of something that is no entity");
    const type = value.who === "principal" ? this.#world.principal.type : value.type;
    if (type !== body["entity_type"]) return { value: scalar("Bool", FALSE), fails };
    if (body["in"] === undefined) return { value: scalar("Bool", TRUE), fails };
    return also(fails, this.#apply("in", { left: operand(body, "left"), right: operand(body, "in") }));
  }

  #set(body: JsonValue): Evaluated {
    const items = list(body).map((item) => this.#evaluate(item));
    return {
      value: { kind: "Set", members: items.map(({ value }) => value) },
      fails: or(...items.map(({ fails }) => fails)),
    };
  }

  #record(body: JsonObject): Evaluated {
    const members = new Map(Object.keys(body).map((name) => [name, this.#evaluate(operand(body, name))]));
    return {
      value: {
        kind: "Record",
        member: (name) => {
          const member = members.get(name);
          // The type of a record that is written out has nothing else.
          return member === undefined ? undefined : { isPresent: TRUE, value: member.value };
        },
      },
      fails: or(...[...members.values()].map(({ fails }) => fails)),
    };
  }

  #apply(operator: string, body: JsonValue): Evaluated {
    const operands = Array.isArray(body)
      ? list(body)
      : isJsonObject(body)
        ? ["left", "right", "arg"].flatMap((name) =>
            isJsonObject(body[name] ?? null) ? [operand(body, name)] : [],
          )
        : [];
    if (CONSTRUCTORS.has(operator)) return sure(constructed(operator, operands));
    const encoding = Object.hasOwn(this.#table.operators, operator)
      ? this.#table.operators[operator]
      : undefined;
    if (encoding === undefined) throw new OutsideFragment(operator);
    const values = operands.map((item) => this.#evaluate(item));
    return also(
      or(...values.map(({ fails }) => fails)),
      encoding(
        values.map(({ value }) => value),
        this.#world,
      ),
    );
  }
}

function sure(value: SymbolicValue): Evaluated {
  return { value, fails: FALSE };
}

function also(fails: Term, evaluated: Evaluated): Evaluated {
  return { value: evaluated.value, fails: or(fails, evaluated.fails) };
}

function constructed(operator: string, operands: readonly Expr[]): SymbolicValue {
  const value = operands[0]?.["Value"];
  if (operands.length !== 1 || typeof value !== "string")
    throw new OutsideFragment(`${operator} of something that is no literal`);
  return extensionLiteral(operator, value);
}

/** A literal of a policy. @throws {OutsideFragment} */
export function literal(json: JsonValue): SymbolicValue {
  if (typeof json === "boolean") return scalar("Bool", String(json));
  if (typeof json === "string") return scalar("String", text(json));
  if (typeof json === "number" && Number.isSafeInteger(json)) return scalar("Long", integer(json));
  if (Array.isArray(json))
    return { kind: "Set", members: (json as readonly JsonValue[]).map((item) => literal(item)) };
  if (!isJsonObject(json)) throw new OutsideFragment("this number");
  const entity = json["__entity"] === undefined ? undefined : entityOf(json);
  if (entity !== undefined) return { kind: "Entity", who: "literal", type: entity.type, id: entity.id };
  const extension = json["__extn"];
  if (extension !== undefined && isJsonObject(extension)) {
    const { fn, arg } = extension;
    if (typeof fn === "string" && typeof arg === "string") return extensionLiteral(fn, arg);
  }
  throw new OutsideFragment("this literal");
}

function list(body: JsonValue): readonly Expr[] {
  return Array.isArray(body) ? (body as readonly JsonValue[]).filter(isJsonObject) : [];
}

/** The literals between the wildcards of a pattern: one where there is no wildcard. */
function piecesOf(pattern: JsonValue | undefined): readonly string[] {
  const pieces: string[] = [""];
  for (const part of Array.isArray(pattern) ? (pattern as readonly JsonValue[]) : []) {
    if (part === "Wildcard") pieces.push("");
    else if (isJsonObject(part) && typeof part["Literal"] === "string")
      pieces.push((pieces.pop() ?? "") + part["Literal"]);
    else throw new OutsideFragment("this pattern");
  }
  return pieces;
}
