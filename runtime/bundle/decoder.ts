// Closed decoders for untrusted JSON: each names exactly the members it accepts and reports the path of what it
// refuses. The types force a decoder to cover every member of the type it yields.
import { TrustError } from "#errors";
import type { TrustCode } from "#errors";
import { closestName, isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { isDigest } from "./digest.ts";

/** Yields a `T` or throws a `DecodeFault` that names `at`. */
export type Decode<T> = (value: JsonValue | undefined, at: string) => T;

type RequiredKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];
type OptionalKeys<T> = Exclude<keyof T, RequiredKeys<T>>;
type RequiredFields<T> = { readonly [K in RequiredKeys<T>]: Decode<T[K]> };
type OptionalFields<T> = { readonly [K in OptionalKeys<T>]-?: Decode<Exclude<T[K], undefined>> };

/** What a decoder throws; `decodeWith` turns it into a TrustError with the code of the document. */
class DecodeFault extends Error {
  constructor(at: string, expected: string) {
    super(`${at}: ${expected}`);
    this.name = "DecodeFault";
  }
}

export function decodeFault(at: string, expected: string): Error {
  return new DecodeFault(at, expected);
}

/** Runs a decoder and reports every failure, whatever it is, as `code`. */
export function decodeWith<T>(
  decode: Decode<T>,
  value: JsonValue | undefined,
  at: string,
  code: TrustCode,
): T {
  try {
    return decode(value, at);
  } catch (error) {
    throw new TrustError(code, error instanceof Error ? error.message : at, { cause: error });
  }
}

export function closedObject<T>(required: RequiredFields<T>, optional: OptionalFields<T>): Decode<T> {
  const fields = new Map<string, Decode<unknown>>(Object.entries({ ...optional, ...required }));
  const requiredNames = Object.keys(required);
  return (value, at) => {
    const source = jsonObject(value, at);
    const decoded: Record<string, unknown> = {};
    for (const name of Object.keys(source)) {
      const decode = fields.get(name);
      if (decode === undefined) throw unknownMember(at, name, [...fields.keys()]);
      decoded[name] = decode(source[name], `${at}.${name}`);
    }
    for (const name of requiredNames) {
      if (!Object.hasOwn(source, name))
        throw new DecodeFault(at, `member ${JSON.stringify(name)} is missing`);
    }
    return decoded as T;
  };
}

/** Picks the decoder by the string member `tag`. */
export function taggedUnion<T>(tag: string, variants: Readonly<Record<string, Decode<T>>>): Decode<T> {
  const byTag = new Map(Object.entries(variants));
  return (value, at) => {
    const chosen = jsonObject(value, at)[tag];
    const decode = typeof chosen === "string" ? byTag.get(chosen) : undefined;
    if (decode === undefined)
      throw new DecodeFault(`${at}.${tag}`, `expected one of ${[...byTag.keys()].join(", ")}`);
    return decode(value, at);
  };
}

export function listOf<T>(decode: Decode<T>): Decode<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new DecodeFault(at, "expected an array");
    return value.map((item: JsonValue, index) => decode(item, `${at}[${String(index)}]`));
  };
}

/** An object whose member names are data. The result has no prototype: `constructor` and `__proto__` are plain names. */
export function mapOf<T>(
  decode: Decode<T>,
  decodeName: Decode<string> = text,
): Decode<Readonly<Record<string, T>>> {
  return (value, at) => {
    const source = jsonObject(value, at);
    const decoded = Object.create(null) as Record<string, T>;
    for (const name of Object.keys(source)) {
      const where = `${at}[${JSON.stringify(name)}]`;
      decodeName(name, where);
      decoded[name] = decode(source[name], where);
    }
    return decoded;
  };
}

export const jsonObject: Decode<JsonObject> = (value, at) => {
  if (!isJsonObject(value)) throw new DecodeFault(at, "expected an object");
  return value;
};

export const jsonValue: Decode<JsonValue> = (value, at) => {
  if (value === undefined) throw new DecodeFault(at, "expected a value");
  return value;
};

export const text: Decode<string> = (value, at) => {
  if (typeof value !== "string") throw new DecodeFault(at, "expected a string");
  return value;
};

export const nonEmptyText: Decode<string> = (value, at) => {
  if (typeof value !== "string" || value === "") throw new DecodeFault(at, "expected a non-empty string");
  return value;
};

export const boolean: Decode<boolean> = (value, at) => {
  if (typeof value !== "boolean") throw new DecodeFault(at, "expected a boolean");
  return value;
};

export const finiteNumber: Decode<number> = (value, at) => {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new DecodeFault(at, "expected a number");
  return value;
};

/** A whole number in `minimum … 2^53 - 1`. */
export function wholeNumber(minimum: number): Decode<number> {
  return (value, at) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < minimum) {
      throw new DecodeFault(at, `expected a whole number of at least ${String(minimum)}`);
    }
    return value;
  };
}

export const digest: Decode<string> = (value, at) => {
  if (!isDigest(value)) throw new DecodeFault(at, "expected a lower-case hex sha-256");
  return value;
};

export function oneOf<T extends string>(...choices: readonly T[]): Decode<T> {
  return (value, at) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new DecodeFault(at, `expected one of ${choices.join(", ")}`);
    return choice;
  };
}

function unknownMember(at: string, name: string, known: readonly string[]): DecodeFault {
  const nearest = closestName(name, known);
  const hint = nearest === undefined ? "" : `, did you mean ${JSON.stringify(nearest)}?`;
  return new DecodeFault(at, `unknown member ${JSON.stringify(name)}${hint}`);
}
