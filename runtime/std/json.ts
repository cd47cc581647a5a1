// JSON values as the gateway holds them after its one strict parse.

/**
 * A number that a double cannot carry without loss, kept as `JSON.rawJSON(source)`.
 * `JSON.stringify` writes its source text back unchanged. Test with `isRawNumber`.
 */
export interface RawNumber {
  readonly rawJSON: string;
}

export type JsonPrimitive = string | number | boolean | null;
export type JsonValue = JsonPrimitive | RawNumber | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

interface RawJsonApi {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}
// JSON.rawJSON / JSON.isRawJSON: ECMAScript proposal "JSON.parse source text access", in V8 since 11.4.
const rawJsonApi = JSON as unknown as RawJsonApi;

/** Makes a lossless number from its JSON source text, e.g. `"9007199254740993"`. */
export function rawNumber(source: string): RawNumber {
  return rawJsonApi.rawJSON(source);
}

export function isRawNumber(value: unknown): value is RawNumber {
  return rawJsonApi.isRawJSON(value);
}

/** True for a JSON object: not null, not an array, not a lossless number. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

/** Sets a member under a name from outside; `__proto__` becomes a member like any other. */
export function setMember<T>(object: Record<string, T>, name: string, value: T): void {
  if (name === "__proto__")
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}
