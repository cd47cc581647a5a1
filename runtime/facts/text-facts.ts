// One derived fact of one value: URL, path, e-mail, length, count, lower case.
import type { TextDerivation } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { readEmail } from "./email-facts.ts";
import { MAX_MATCH_INPUT } from "./matcher.ts";
import { readPath } from "./path-facts.ts";
import { readUrl } from "./url-facts.ts";

export type TextFactKind = TextDerivation["kind"];

/** A fact as Cedar JSON, or the refusal of a value that is too long to be judged. */
export type TextFact = { readonly ok: true; readonly fact: JsonValue } | { readonly ok: false };

const READERS: Readonly<Record<TextFactKind, (value: JsonValue | undefined) => JsonValue>> = {
  url: (value) => record(readUrl(textOf(value))),
  path: (value) => record(readPath(textOf(value))),
  email: (value) => record(readEmail(textOf(value))),
  length: (value) => codePoints(textOf(value)),
  count: (value) => (Array.isArray(value) ? value.length : 0),
  lower: (value) => textOf(value).toLowerCase(),
};

// These take the same time for every character of any text, and what they give is no longer than a number.
const UNBOUNDED: ReadonlySet<TextFactKind> = new Set(["length", "count"]);

/**
 * The fact of `value`; of what is absent or of another type, the fact of an empty text or list. Text of more than
 * `MAX_MATCH_INPUT` UTF-16 code units is refused, except for its length. Never throws.
 */
export function textFact(kind: TextFactKind, value: JsonValue | undefined): TextFact {
  if (typeof value === "string" && value.length > MAX_MATCH_INPUT && !UNBOUNDED.has(kind))
    return { ok: false };
  return { ok: true, fact: READERS[kind](value) };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function record(facts: object): JsonObject {
  return { ...facts } as JsonObject;
}

/** Unicode code points of a text. */
export function codePoints(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const isPair = code >= 0xd800 && code <= 0xdbff && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at += 1;
    count += 1;
  }
  return count;
}
