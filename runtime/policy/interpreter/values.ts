// Cedar values as the interpreter holds them, their equality, and the type errors of reading one as another.
import type { DateTimeValue, DurationValue } from "./date-time.ts";
import type { DecimalValue } from "./decimal.ts";
import type { IpValue } from "./ip-address.ts";
import { EvaluationError } from "./long.ts";
import type { Long } from "./long.ts";

/** Extension values know their own key and are equal where their keys are. */
export type ExtensionValue = DecimalValue | IpValue | DateTimeValue | DurationValue;
export type Value = boolean | string | Long | EntityValue | SetValue | RecordValue | ExtensionValue;
type ObjectValue = Exclude<Value, boolean | string | Long>;

export class EntityValue {
  readonly type: string;
  readonly id: string;
  readonly key: string;
  constructor(type: string, id: string) {
    this.type = type;
    this.id = id;
    this.key = entityKey(type, id);
  }
}

/** Order and duplicates do not exist. Scalars stand for themselves, the rest by its key. */
export class SetValue {
  readonly #scalars = new Set<boolean | string | Long>();
  readonly #objects = new Map<string, ObjectValue>();
  constructor(members: Iterable<Value>) {
    for (const member of members) {
      if (typeof member === "object") this.#objects.set(keyOfObject(member), member);
      else this.#scalars.add(member);
    }
  }
  get size(): number {
    return this.#scalars.size + this.#objects.size;
  }
  has(value: Value): boolean {
    return typeof value === "object" ? this.#objects.has(keyOfObject(value)) : this.#scalars.has(value);
  }
  includes(other: SetValue): boolean {
    for (const scalar of other.#scalars) if (!this.#scalars.has(scalar)) return false;
    for (const key of other.#objects.keys()) if (!this.#objects.has(key)) return false;
    return true;
  }
  meets(other: SetValue): boolean {
    for (const scalar of other.#scalars) if (this.#scalars.has(scalar)) return true;
    for (const key of other.#objects.keys()) if (this.#objects.has(key)) return true;
    return false;
  }
  /** @throws {EvaluationError} where a member is no entity */
  entities(): readonly EntityValue[] {
    if (this.#scalars.size > 0) throw new EvaluationError("type error: expected entity");
    return [...this.#objects.values()].map(entityOf);
  }
  keys(): readonly string[] {
    return [...[...this.#scalars].map(keyOf), ...this.#objects.keys()];
  }
}

/** Where the members of a record come from; a record of the request reads a member when it is asked for. */
export interface RecordSource {
  readonly has: (name: string) => boolean;
  readonly get: (name: string) => Value | undefined;
  readonly keys: () => Iterable<string>;
}

export class RecordValue {
  readonly #source: RecordSource;
  constructor(source: RecordSource) {
    this.#source = source;
  }
  has(name: string): boolean {
    return this.#source.has(name);
  }
  get(name: string): Value | undefined {
    return this.#source.get(name);
  }
  names(): readonly string[] {
    return [...this.#source.keys()];
  }
}

export function entityKey(type: string, id: string): string {
  return `${type}::${JSON.stringify(id)}`;
}

/** One text for each value, the same for equal values and for no others. */
export function keyOf(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return value ? "t" : "f";
    case "string":
      return `s${String(value.length)}:${value}`;
    case "number":
    case "bigint":
      return `n${String(value)}`;
    default:
      return keyOfObject(value);
  }
}

function keyOfObject(value: ObjectValue): string {
  if (value instanceof EntityValue) return `e${value.key}`;
  if (value instanceof SetValue) return `[${[...value.keys()].sort().join(",")}]`;
  if (!(value instanceof RecordValue)) return value.key;
  const members = [...value.names()]
    .sort()
    .map((name) => `${keyOf(name)}=${keyOf(value.get(name) as Value)}`);
  return `{${members.join(",")}}`;
}

/** Values of different types are unequal, never an error. */
export function equals(left: Value, right: Value): boolean {
  if (typeof left !== "object" || typeof right !== "object") return left === right;
  if (left === right) return true;
  if (left instanceof EntityValue) return right instanceof EntityValue && left.key === right.key;
  if (left instanceof SetValue)
    return right instanceof SetValue && left.size === right.size && left.includes(right);
  return keyOfObject(left) === keyOfObject(right);
}

export function boolOf(value: Value): boolean {
  if (typeof value !== "boolean") throw new EvaluationError("type error: expected bool");
  return value;
}

export function textOf(value: Value): string {
  if (typeof value !== "string") throw new EvaluationError("type error: expected string");
  return value;
}

export function longOf(value: Value): Long {
  if (typeof value !== "number" && typeof value !== "bigint")
    throw new EvaluationError("type error: expected long");
  return value;
}

export function setOf(value: Value): SetValue {
  if (!(value instanceof SetValue)) throw new EvaluationError("type error: expected set");
  return value;
}

export function entityOf(value: Value): EntityValue {
  if (!(value instanceof EntityValue)) throw new EvaluationError("type error: expected entity");
  return value;
}
