// The pass over JSON text before JSON.parse: it bounds what JSON.parse may build and notices what it would lose.
import { AegisError } from "#errors";

/** Caps on one JSON document. */
export interface JsonLimits {
  /** UTF-8 length of the document. */
  readonly maxBytes: number;
  /** Nesting of objects and arrays; the outermost counts as 1. */
  readonly maxDepth: number;
  /** Members of all objects together. */
  readonly maxMembers: number;
  /** Members of one object. Time and memory of a large one grow faster than its size. */
  readonly maxObjectMembers?: number;
  /** Numbers that a double cannot carry. Each costs some hundred times what another number does. */
  readonly maxLossyNumbers?: number;
  /** Takes `constructor` and `prototype` as member names: tools have such parameters. `__proto__` is never one. */
  readonly allowsConstructor?: boolean;
}

/** What the scan learned. It is exact for every text that JSON.parse accepts; for any other text JSON.parse throws. */
export interface ScanResult {
  /** Members written in the text, duplicates included. */
  readonly members: number;
  /** A number stands in the text that would not survive JSON.parse followed by JSON.stringify. */
  readonly hasLossyNumber: boolean;
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_CLOSE = 0x5d;
const LOWER_E = 0x65;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/** Every decimal of up to 15 significant digits survives a double. */
const SAFE_DIGITS = 15;

/**
 * Counts depth and members, and looks at every number.
 * @throws {AegisError} JSON_INVALID (depth, unterminated string), MESSAGE_TOO_LARGE (members)
 */
export function scanJson(text: string, limits: JsonLimits): ScanResult {
  const length = text.length;
  const maxObjectMembers = limits.maxObjectMembers ?? Infinity;
  /** Members so far of the object that is open at each depth. */
  const ofObject: number[] = [];
  let depth = 0;
  let members = 0;
  let hasLossyNumber = false;
  let at = 0;
  while (at < length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
    } else if (code === MINUS || (code >= DIGIT_0 && code <= DIGIT_9)) {
      const end = skipNumber(text, at);
      hasLossyNumber ||= !survivesDouble(text, at, end);
      at = end;
    } else {
      if (code === COLON) {
        if (++members > limits.maxMembers)
          throw new AegisError("MESSAGE_TOO_LARGE", `more than ${limits.maxMembers} object members`);
        const ownMembers = (ofObject[depth] ?? 0) + 1;
        ofObject[depth] = ownMembers;
        if (ownMembers > maxObjectMembers)
          throw new AegisError("MESSAGE_TOO_LARGE", `an object with more than ${maxObjectMembers} members`);
      } else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
        if (++depth > limits.maxDepth)
          throw new AegisError("JSON_INVALID", `nested deeper than ${limits.maxDepth} at offset ${at}`);
        ofObject[depth] = 0;
      } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) {
        depth--;
      }
      at++;
    }
  }
  return { members, hasLossyNumber };
}

/** `open` is the offset of the opening quote; returns the offset after the closing one. */
function skipString(text: string, open: number): number {
  let quote = text.indexOf('"', open + 1);
  while (quote !== -1) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    const escaped = (quote - 1 - before) % 2 === 1;
    if (!escaped) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  throw new AegisError("JSON_INVALID", `unterminated string at offset ${open}`);
}

function skipNumber(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    const isNumberPart =
      (code >= DIGIT_0 && code <= DIGIT_9) ||
      code === DOT ||
      code === LOWER_E ||
      code === UPPER_E ||
      code === PLUS ||
      code === MINUS;
    if (!isNumberPart) return at;
    at++;
  }
}

/** Decides the common short numbers without a slice; the rest by comparison of decimals. */
function survivesDouble(text: string, start: number, end: number): boolean {
  if (end - start > SAFE_DIGITS) return isLosslessNumber(text.slice(start, end));
  let isZero = true;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === LOWER_E || code === UPPER_E) return isLosslessNumber(text.slice(start, end));
    if (code > DIGIT_0 && code <= DIGIT_9) isZero = false;
  }
  // JSON.stringify drops the sign of zero.
  return !(isZero && text.charCodeAt(start) === MINUS);
}

/**
 * True if JSON.stringify(JSON.parse(source)) denotes the same decimal as `source`.
 * `9007199254740993`, `1e400`, `10.0000000000000001` and `-0` are not; `1.0` and `1e2` are.
 */
export function isLosslessNumber(source: string): boolean {
  const value = Number(source);
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  const written = decimalOf(source);
  const kept = decimalOf(String(value));
  return (
    written !== undefined &&
    kept !== undefined &&
    written.digits === kept.digits &&
    written.exponent === kept.exponent
  );
}

/** The unique `digits × 10^exponent` with neither leading nor trailing zeros; sign is compared by the caller's double. */
function decimalOf(source: string): { digits: string; exponent: number } | undefined {
  const parts = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (parts === null) return undefined;
  const fraction = parts[2] ?? "";
  const unpadded = ((parts[1] ?? "") + fraction).replace(/^0+/, "");
  if (unpadded === "") return { digits: "", exponent: 0 };
  let end = unpadded.length;
  while (unpadded.charCodeAt(end - 1) === DIGIT_0) end--;
  return {
    digits: unpadded.slice(0, end),
    exponent: Number(parts[3] ?? "0") - fraction.length + (unpadded.length - end),
  };
}
