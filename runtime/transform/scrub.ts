// Walks a whole outgoing message and removes redacted values from every string, key and number of it.
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { CarriedJson, PROTOCOL_NAMES, Payload, isProtocolWord } from "./envelope.ts";
import type { Marked, MarkedObject } from "./envelope.ts";
import type { Scrubber } from "./secrets.ts";
import type { Work } from "./work.ts";

/** Chosen by the receiver of the message, who correlates by them. */
const CORRELATION_NAMES: ReadonlySet<string> = new Set(["id", "progressToken", "requestId"]);
const MAX_CORRELATION_DEPTH = 1;

export class MessageScrubber {
  readonly #scrubber: Scrubber;
  readonly #publicNames: ReadonlySet<string>;
  readonly #work: Work;
  #renamed = 1;

  constructor(scrubber: Scrubber, publicNames: ReadonlySet<string>, work: Work) {
    this.#scrubber = scrubber;
    this.#publicNames = publicNames;
    this.#work = work;
  }

  /** `envelope` is true while members are the protocol's. */
  message(value: MarkedObject): JsonObject {
    return this.#object(value, true, 0);
  }

  #value(value: Marked, envelope: boolean, depth: number): JsonValue {
    this.#work.visit(depth);
    if (value instanceof CarriedJson) return JSON.stringify(this.#value(value.value, false, depth + 1));
    if (value instanceof Payload) return this.#value(value.value, false, depth + 1);
    if (typeof value === "string") return this.#scrubber.text(value);
    if (typeof value === "number") return this.#scrubber.isSecretNumber(String(value)) ? 0 : value;
    if (isRawNumber(value)) return this.#scrubber.isSecretNumber(value.rawJSON) ? 0 : value;
    if (Array.isArray(value))
      return (value as readonly Marked[]).map((item) => this.#value(item, envelope, depth + 1));
    return isJsonObject(value) ? this.#object(value, envelope, depth) : (value as JsonValue);
  }

  #object(object: MarkedObject, envelope: boolean, depth: number): JsonObject {
    const result = Object.create(null) as Record<string, JsonValue>;
    for (const [key, value] of Object.entries(object)) {
      const name = this.#name(key, envelope, result);
      result[name] =
        envelope && isProtocolOwn(key, value, depth) ? value : this.#value(value, envelope, depth + 1);
    }
    return result;
  }

  #name(key: string, envelope: boolean, taken: JsonObject): string {
    if ((envelope && PROTOCOL_NAMES.has(key)) || this.#publicNames.has(key)) return key;
    const name = this.#scrubber.text(key);
    if (name === key || !Object.hasOwn(taken, name)) return name;
    this.#renamed += 1;
    return `${name} ${this.#renamed}`;
  }
}

function isProtocolOwn(key: string, value: Marked, depth: number): value is string | number {
  if (typeof value === "string" && isProtocolWord(key, value)) return true;
  const isScalar = typeof value === "string" || typeof value === "number";
  return isScalar && depth <= MAX_CORRELATION_DEPTH && CORRELATION_NAMES.has(key);
}
