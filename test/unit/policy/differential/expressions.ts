// Random Cedar expressions in JSON form, of a wanted type: mostly well typed, so that they get deep, and now and then not.
import type { JsonObject, JsonValue } from "#std";
import { LONGS, STRINGS } from "./literals.ts";
import type { Random } from "./random.ts";
import { ACTIONS, ENTITY_IDS, EXTENSIONS, TEXTS, badText, randomType } from "./types.ts";
import type { Attributes, ExtensionName, Model, Type } from "./types.ts";

/** Something a policy can read: how, and whether it has to be guarded. */
interface Path {
  readonly type: Type;
  readonly left: JsonObject;
  readonly attr: string;
  readonly required: boolean;
}

const UNITS: readonly string[] = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"];
/** What the units say of the durations in the pool, and next to it. */
/** Ranges that are the same network, addresses that are the same number, and neighbours of both. */
const LOOKALIKES: readonly (readonly [string, string])[] = [
  ["10.1.2.0/24", "10.1.2.3/24"],
  ["fe80::/64", "fe80::1/64"],
  ["::/0", "ff00::/0"],
  ["0.0.0.0/0", "10.1.2.3/0"],
  ["10.1.2.3", "10.1.2.3/32"],
  ["::a01:203", "10.1.2.3"],
  ["::ffff:a01:203", "10.1.2.3"],
  ["0.0.0.0/0", "::/0"],
  ["10.1.2.2/31", "10.1.2.3"],
];
/** Durations that are no whole number of units, below zero most of them. */
const FRACTIONS: readonly string[] = [
  "-1500ms",
  "-90s",
  "-90m",
  "-36h",
  "-1ms",
  "-1d2h3m4s5ms",
  "90m",
  "999ms",
];
const NEAR_COUNTS: readonly number[] = [-2, -1, 0, 1];
const SPAN_COUNTS: readonly number[] = [
  0, 1, -1, 2, -2, 60, -90, 24, -36, -35, 1000, 999, -1500, 86400, 93784, -93784, 1563, -1563, 26, -26,
];
const TAG_NAMES: readonly string[] = ["x", "y", "z"];
/** An operand of a wrong type: every operator must see some. */
const ILL_TYPED = 0.02;
const UNGUARDED = 0.2;

const literal = (json: JsonValue): JsonObject => ({ Value: json });
const variable = (name: string): JsonObject => ({ Var: name });
const attribute = (left: JsonObject, attr: string): JsonObject => ({ ".": { left, attr } });
const BOOL: Type = { kind: "Bool" };
const LONG: Type = { kind: "Long" };
const STRING: Type = { kind: "String" };
const extension = (name: ExtensionName): Type & { readonly name: ExtensionName } => ({
  kind: "Extension",
  name,
});

export class ExpressionMaker {
  readonly #random: Random;
  readonly #paths: ReadonlyMap<string, readonly Path[]>;

  constructor(random: Random, model: Model) {
    this.#random = random;
    const paths = new Map<string, Path[]>();
    const enter = (left: JsonObject, attributes: Attributes, depth: number): void => {
      for (const [attr, { type, required }] of attributes) {
        const known = paths.get(keyOf(type)) ?? [];
        paths.set(keyOf(type), [...known, { type, left, attr, required }]);
        const inner = attribute(left, attr);
        if (type.kind === "Record") enter(inner, type.attributes, depth);
        if (type.kind === "Entity" && depth > 0)
          enter(inner, model.entities.get(type.name)?.attributes ?? new Map(), depth - 1);
      }
    };
    enter(variable("context"), model.context, 1);
    for (const type of ["User", "Agent"])
      enter(variable("principal"), model.entities.get(type)?.attributes ?? new Map(), 1);
    enter(variable("resource"), model.entities.get("Server")?.attributes ?? new Map(), 1);
    this.#paths = paths;
  }

  make(wanted: Type, depth: number): JsonObject {
    const random = this.#random;
    const type = random.chance(ILL_TYPED) ? randomType(random, 1) : wanted;
    if (depth > 0 && random.chance(0.1))
      return {
        "if-then-else": {
          if: this.make(BOOL, depth - 1),
          then: this.make(type, depth - 1),
          else: this.make(type, depth - 1),
        },
      };
    if (random.chance(depth > 0 ? 0.25 : 0.5)) {
      const path = this.#read(type);
      if (path !== undefined) return path;
    }
    if (depth > 0 && random.chance(0.04)) return this.#getTag(depth);
    return this.#makeOf(type, depth);
  }

  /** One operator on operands that are literals or paths. */
  probe(): JsonObject {
    const random = this.#random;
    const leaf = (type: Type): JsonObject =>
      random.chance(0.25) ? (this.#read(type) ?? this.#makeOf(type, 0)) : this.#makeOf(type, 0);
    const [at, span, ip] = [extension("datetime"), extension("duration"), extension("ipaddr")];
    const compared = (left: JsonObject, type: Type): JsonObject => ({
      [random.pick(["==", "<", "<=", ">", ">="])]: { left, right: leaf(type) },
    });
    switch (random.below(20)) {
      case 0: {
        const unit = random.pick(UNITS);
        return {
          [random.pick(["==", "<=", ">="])]: {
            left: {
              [unit]: [random.chance(0.5) ? { duration: [literal(random.pick(FRACTIONS))] } : leaf(span)],
            },
            right: literal(random.pick(random.chance(0.7) ? NEAR_COUNTS : SPAN_COUNTS)),
          },
        };
      }
      case 1:
        return compared({ toDate: [leaf(at)] }, at);
      case 2:
        return compared({ toTime: [leaf(at)] }, span);
      case 3:
        return compared({ offset: [leaf(at), leaf(span)] }, at);
      case 4:
        return compared({ durationSince: [leaf(at), leaf(at)] }, span);
      case 5:
      case 6: {
        const method = random.pick([
          "isIpv4",
          "isIpv6",
          "isLoopback",
          "isMulticast",
          "isInRange",
          "isInRange",
          "isInRange",
        ]);
        return { [method]: method === "isInRange" ? [leaf(ip), leaf(ip)] : [leaf(ip)] };
      }
      case 7: {
        const type = extension(random.pick(EXTENSIONS));
        return { [random.pick(["==", "!="])]: { left: this.#constructed(type), right: leaf(type) } };
      }
      case 8: {
        const type = random.pick([LONG, at, span]);
        const other = random.chance(0.3) ? random.pick([LONG, at, span, extension("decimal"), STRING]) : type;
        const left = leaf(random.chance(0.15) ? other : type);
        return { [random.pick(["<", "<=", ">", ">="])]: { left, right: leaf(other) } };
      }
      case 9: {
        if (random.chance(0.1)) {
          // Doubles have a zero of either sign.
          const product: JsonObject = { "*": { left: literal(0), right: literal(random.pick(LONGS)) } };
          return { [random.pick(["==", "!=", ">="])]: { left: product, right: literal(0) } };
        }
        const sum: JsonObject = {
          [random.pick(["+", "-", "*"])]: { left: this.#edge(), right: this.#edge() },
        };
        return { [random.pick(["==", "<", "<=", ">", ">="])]: { left: sum, right: this.#edge() } };
      }
      case 10:
        return this.#set(0);
      case 11:
        return this.#equality(0);
      case 12:
        return this.#like(0);
      case 13:
        return this.#hierarchy(0);
      case 14:
        return this.#bool(1);
      case 15:
        return this.#overlap();
      case 16:
        return this.#neighbours();
      case 17: {
        const [left, right] = random.pick(LOOKALIKES);
        const [a, b] = random.chance(0.5) ? [left, right] : [right, left];
        const [first, second] = [{ ip: [literal(a)] }, { ip: [literal(b)] }];
        return random.chance(0.7) ? { "==": { left: first, right: second } } : { isInRange: [first, second] };
      }
      case 18: {
        const decimal = extension("decimal");
        const [left, right] = random.pick([
          [STRING, STRING],
          [decimal, decimal],
          [at, span],
          [span, at],
          [LONG, span],
        ] as const);
        return {
          [random.pick(["<", "<=", ">", ">="])]: {
            left: this.#makeOf(left, 0),
            right: this.#makeOf(right, 0),
          },
        };
      }
      default:
        return random.chance(0.5)
          ? this.#call(0)
          : { "==": { left: this.#getTag(1), right: literal(random.pick(LONGS)) } };
    }
  }

  /** A text against a pattern of its own beginning and end, which may overlap. */
  #overlap(): JsonObject {
    const text = [...this.#random.pick(STRINGS)];
    const head = text.slice(0, this.#random.below(text.length + 1)).join("");
    const tail = text.slice(this.#random.below(text.length + 1)).join("");
    const pattern = [{ Literal: head }, "Wildcard", { Literal: tail }];
    return { like: { left: literal(text.join("")), pattern } };
  }

  /** Two numbers next to each other, far from zero, or a Boolean operator whose right side is none. */
  #neighbours(): JsonObject {
    const random = this.#random;
    if (random.chance(0.3)) {
      const left = {
        [random.pick(["&&", "||"])]: {
          left: literal(random.chance(0.5)),
          right: literal(random.pick([0, 1])),
        },
      };
      return { [random.pick(["==", "!="])]: { left, right: literal(random.pick([0, 1])) } };
    }
    const base = edgeLong(random);
    const near = (): JsonObject => ({
      [random.pick(["+", "-"])]: { left: base, right: literal(random.below(3)) },
    });
    return { [random.pick(["==", "!=", "<", "<="])]: { left: near(), right: near() } };
  }

  #edge(): JsonObject {
    return this.#random.chance(0.5) ? edgeLong(this.#random) : literal(this.#random.pick(LONGS));
  }

  #constructed({ name }: { readonly name: ExtensionName }): JsonObject {
    const { fn, good } = TEXTS[name];
    return {
      [fn]: [literal(this.#random.chance(0.7) ? badText(this.#random, name) : this.#random.pick(good))],
    };
  }

  #makeOf(type: Type, depth: number): JsonObject {
    switch (type.kind) {
      case "Bool":
        return depth > 0 ? this.#bool(depth - 1) : literal(this.#random.chance(0.5));
      case "Long":
        return depth > 0 && this.#random.chance(0.6)
          ? this.#long(depth - 1)
          : literal(this.#random.pick(LONGS));
      case "String":
        return literal(this.#random.pick(STRINGS));
      case "Extension":
        return this.#extension(type.name, depth);
      case "Entity":
        return this.#entity(type.name);
      case "Set": {
        const items = this.#random.list(this.#random.below(4), () => this.make(type.element, depth - 1));
        return { Set: items };
      }
      case "Record":
        return {
          Record: Object.fromEntries(
            [...type.attributes].map(([name, own]) => [name, this.make(own.type, depth - 1)]),
          ),
        };
    }
  }

  /** A path of the type, guarded where it may be absent; undefined where there is none. */
  #read(type: Type): JsonObject | undefined {
    const paths = this.#paths.get(keyOf(type)) ?? [];
    if (paths.length === 0) return undefined;
    const { left, attr, required } = this.#random.pick(paths);
    const value = attribute(left, attr);
    if (required || this.#random.chance(UNGUARDED)) return value;
    return { "if-then-else": { if: { has: { left, attr } }, then: value, else: this.#makeOf(type, 0) } };
  }

  #bool(depth: number): JsonObject {
    const random = this.#random;
    const choice = random.below(20);
    if (choice < 1) return { "!": { arg: this.make(BOOL, depth) } };
    if (choice < 5)
      return { [random.pick(["&&", "||"])]: { left: this.make(BOOL, depth), right: this.make(BOOL, depth) } };
    if (choice < 8) return this.#equality(depth);
    if (choice < 11) return this.#order(depth);
    if (choice < 13) return this.#set(depth);
    if (choice < 15) return this.#call(depth);
    if (choice < 16) return this.#like(depth);
    if (choice < 18) return this.#hierarchy(depth);
    return random.chance(0.75)
      ? this.#has()
      : { hasTag: { left: this.#entity(), right: this.#tagName(depth) } };
  }

  #equality(depth: number): JsonObject {
    const type = randomType(this.#random, 1);
    const other = this.#random.chance(0.1) ? randomType(this.#random, 1) : type;
    const left = this.make(type, depth);
    const right = this.#random.chance(0.15) ? left : this.make(other, depth);
    return { [this.#random.pick(["==", "!="])]: { left, right } };
  }

  #order(depth: number): JsonObject {
    const type = this.#random.pick([LONG, extension("datetime"), extension("duration")]);
    const left = this.make(type, depth);
    const right = this.#random.chance(0.15) ? left : this.make(type, depth);
    return { [this.#random.pick(["<", "<=", ">", ">="])]: { left, right } };
  }

  #set(depth: number): JsonObject {
    const element = randomType(this.#random, 1);
    const set: Type = { kind: "Set", element };
    const operator = this.#random.pick(["contains", "containsAll", "containsAny", "isEmpty"]);
    const left = this.make(set, depth);
    if (operator === "isEmpty") return { isEmpty: { arg: left } };
    return { [operator]: { left, right: this.make(operator === "contains" ? element : set, depth) } };
  }

  #call(depth: number): JsonObject {
    const decimal = (): JsonObject => this.make(extension("decimal"), depth);
    const ip = (): JsonObject => this.make(extension("ipaddr"), depth);
    const method = this.#random.pick([
      "lessThan",
      "lessThanOrEqual",
      "greaterThan",
      "greaterThanOrEqual",
      "isIpv4",
      "isIpv6",
      "isLoopback",
      "isMulticast",
      "isInRange",
      "isInRange",
      "isInRange",
    ]);
    if (method === "isInRange") return { [method]: [ip(), ip()] };
    if (method.startsWith("is")) return { [method]: [ip()] };
    const left = decimal();
    return { [method]: [left, this.#random.chance(0.2) ? left : decimal()] };
  }

  #like(depth: number): JsonObject {
    const random = this.#random;
    const pattern = random.list(random.below(5), () =>
      random.chance(0.5) ? "Wildcard" : { Literal: random.pick(["a", "b", "ab", "*", "é", "👍"]) },
    );
    return { like: { left: this.make(STRING, depth), pattern } };
  }

  #hierarchy(depth: number): JsonObject {
    const random = this.#random;
    const left = random.chance(0.05) ? this.make(LONG, depth) : this.#entity();
    const type = random.pick(["User", "Agent", "Role", "Group", "Tenant", "Server", "Action", "Color"]);
    const right = random.chance(0.5)
      ? this.#entity()
      : { Set: random.list(random.below(4), () => (random.chance(0.05) ? literal(1) : this.#entity())) };
    if (random.chance(0.6))
      return { in: { left, right: random.chance(ILL_TYPED) ? this.make(LONG, depth) : right } };
    return { is: { left, entity_type: type, ...(random.chance(0.5) ? { in: right } : {}) } };
  }

  #has(): JsonObject {
    const random = this.#random;
    const path = this.#anyPath();
    const names = [path.attr, random.pick(["a", "b", "tokenAge", "absent"])];
    const left = random.chance(0.2) ? this.#entity() : path.left;
    const choice = random.below(4);
    return {
      has: {
        left,
        attr:
          choice === 0 ? names : choice === 1 ? [path.attr] : choice === 2 ? path.attr : random.pick(names),
      },
    };
  }

  #anyPath(): Path {
    return this.#random.pick(this.#random.pick([...this.#paths.values()]));
  }

  #getTag(depth: number): JsonObject {
    const left = this.#entity();
    const right = this.#tagName(depth - 1);
    const value: JsonObject = { getTag: { left, right } };
    if (this.#random.chance(UNGUARDED)) return value;
    return { "if-then-else": { if: { hasTag: { left, right } }, then: value, else: literal(1) } };
  }

  #tagName(depth: number): JsonObject {
    return this.#random.chance(0.85) ? literal(this.#random.pick(TAG_NAMES)) : this.make(STRING, depth);
  }

  #long(depth: number): JsonObject {
    const random = this.#random;
    const choice = random.below(12);
    if (choice < 1) return { neg: { arg: this.make(LONG, depth) } };
    if (choice < 6)
      return {
        [random.pick(["+", "-", "*"])]: { left: this.make(LONG, depth), right: this.make(LONG, depth) },
      };
    if (choice < 8) return edgeLong(random);
    const unit = random.pick(["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]);
    return { [unit]: [this.make(extension("duration"), depth)] };
  }

  #extension(name: ExtensionName, depth: number): JsonObject {
    const random = this.#random;
    if (depth > 0 && random.chance(0.5)) {
      if (name === "datetime") {
        const at = this.make(extension("datetime"), depth - 1);
        return random.chance(0.5)
          ? { offset: [at, this.make(extension("duration"), depth - 1)] }
          : { toDate: [at] };
      }
      if (name === "duration") {
        const at = this.make(extension("datetime"), depth - 1);
        return random.chance(0.5)
          ? { durationSince: [at, this.make(extension("datetime"), depth - 1)] }
          : { toTime: [at] };
      }
    }
    const { fn, good } = TEXTS[name];
    if (random.chance(0.03)) return { [fn]: [this.make(STRING, depth - 1)] };
    const text = random.chance(0.04) ? badText(random, name) : random.pick(good);
    return random.chance(0.1) ? literal({ __extn: { fn, arg: text } }) : { [fn]: [literal(text)] };
  }

  #entity(type?: string): JsonObject {
    const random = this.#random;
    if (random.chance(0.3)) return variable(random.pick(["principal", "action", "resource"]));
    const wanted = type ?? random.pick([...Object.keys(ENTITY_IDS), "Action"]);
    const path = random.chance(0.3) ? this.#read({ kind: "Entity", name: wanted }) : undefined;
    return path ?? literal({ __entity: { type: wanted, id: random.pick(ENTITY_IDS[wanted] ?? ACTIONS) } });
  }
}

/** Two types meet where their paths can stand for each other. */
function keyOf(type: Type): string {
  switch (type.kind) {
    case "Extension":
    case "Entity":
      return `${type.kind} ${type.name}`;
    case "Set":
      return `Set ${keyOf(type.element)}`;
    default:
      return type.kind;
  }
}

/** Expressions around ±2^63; a literal cannot be one, since JSON numbers of JavaScript are not exact there. */
function edgeLong(random: Random): JsonObject {
  const product: JsonObject = { "*": { left: literal(9007199254740991), right: literal(1024) } };
  const top: JsonObject = { "+": { left: product, right: literal(1023) } };
  const bottom: JsonObject = { "-": { left: { neg: { arg: top } }, right: literal(1) } };
  const past: JsonObject = literal(random.pick([2 ** 62, -(2 ** 62), 2 ** 53, -(2 ** 53) - 2]));
  return random.pick([
    product,
    top,
    bottom,
    past,
    { neg: { arg: bottom } },
    { "+": { left: top, right: literal(1) } },
  ]);
}

/** Used by the generator of policies for what stands in a scope. */
export function randomUid(
  random: Random,
  types: readonly string[],
): { readonly type: string; readonly id: string } {
  const type = random.pick(types);
  return { type, id: random.pick(ENTITY_IDS[type] ?? ACTIONS) };
}
