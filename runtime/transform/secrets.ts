// The values that one message had redacted, and their removal from every other place of it: verbatim, in other case
// or width, JSON-escaped, percent-encoded, or base64. Other encodings are not recognised.
import { isJsonObject, isRawNumber, normalizeStreamSafe } from "#std";
import type { JsonValue } from "#std";
import { parseJsonContainer } from "./json-text.ts";
import { NeedleSet } from "./needles.ts";
import type { Work } from "./work.ts";
import { TransformLimitError } from "./work.ts";

/** What a redacted string becomes. */
export const REDACTED = "[redacted]";
/** What text becomes that cannot be redacted because it is not JSON. */
export const REMOVED_TEXT = "[removed: not JSON, a redaction applies]";

const MIN_SECRET_LENGTH = 4;
/** Shorter numbers are counts and years; removing them everywhere would destroy the message. */
const MIN_NUMBER_LENGTH = 6;
/** Shorter strings have base64 forms that occur by chance. */
const MIN_BASE64_SECRET_LENGTH = 6;
const MAX_SECRETS = 20_000;
const MAX_DECODING_ROUNDS = 3;
const IDENTIFIER = /^[A-Za-z_$][\w$.-]*$/;
const ZERO_WIDTH = /[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/g;

/** Gathers what is redacted. */
export class SecretCollector {
  readonly values = new Set<string>();
  readonly #work: Work;
  /** Values replaced so far. */
  applied = 0;

  constructor(work: Work, known: Iterable<string> = []) {
    this.#work = work;
    for (const text of known) this.#addText(text, MIN_SECRET_LENGTH);
  }

  #addText(text: string, minLength: number): void {
    if (text.length < minLength || REDACTED.includes(text) || REMOVED_TEXT.includes(text)) return;
    if (this.values.size >= MAX_SECRETS) throw new TransformLimitError("too many redacted values");
    this.values.add(text);
  }

  /** Remembers a text as a whole, whatever JSON it holds. */
  collectText(text: string): void {
    this.#addText(text, MIN_SECRET_LENGTH);
  }

  /** Remembers every text and number within a value. */
  collect(value: JsonValue, depth: number): void {
    this.#work.visit(depth);
    if (typeof value === "string") {
      this.#addText(value, MIN_SECRET_LENGTH);
      const carried = parseJsonContainer(value);
      if (carried !== undefined) this.collect(carried, depth + 1);
    } else if (typeof value === "number") this.#addText(String(value), MIN_NUMBER_LENGTH);
    else if (isRawNumber(value)) this.#addText(value.rawJSON, MIN_NUMBER_LENGTH);
    else if (Array.isArray(value))
      for (const item of value as readonly JsonValue[]) this.collect(item, depth + 1);
    else if (isJsonObject(value)) {
      for (const [key, member] of Object.entries(value)) {
        // A key that is data, such as an address; names of members are not secret.
        if (!IDENTIFIER.test(key)) this.#addText(key, MIN_SECRET_LENGTH);
        this.collect(member, depth + 1);
      }
    }
  }
}

/** The text without width and case; undefined where it has too many combining marks to be normalised. */
function fold(text: string): string | undefined {
  return normalizeStreamSafe(text, "NFKC")?.replace(ZERO_WIDTH, "").toLowerCase();
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["f", "\f"],
]);

function unescapeJson(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|([^u]))/g,
    (_, code: string | undefined, simple: string | undefined) =>
      code === undefined
        ? (SIMPLE_ESCAPES.get(simple ?? "") ?? simple ?? "")
        : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

function decodePercent(text: string): string {
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"),
  );
}

function decoded(text: string): string {
  let current = text;
  for (let round = 0; round < MAX_DECODING_ROUNDS; round += 1) {
    let next = current.includes("\\") ? unescapeJson(current) : current;
    if (next.includes("%")) next = decodePercent(next);
    if (next === current) return current;
    current = next;
  }
  return current;
}

/** The base64 characters that `secret` has wherever it stands in a longer text: one run for each alignment. */
function base64Runs(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const start = [0, 2, 3][offset] ?? 0;
    const wholeBits = (offset + bytes.length) * 8;
    return encoded.slice(start, Math.floor(wholeBits / 6));
  });
}

/** Removes a set of secrets from strings, keys and numbers. */
export class Scrubber {
  readonly #verbatim: NeedleSet;
  readonly #folded: NeedleSet;
  readonly #base64: NeedleSet;
  readonly #numbers: ReadonlySet<string>;
  readonly #work: Work;

  constructor(secrets: ReadonlySet<string>, work: Work) {
    const long = [...secrets].filter((secret) => secret.length >= MIN_BASE64_SECRET_LENGTH);
    // A secret without a folded form stands only in text that has none either, and such text goes as a whole.
    const folded = [...secrets].map(fold).filter((secret) => secret !== undefined);
    this.#verbatim = new NeedleSet(secrets);
    this.#folded = new NeedleSet(new Set(folded.filter((secret) => secret.length >= MIN_SECRET_LENGTH)));
    this.#base64 = new NeedleSet(new Set(long.flatMap(base64Runs)));
    this.#numbers = new Set([...secrets].filter((secret) => /^-?\d/.test(secret)));
    this.#work = work;
  }

  get isIdle(): boolean {
    return this.#verbatim.isEmpty;
  }

  /** The text without any secret; all of it is replaced where a secret stands in it in another spelling. */
  text(text: string): string {
    if (this.isIdle || text.length < MIN_SECRET_LENGTH) return text;
    const scrubbed = this.#verbatim.replaceIn(text, REDACTED, this.#work);
    this.#work.read(scrubbed.length);
    const folded = fold(decoded(scrubbed));
    if (folded === undefined || this.#folded.occursIn(folded, this.#work)) return REDACTED;
    if (this.#base64.isEmpty || !/[\w+/-]{8}/.test(scrubbed)) return scrubbed;
    const standard = scrubbed.replaceAll("-", "+").replaceAll("_", "/");
    return this.#base64.occursIn(standard, this.#work) ? REDACTED : scrubbed;
  }

  isSecretNumber(source: string): boolean {
    return this.#numbers.has(source);
  }
}
