// Walks a whole outgoing message and removes redacted values from every string, key and number of it.
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { replaceSensitive } from "./detect-text.ts";
import { CarriedJson, Final, PROTOCOL_NAMES, Payload, isProtocolWord } from "./envelope.ts";
import type { Marked, MarkedObject } from "./envelope.ts";
import type { Scrubber } from "./secrets.ts";
import type { Work } from "./work.ts";

/** Chosen by the receiver of the message, who correlates by them. */
const CORRELATION_NAMES: ReadonlySet<string> = new Set(["id", "progressToken", "requestId"]);
const MAX_CORRELATION_DEPTH = 1;
/** Base64 of images, sound and documents: a detector would find chance matches in it and destroy it. */
const BYTES_NAMES: ReadonlySet<string> = new Set(["data", "blob"]);

interface Place {
  /** Members are the protocol's. */
  readonly isEnvelope: boolean;
  /** Text is searched by the detectors; that of the payload has been. */
  readonly isSearched: boolean;
}

export class MessageScrubber {
  readonly #scrubber: Scrubber;
  readonly #publicNames: ReadonlySet<string>;
  readonly #detectors: number;
  readonly #work: Work;
  #renamed = 1;

  /** `detectors`, as bits, search what is not payload. */
  constructor(scrubber: Scrubber, publicNames: ReadonlySet<string>, detectors: number, work: Work) {
    this.#scrubber = scrubber;
    this.#publicNames = publicNames;
    this.#detectors = detectors;
    this.#work = work;
  }

  /** Values that the detectors replaced. */
  found = 0;

  message(value: MarkedObject): JsonObject {
    return this.#object(value, { isEnvelope: true, isSearched: this.#detectors !== 0 }, 0);
  }

  #text(text: string, { isSearched }: Place): string {
    const scrubbed = this.#scrubber.text(text);
    if (!isSearched) return scrubbed;
    return replaceSensitive(scrubbed, this.#detectors, this.#work, () => (this.found += 1));
  }

  #value(value: Marked, place: Place, depth: number): JsonValue {
    this.#work.visit(depth);
    if (typeof value === "string") return this.#text(value, place);
    if (typeof value === "number") return this.#scrubber.isSecretNumber(String(value)) ? 0 : value;
    if (value instanceof Final) return value.value;
    if (value instanceof CarriedJson) {
      return JSON.stringify(this.#value(value.value, { isEnvelope: false, isSearched: false }, depth + 1));
    }
    if (value instanceof Payload) {
      const isSearched = value.isForeign && this.#detectors !== 0;
      return this.#value(value.value, { isEnvelope: false, isSearched }, depth + 1);
    }
    if (isRawNumber(value)) return this.#scrubber.isSecretNumber(value.rawJSON) ? 0 : value;
    if (Array.isArray(value))
      return (value as readonly Marked[]).map((item) => this.#value(item, place, depth + 1));
    return isJsonObject(value) ? this.#object(value, place, depth) : (value as JsonValue);
  }

  #object(object: MarkedObject, place: Place, depth: number): JsonObject {
    const result = Object.create(null) as Record<string, JsonValue>;
    for (const [key, value] of Object.entries(object)) {
      const name = this.#name(key, place, result);
      const isOwn = place.isEnvelope && isProtocolOwn(key, value, depth);
      const isBytes = place.isEnvelope && typeof value === "string" && BYTES_NAMES.has(key);
      const at = isBytes ? { ...place, isSearched: false } : place;
      result[name] = isOwn ? value : this.#value(value, at, depth + 1);
    }
    return result;
  }

  #name(key: string, place: Place, taken: JsonObject): string {
    if ((place.isEnvelope && PROTOCOL_NAMES.has(key)) || this.#publicNames.has(key)) return key;
    const name = this.#text(key, place);
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
