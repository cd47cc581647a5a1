// Looks for poison in every string of a pin: names, descriptions, schemas with their property names, enums and defaults,
// annotations, icons, metadata, and what the server says about itself.
import { isJsonObject, isRawNumber } from "#std";
import type { Era, EraEntry, PinnedKind } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { definitionLabel } from "../documents/pin-file.ts";
import { MAX_SCANNED_CHARS } from "./poison-rules.ts";
import type { PoisonSeverity } from "./poison-rules.ts";
import { foldLookAlikes, scanText, showCodePoints } from "./scan-text.ts";

export interface PinFinding {
  readonly rule: string;
  readonly severity: PoisonSeverity;
  /** `tool sql.query`, or `server legacy` for the announcement of an era. */
  readonly subject: string;
  /** JSON pointer of the text within the definition; a trailing `#` marks the name of a member. */
  readonly pointer: string;
  readonly message: string;
  /** A short piece of the text, hidden characters shown as `⟨U+200B⟩`. */
  readonly excerpt: string;
}

export interface ScannedDefinition {
  readonly kind: PinnedKind;
  readonly name: string;
  readonly definition: JsonObject;
}

export interface ScannedPins {
  readonly server: string;
  readonly eras: Readonly<Partial<Record<Era, EraEntry>>>;
  readonly definitions: readonly ScannedDefinition[];
}

/** Names of the tools of other servers, for cross-mentions and look-alikes. */
export interface OtherTools {
  readonly server: string;
  readonly names: readonly string[];
}

/** Findings of one definition; a poisoned text usually breaks several rules, and more of them tell nothing new. */
const MAX_FINDINGS = 12;
const MAX_DEPTH = 128;
/** Text of one pin that is searched; 500 tools have less than half of it. */
const MAX_PIN_CHARS = 4 * 1024 * 1024;
const ICON_SOURCE =
  /^(?:https:\/\/|data:image\/(?:png|jpe?g|gif|webp|svg\+xml|x-icon|vnd\.microsoft\.icon)[;,])/iu;
/** Confusable within ASCII, after folding. */
const ASCII_LOOK_ALIKES: readonly (readonly [RegExp, string])[] = [
  [/0/g, "o"],
  [/[1|i]/g, "l"],
  [/5/g, "s"],
  [/rn/g, "m"],
  [/vv/g, "w"],
  [/[-_. ]/g, ""],
];

type Report = (
  pointer: string,
  rule: string,
  severity: PoisonSeverity,
  finds: string,
  excerpt: string,
) => void;

function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A name reduced to how it looks. */
function skeleton(name: string): string {
  let folded = foldLookAlikes(name).toLowerCase();
  for (const [pattern, replacement] of ASCII_LOOK_ALIKES) folded = folded.replace(pattern, replacement);
  return folded;
}

/** A name that stands in prose only when the tool is meant. */
function isDistinctive(name: string): boolean {
  return name.length >= 6 && /[a-z0-9][A-Z]|[_.-]/u.test(name);
}

class Scanner {
  /** Names of other servers that stand in prose only when the tool is meant, and their server. */
  readonly #foreign = new Map<string, string>();
  readonly #foreignLooks = new Map<string, { readonly server: string; readonly name: string }>();
  readonly #ownLooks = new Map<string, string>();
  #budgetChars = MAX_PIN_CHARS;

  constructor(pins: ScannedPins, others: readonly OtherTools[]) {
    const own = new Set(pins.definitions.map(({ name }) => name));
    for (const name of own) if (!this.#ownLooks.has(skeleton(name))) this.#ownLooks.set(skeleton(name), name);
    for (const { server, names } of others) {
      if (server === pins.server) continue;
      for (const name of names) {
        this.#foreignLooks.set(skeleton(name), { server, name });
        if (isDistinctive(name) && !own.has(name)) this.#foreign.set(name, server);
      }
    }
  }

  text(pointer: string, text: string, report: Report): void {
    this.#budgetChars -= Math.min(text.length, MAX_SCANNED_CHARS);
    if (this.#budgetChars < 0) {
      report(pointer, "scan-limit", "high", "is not searched: the server shows too much text", "");
      return;
    }
    const isImage = /\/icons\/\d+\/src$/u.test(pointer) && /^data:image\//iu.test(text);
    for (const { rule, severity, finds, excerpt } of scanText(text)) {
      if (isImage && (rule === "encoded-blob" || rule === "over-long")) continue;
      report(pointer, rule, severity, finds, excerpt);
    }
    if (/\/icons\/\d+\/src$/u.test(pointer) && !ICON_SOURCE.test(text))
      report(
        pointer,
        "icon-source",
        "high",
        "is an icon that is neither https nor an image",
        showCodePoints(text).slice(0, 60),
      );
    this.#crossMention(pointer, text, report);
  }

  walk(pointer: string, value: JsonValue, report: Report, depth = 0): void {
    if (typeof value === "string") return this.text(pointer, value, report);
    if (depth >= MAX_DEPTH || isRawNumber(value)) return;
    if (Array.isArray(value)) {
      for (const [index, item] of (value as readonly JsonValue[]).entries())
        this.walk(`${pointer}/${String(index)}`, item, report, depth + 1);
    } else if (isJsonObject(value)) {
      for (const [name, member] of Object.entries(value)) {
        const inner = `${pointer}/${escapePointer(name)}`;
        this.#memberName(inner, name, report);
        this.walk(inner, member, report, depth + 1);
      }
    }
  }

  /** A tool that only looks like one of another server, or of this one. */
  lookAlike(name: string, report: Report): void {
    const foreign = this.#foreignLooks.get(skeleton(name));
    const own = this.#ownLooks.get(skeleton(name));
    if (foreign !== undefined && foreign.name !== name)
      report("/name", "look-alike-name", "high", `looks like ${foreign.name} of ${foreign.server}`, name);
    else if (own !== undefined && own !== name)
      report("/name", "look-alike-name", "low", `looks like ${own} of the same server`, name);
  }

  #memberName(pointer: string, name: string, report: Report): void {
    const folded = foldLookAlikes(name);
    if (folded !== name && /^[\u0021-\u007e]+$/u.test(folded))
      report(
        `${pointer}#`,
        "look-alike-name",
        "high",
        `is a name that looks like ${folded}`,
        showCodePoints(name),
      );
    // A short name of an identifier's form has nothing to hide.
    if (!/^[A-Za-z0-9_$.-]{1,64}$/u.test(name)) this.text(`${pointer}#`, name, report);
  }

  #crossMention(pointer: string, text: string, report: Report): void {
    if (this.#foreign.size === 0) return;
    for (const match of text.slice(0, MAX_SCANNED_CHARS).matchAll(/\w[\w.-]*\w/gu)) {
      const [name] = match;
      const server = this.#foreign.get(name);
      if (server === undefined) continue;
      const around = text.slice(Math.max(0, match.index - 20), match.index + name.length + 20);
      const excerpt = showCodePoints(around.replace(/\s+/gu, " ")).toWellFormed();
      report(pointer, "cross-mention", "low", `speaks of ${name}, a tool of ${server}`, excerpt);
      return;
    }
  }
}

/**
 * Every suspicious text of a pin, announcements first.
 * @param others tools of the other servers of the repository.
 */
export function scanPins(pins: ScannedPins, others: readonly OtherTools[] = []): readonly PinFinding[] {
  const scanner = new Scanner(pins, others);
  const findings: PinFinding[] = [];
  const reporter = (subject: string): Report => {
    let amount = 0;
    const seen = new Set<string>();
    return (pointer, rule, severity, finds, excerpt) => {
      // Both eras of a server mostly say the same.
      const key = `${rule}\0${pointer}`;
      if (seen.has(key) || (amount >= MAX_FINDINGS && severity !== "hidden")) return;
      seen.add(key);
      amount += 1;
      findings.push({ rule, severity, subject, pointer, message: `${pointer} ${finds}`, excerpt });
    };
  };
  for (const [era, entry] of Object.entries(pins.eras))
    scanner.walk("", { ...entry } as unknown as JsonObject, reporter(`server ${era}`));
  const reporters = new Map<string, Report>();
  for (const { kind, name, definition } of pins.definitions) {
    const subject = definitionLabel(kind, name);
    const report = reporters.get(subject) ?? reporter(subject);
    reporters.set(subject, report);
    if (kind === "tool") scanner.lookAlike(name, report);
    scanner.walk("", definition, report);
  }
  return findings;
}
