// Cedar values as the interpreter holds them, their equality, and how Cedar JSON becomes them.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** A Cedar evaluation error: the policy that raised it is neither satisfied nor unsatisfied. */
export class EvaluationError extends Error {}

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

/** Order and duplicates do not exist: members are kept by their canonical key. */
export class SetValue {
  readonly members: ReadonlyMap<string, Value>;
  constructor(members: Iterable<Value>) {
    const byKey = new Map<string, Value>();
    for (const member of members) byKey.set(keyOf(member), member);
    this.members = byKey;
  }
}

/** A record; members become values when they are read. */
export class RecordValue {
  readonly #source: ReadonlyMap<string, Value> | JsonObject;
  constructor(source: ReadonlyMap<string, Value> | JsonObject) {
    this.#source = source;
  }
  has(name: string): boolean {
    return this.#source instanceof Map ? this.#source.has(name) : Object.hasOwn(this.#source, name);
  }
  get(name: string): Value | undefined {
    if (this.#source instanceof Map) return this.#source.get(name) as Value | undefined;
    return Object.hasOwn(this.#source, name)
      ? valueOf((this.#source as JsonObject)[name] as JsonValue)
      : undefined;
  }
  names(): readonly string[] {
    return this.#source instanceof Map ? [...this.#source.keys()] : Object.keys(this.#source);
  }
}

/** Four decimal places, as a count of ten-thousandths. */
export class DecimalValue {
  readonly units: bigint;
  constructor(units: bigint) {
    this.units = units;
  }
}

/** A Long is a number while that is exact, else a bigint; `normalLong` keeps each integer in one form. */
export type Value = boolean | string | number | bigint | EntityValue | SetValue | RecordValue | DecimalValue;

const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;

/** @throws {EvaluationError} outside 64 bits */
export function normalLong(value: bigint): number | bigint {
  if (value < MIN_LONG || value > MAX_LONG) throw new EvaluationError("integer overflow");
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}

export function isLong(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

export function entityKey(type: string, id: string): string {
  return `${type}::${JSON.stringify(id)}`;
}

const DECIMAL = /^(-?)(\d+)\.(\d{1,4})$/u;

/** @throws {EvaluationError} for text that is not a Cedar decimal */
export function parseDecimal(text: string): DecimalValue {
  const match = DECIMAL.exec(text);
  if (match === null) throw new EvaluationError("not a decimal");
  const [, sign, whole, fraction] = match;
  const units = BigInt(whole ?? "0") * 10_000n + BigInt((fraction ?? "").padEnd(4, "0"));
  const signed = sign === "-" ? -units : units;
  if (signed < MIN_LONG || signed > MAX_LONG) throw new EvaluationError("decimal out of range");
  return new DecimalValue(signed);
}

/** Cedar JSON to a value. @throws {EvaluationError} for anything that is no Cedar value the interpreter knows */
export function valueOf(json: JsonValue): Value {
  if (typeof json === "string" || typeof json === "boolean") return json;
  if (typeof json === "number") {
    if (!Number.isSafeInteger(json)) throw new EvaluationError("not a Long");
    return json === 0 ? 0 : json;
  }
  if (Array.isArray(json)) return new SetValue(json.map((item: JsonValue) => valueOf(item)));
  if (!isJsonObject(json)) throw new EvaluationError("not a Cedar value");
  const entity = json["__entity"];
  if (isJsonObject(entity) && typeof entity["type"] === "string" && typeof entity["id"] === "string") {
    return new EntityValue(entity["type"], entity["id"]);
  }
  const extension = json["__extn"];
  if (isJsonObject(extension)) {
    if (extension["fn"] !== "decimal" || typeof extension["arg"] !== "string")
      throw new EvaluationError("unknown extension value");
    return parseDecimal(extension["arg"]);
  }
  return new RecordValue(json);
}

/** One text for each value, the same for equal values. */
export function keyOf(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return value ? "t" : "f";
    case "string":
      return JSON.stringify(value);
    case "number":
    case "bigint":
      return `n${String(value)}`;
    default:
      return keyOfObject(value);
  }
}

function keyOfObject(value: EntityValue | SetValue | RecordValue | DecimalValue): string {
  if (value instanceof EntityValue) return `e${value.key}`;
  if (value instanceof DecimalValue) return `d${String(value.units)}`;
  if (value instanceof SetValue) return `[${[...value.members.keys()].sort().join(",")}]`;
  const members = [...value.names()]
    .sort()
    .map((name) => `${JSON.stringify(name)}:${keyOf(value.get(name) as Value)}`);
  return `{${members.join(",")}}`;
}

/** Values of different types are unequal, never an error. */
export function equals(left: Value, right: Value): boolean {
  if (typeof left !== "object" || typeof right !== "object") return left === right;
  if (left === right) return true;
  if (left instanceof EntityValue) return right instanceof EntityValue && left.key === right.key;
  return keyOf(left) === keyOf(right);
}
