// Looks for poison in one text: characters nobody sees, then what the rules describe in the text as a model reads it.
import { dropLongMarkRuns } from "#std";
import { HIDDEN_RULES, LOOK_ALIKES, MAX_SCANNED_CHARS, MAX_TEXT_BYTES, TEXT_RULES } from "./poison-rules.ts";
import type { PoisonRule, PoisonSeverity } from "./poison-rules.ts";

export interface TextFinding {
  readonly rule: string;
  readonly severity: PoisonSeverity;
  /** Follows `the text …`. */
  readonly finds: string;
  /** A short piece of the text, every hidden character shown as `⟨U+200B⟩`. */
  readonly excerpt: string;
}

const EXCERPT_CHARS = 60;
const HIDDEN_CHARACTER = new RegExp(HIDDEN_RULES.map(({ pattern }) => pattern.source).join("|"), "gu");
/** A flag of a region, such as the one of Scotland, is a black flag and tags. */
const REGION_FLAG = /\u{1f3f4}[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{2,6}\u{e007f}/gu;
const EMOJI = /[\p{Extended_Pictographic}\p{Emoji_Modifier}]/u;
const KEYCAP = /[0-9#*]/u;
const JOINING_SCRIPT =
  /[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gujarati}\p{Script=Gurmukhi}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Oriya}\p{Script=Sinhala}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Mongolian}\p{Script=Syriac}]/u;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/u;
/** Too short for any rule; most strings of a schema are. */
const HARMLESS = /^[A-Za-z0-9_., -]{0,12}$/;
const WORD = /[\p{L}\p{M}\p{N}_]{2,}/gu;

function codePointLabel(character: string): string {
  return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Text in which every character without a mark of its own is shown by its number: `⟨U+200B⟩`. */
export function showCodePoints(text: string): string {
  return text.replace(HIDDEN_CHARACTER, codePointLabel);
}

/** True where a joiner, selector or mark does here what Unicode made it for. */
function isAtHome(text: string, index: number, character: string): boolean {
  const before =
    /.$/su.exec(text.slice(Math.max(0, index - 2), index).replace(/^[\udc00-\udfff]/u, ""))?.[0] ?? "";
  const after = String.fromCodePoint(text.codePointAt(index + character.length) ?? 0x20);
  switch (character) {
    case "\u200d":
      return (
        ((EMOJI.test(before) || before === "\ufe0f") && EMOJI.test(after)) ||
        (JOINING_SCRIPT.test(before) && (JOINING_SCRIPT.test(after) || after === " "))
      );
    case "\u200c":
      return JOINING_SCRIPT.test(before) && JOINING_SCRIPT.test(after);
    case "\ufe0f":
    case "\ufe0e":
      return EMOJI.test(before) || (KEYCAP.test(before) && after === "\u20e3");
    case "\u200e":
    case "\u200f":
    case "\u061c":
      return RIGHT_TO_LEFT.test(text);
    default:
      return false;
  }
}

function excerptAt(text: string, start: number, length: number): string {
  const from = Math.max(0, start - 16);
  const piece = text.slice(from, Math.max(from + EXCERPT_CHARS, start + Math.min(length, EXCERPT_CHARS)));
  const shown = showCodePoints(piece.replace(/\s+/gu, " ")).toWellFormed().trim();
  return `${from > 0 ? "…" : ""}${shown}${from + piece.length < text.length ? "…" : ""}`;
}

function found(rule: PoisonRule, text: string, start: number, length: number): TextFinding {
  const { id, severity, finds } = rule;
  return { rule: id, severity, finds, excerpt: excerptAt(text, start, length) };
}

function hiddenFindings(text: string): TextFinding[] {
  const findings = new Map<string, TextFinding>();
  const plain = text.replace(REGION_FLAG, (flag) => "\u{1f3f4}".padEnd(flag.length));
  for (const match of plain.matchAll(HIDDEN_CHARACTER)) {
    const [character] = match;
    if (isAtHome(plain, match.index, character)) continue;
    const rule = HIDDEN_RULES.find(({ pattern }) => pattern.test(character));
    if (rule !== undefined && !findings.has(rule.id))
      findings.set(rule.id, found(rule, text, match.index, character.length));
  }
  return [...findings.values()];
}

/** The text with look-alike letters as Latin ones. */
export function foldLookAlikes(text: string): string {
  return [...dropLongMarkRuns(text).normalize("NFKC")]
    .map((letter) => LOOK_ALIKES.get(letter) ?? letter)
    .join("");
}

/** The text as a model reads it. Words of one foreign script stay as they are: only mixed words are disguises. */
function asRead(text: string): string {
  return dropLongMarkRuns(text)
    .normalize("NFKC")
    .replace(HIDDEN_CHARACTER, "")
    .replace(WORD, (word) => (/[a-z]/iu.test(word) ? foldLookAlikes(word) : word))
    .replace(/[\u2018\u2019\u02bc]/gu, "'")
    .replace(/\s+/gu, " ")
    .toLowerCase();
}

function mixedScript(text: string): TextFinding | undefined {
  for (const match of text.matchAll(WORD)) {
    const [word] = match;
    const isMixed = /\p{Script=Latin}/u.test(word) && [...word].some((letter) => LOOK_ALIKES.has(letter));
    if (!isMixed || /^[\u0370-\u03ff]/u.test(word) || !/[\u{80}-\u{10ffff}]/u.test(word)) continue;
    const finds = "has a word that mixes letters of look-alike scripts";
    const shown = [...word].map((letter) =>
      LOOK_ALIKES.has(letter) ? letter + codePointLabel(letter) : letter,
    );
    return { rule: "mixed-script", severity: "high", finds, excerpt: shown.join("").slice(0, 120) };
  }
  return undefined;
}

/** What is suspicious about one text; each rule at most once. */
export function scanText(text: string): readonly TextFinding[] {
  if (HARMLESS.test(text)) return [];
  const findings: TextFinding[] = [];
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES) {
    const finds = `has ${String(bytes)} bytes, more than anyone reads`;
    findings.push({ rule: "over-long", severity: "high", finds, excerpt: excerptAt(text, 0, 0) });
  }
  const raw = text.slice(0, MAX_SCANNED_CHARS);
  findings.push(...hiddenFindings(raw));
  const mixed = mixedScript(raw);
  if (mixed !== undefined) findings.push(mixed);
  const read = asRead(raw);
  for (const rule of TEXT_RULES) {
    if (findings.some((finding) => finding.rule === rule.id)) continue;
    const subject = rule.on === "raw" ? raw : read;
    const match = rule.pattern.exec(subject);
    if (match === null || rule.except?.test(match[0]) === true) continue;
    findings.push(found(rule, subject, match.index, match[0].length));
  }
  return findings;
}
