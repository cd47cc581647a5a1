// The one strict parse (bytes to JSON value). Everything the gateway decides on and forwards comes out of here.
import { AegisError, isAegisError } from "#errors";
import { isRawNumber, rawNumber } from "#std";
import type { JsonValue } from "#std";
import { isLosslessNumber, scanJson } from "./scan.ts";
import type { JsonLimits } from "./scan.ts";

/** Caps on what a client sends. */
export const CLIENT_JSON_LIMITS: JsonLimits = {
  maxBytes: 1_048_576,
  maxDepth: 32,
  maxMembers: 10_000,
  maxLossyNumbers: 1_000,
};
/** Caps on what an upstream answers; the size comes from the route (`maxResponseBytes`). */
export const UPSTREAM_JSON_LIMITS: JsonLimits = {
  maxBytes: 16_777_216,
  maxDepth: 64,
  maxMembers: 500_000,
  maxObjectMembers: 20_000,
  maxLossyNumbers: 50_000,
  allowsConstructor: true,
};

// ignoreBOM keeps a byte order mark in the text, so that it is refused and not swallowed.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Parses one JSON document from UTF-8 bytes. Refuses what parsers read differently: invalid UTF-8, a byte order mark,
 * duplicate member names (after unescaping), `__proto__` as a name, `constructor` and `prototype` unless the limits
 * allow them, lone surrogates, nesting and member counts over the limits, trailing data. A number that a double cannot carry becomes a `RawNumber`.
 * @throws {AegisError} JSON_INVALID, MESSAGE_TOO_LARGE
 */
export function parseStrict(bytes: Uint8Array, limits: JsonLimits = CLIENT_JSON_LIMITS): JsonValue {
  if (bytes.byteLength > limits.maxBytes) throw tooLarge(bytes.byteLength, limits);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new AegisError("JSON_INVALID", "not valid UTF-8", { cause });
  }
  return parseScanned(text, limits);
}

/**
 * `parseStrict` for text that was decoded elsewhere, such as the data of a server-sent event.
 * @throws {AegisError} JSON_INVALID, MESSAGE_TOO_LARGE
 */
export function parseStrictText(text: string, limits: JsonLimits = CLIENT_JSON_LIMITS): JsonValue {
  // A UTF-16 unit is at most three bytes of UTF-8, so a short text needs no count.
  if (text.length * 3 > limits.maxBytes) {
    const byteLength = Buffer.byteLength(text, "utf8");
    if (byteLength > limits.maxBytes) throw tooLarge(byteLength, limits);
  }
  if (!text.isWellFormed()) throw new AegisError("JSON_INVALID", "lone surrogate");
  return parseScanned(text, limits);
}

function tooLarge(byteLength: number, limits: JsonLimits): AegisError {
  return new AegisError("MESSAGE_TOO_LARGE", `${byteLength} bytes, limit ${limits.maxBytes}`);
}

function parseScanned(text: string, limits: JsonLimits): JsonValue {
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) throw new AegisError("JSON_INVALID", "byte order mark");
  const { members, hasLossyNumber } = scanJson(text, limits);
  let value: JsonValue;
  try {
    value = (
      hasLossyNumber ? JSON.parse(text, lossyNumberKeeper(limits.maxLossyNumbers)) : JSON.parse(text)
    ) as JsonValue;
  } catch (cause) {
    if (isAegisError(cause)) throw cause;
    // The parser's message quotes the input, which has no place in a log.
    throw new AegisError("JSON_INVALID", "not JSON", {
      cause: cause instanceof SyntaxError ? undefined : cause,
    });
  }
  // Only an escape can bring a lone surrogate into a text that is itself well formed.
  const kept = countMembers(value, {
    checkStrings: text.includes("\\u"),
    hasRawNumbers: hasLossyNumber,
    refused: limits.allowsConstructor === true ? PROTO : PROTOTYPE_NAMES,
  });
  if (kept !== members) throw new AegisError("JSON_INVALID", "duplicate member name");
  return value;
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

function lossyNumberKeeper(maxLossyNumbers = Infinity): Reviver {
  let kept = 0;
  return (_key, value, context) => {
    if (typeof value !== "number") return value;
    const source = context?.source;
    if (source === undefined) throw new AegisError("JSON_INVALID", "number without source text");
    // The common spelling, decided without taking the decimal apart.
    if (String(value) === source || isLosslessNumber(source)) return value;
    if (++kept > maxLossyNumbers)
      throw new AegisError(
        "MESSAGE_TOO_LARGE",
        `more than ${maxLossyNumbers} numbers that a double cannot carry`,
      );
    return rawNumber(source);
  };
}

const PROTO: ReadonlySet<string> = new Set(["__proto__"]);
/** Names through which code that is not careful reaches a prototype. */
const PROTOTYPE_NAMES: ReadonlySet<string> = new Set([...PROTO, "constructor", "prototype"]);

interface WalkFlags {
  readonly checkStrings: boolean;
  readonly hasRawNumbers: boolean;
  readonly refused: ReadonlySet<string>;
}

/**
 * Members in the parsed value. JSON.parse keeps one of several members with the same name, so fewer members than the
 * text has means a duplicate, by the parser's own idea of equality. Recursion is bounded by the scanned depth.
 */
function countMembers(value: JsonValue, flags: WalkFlags): number {
  if (typeof value === "string") {
    if (flags.checkStrings && !value.isWellFormed()) throw new AegisError("JSON_INVALID", "lone surrogate");
    return 0;
  }
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) {
      if (typeof item === "object" || flags.checkStrings) count += countMembers(item, flags);
    }
    return count;
  }
  if (flags.hasRawNumbers && isRawNumber(value)) return 0;
  const members = value as Readonly<Record<string, JsonValue>>;
  for (const name in members) {
    count++;
    if (flags.refused.has(name)) throw new AegisError("JSON_INVALID", `member name ${name} is not allowed`);
    const member = members[name];
    if (flags.checkStrings && !name.isWellFormed()) throw new AegisError("JSON_INVALID", "lone surrogate");
    if (member !== undefined && (typeof member === "object" || flags.checkStrings))
      count += countMembers(member, flags);
  }
  return count;
}
