// Looks for poison in every string of a pin: names, descriptions, schemas with their property names, enums and defaults,
// annotations, icons, metadata, and what the server says about itself.
import { sha256Hex } from "#bundle";
import type { Digest, Era, EraEntry, PinnedKind } from "#bundle";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { acceptanceKey } from "../documents/accepted-findings.ts";
import type { AcceptedFinding } from "../documents/accepted-findings.ts";
import { definitionLabel } from "../documents/pin-file.ts";
import { MAX_SCANNED_CHARS } from "./poison-rules.ts";
import type { PoisonSeverity } from "./poison-rules.ts";
import { foldLookAlikes, scanText, showCodePoints } from "./scan-text.ts";

export interface PinFinding {
  /** 12 hex digits that name this finding in this text, for `aegis pin --accept-suspicious`. */
  readonly id: string;
  readonly rule: string;
  readonly severity: PoisonSeverity;
  /** `tool sql.query`, or `server legacy` for the announcement of an era. */
  readonly subject: string;
  /** JSON pointer of the text within the definition; a trailing `#` marks the name of a member. */
  readonly pointer: string;
  readonly message: string;
  /** A short piece of the text, hidden characters shown as `⟨U+200B⟩`. */
  readonly excerpt: string;
  /** Of the whole text and of what it is confused with. */
  readonly digest: Digest;
  /** True where a reviewer accepted the finding in this very text. */
  readonly isAccepted: boolean;
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
  /** What reviewers accepted; absent = nothing. */
  readonly acceptedSuspicious?: readonly AcceptedFinding[];
}

/** Names of the tools of other servers, for cross-mentions and look-alikes. */
export interface OtherTools {
  readonly server: string;
  readonly names: readonly string[];
}

/** Findings of one definition, the worst first; a poisoned text usually breaks several rules, and more of them tell nothing new. */
const MAX_FINDINGS = 12;
const MAX_DEPTH = 128;
const ID_DIGITS = 12;
/** Text of one pin that is searched; 500 tools have less than half of it. */
const MAX_PIN_CHARS = 4 * 1024 * 1024;
const ICON_SOURCE =
  /^(?:https:\/\/|data:image\/(?:png|jpe?g|gif|webp|svg\+xml|x-icon|vnd\.microsoft\.icon)[;,])/iu;
/** Arguments that are secrets by their name; a token that only names a page is none. */
const SECRET_NAME =
  /(?:^|_)(?:password|passwd|passphrase|secret|credentials?|api_?key|access_?key|private_?key|authorization|cookie|cvv|ssn|(?<!(?:page|next|sync|continuation)_)token)(?:_|$)/u;
/** Confusable within ASCII, after folding. */
const ASCII_LOOK_ALIKES: readonly (readonly [RegExp, string])[] = [
  [/0/g, "o"],
  [/[1|i]/g, "l"],
  [/5/g, "s"],
  [/rn/g, "m"],
  [/vv/g, "w"],
  [/[-_. ]/g, ""],
];

/** What is found in one text: the rule, how bad it is, words that follow `the text …`, and a piece of it. */
type Found = readonly [rule: string, severity: PoisonSeverity, finds: string, excerpt: string];
/** @param other what the text is confused with or speaks of, such as the tool of another server. */
type Report = (pointer: string, text: string, found: Found, other?: string) => void;

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
      report(pointer, text, ["scan-limit", "high", "is not searched: the server shows too much text", ""]);
      return;
    }
    const isImage = /\/icons\/\d+\/src$/u.test(pointer) && /^data:image\//iu.test(text);
    for (const { rule, severity, finds, excerpt } of scanText(text)) {
      if (isImage && (rule === "encoded-blob" || rule === "over-long")) continue;
      report(pointer, text, [rule, severity, finds, excerpt]);
    }
    if (/\/icons\/\d+\/src$/u.test(pointer) && !ICON_SOURCE.test(text)) {
      const finds = "is an icon that is neither https nor an image";
      report(pointer, text, ["icon-source", "high", finds, showCodePoints(text).slice(0, 60)]);
    }
    this.#crossMention(pointer, text, report);
  }

  walk(pointer: string, value: JsonValue, report: Report, depth = 0): void {
    if (typeof value === "string") return this.text(pointer, value, report);
    if (depth >= MAX_DEPTH || isRawNumber(value)) return;
    if (Array.isArray(value)) {
      for (const [index, item] of (value as readonly JsonValue[]).entries())
        this.walk(`${pointer}/${String(index)}`, item, report, depth + 1);
    } else if (isJsonObject(value)) {
      this.#mirrored(pointer, value, report);
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
    if (foreign !== undefined && foreign.name !== name) {
      const finds = `looks like ${foreign.name} of ${foreign.server}`;
      report("/name", name, ["look-alike-name", "high", finds, name], `${foreign.server}\0${foreign.name}`);
    } else if (own !== undefined && own !== name)
      report(
        "/name",
        name,
        ["look-alike-name", "low", `looks like ${own} of the same server`, name],
        `\0${own}`,
      );
  }

  #memberName(pointer: string, name: string, report: Report): void {
    const folded = foldLookAlikes(name);
    if (folded !== name && /^[\u0021-\u007e]+$/u.test(folded)) {
      const finds = `is a name that looks like ${folded}`;
      report(`${pointer}#`, name, ["look-alike-name", "high", finds, showCodePoints(name)]);
    }
    // A short name of an identifier's form has nothing to hide.
    if (!/^[A-Za-z0-9_$.-]{1,64}$/u.test(name)) this.text(`${pointer}#`, name, report);
  }

  /** A secret that clients are told to repeat in a header, where every hop may log it (MCP 2026-07-28, `x-mcp-header`). */
  #mirrored(pointer: string, schema: JsonObject, report: Report): void {
    const header = schema["x-mcp-header"];
    if (typeof header !== "string") return;
    const argument = pointer.slice(pointer.lastIndexOf("/") + 1);
    const words = [argument, header].map((name) =>
      name
        .replaceAll(/([a-z0-9])([A-Z])/gu, "$1_$2")
        .replaceAll(/[^A-Za-z0-9]+/gu, "_")
        .toLowerCase(),
    );
    if (schema["format"] !== "password" && !words.some((name) => SECRET_NAME.test(name))) return;
    const finds = "tells clients to repeat a secret in a header";
    const excerpt = showCodePoints(`${argument} in Mcp-Param-${header}`).slice(0, 120);
    report(`${pointer}/x-mcp-header`, `${argument}\0${header}`, [
      "mirrored-secret",
      "secret",
      finds,
      excerpt,
    ]);
  }

  #crossMention(pointer: string, text: string, report: Report): void {
    if (this.#foreign.size === 0) return;
    for (const match of text.slice(0, MAX_SCANNED_CHARS).matchAll(/\w[\w.-]*\w/gu)) {
      const [name] = match;
      const server = this.#foreign.get(name);
      if (server === undefined) continue;
      const around = text.slice(Math.max(0, match.index - 20), match.index + name.length + 20);
      const excerpt = showCodePoints(around.replace(/\s+/gu, " ")).toWellFormed();
      const finds = `speaks of ${name}, a tool of ${server}`;
      report(pointer, text, ["cross-mention", "low", finds, excerpt], `${server}\0${name}`);
      return;
    }
  }
}

/** What no other finding may take the place of: a definition with it is not approved as it is. */
function isRefused({ severity }: PinFinding): boolean {
  return severity === "hidden" || severity === "secret";
}

/** What is found in one definition; the worst of it is shown, in order of place, and how much more there is. */
class SubjectFindings {
  readonly #always: PlacedFinding[] = [];
  readonly #high: PlacedFinding[] = [];
  readonly #low: PlacedFinding[] = [];
  #place = 0;
  #limited = 0;

  add(finding: PinFinding): void {
    const placed = { finding, place: this.#place++ };
    // What was accepted leaves its place to what was not.
    if (isRefused(finding) || finding.isAccepted) {
      this.#always.push(placed);
      return;
    }
    this.#limited += 1;
    const list = finding.severity === "high" ? this.#high : this.#low;
    if (list.length < MAX_FINDINGS) list.push(placed);
  }

  shown(): readonly PinFinding[] {
    const refused = this.#always.filter(({ finding }) => !finding.isAccepted).length;
    const room = Math.max(0, MAX_FINDINGS - refused);
    const limited = [...this.#high, ...this.#low].slice(0, room);
    const cut = this.#limited - limited.length;
    const all = [...this.#always, ...limited].sort((a, b) => a.place - b.place).map(({ finding }) => finding);
    if (cut === 0) return all;
    const last = all.findLastIndex(({ isAccepted }) => !isAccepted);
    return all.map((finding, index) => {
      if (index !== last) return finding;
      return {
        ...finding,
        message: `${finding.message}; ${String(cut)} more in ${finding.subject} not shown`,
      };
    });
  }
}

interface PlacedFinding {
  readonly finding: PinFinding;
  /** Order in which the texts stand. */
  readonly place: number;
}

/**
 * Every suspicious text of a pin, announcements first.
 * @param others tools of the other servers of the repository.
 */
export function scanPins(pins: ScannedPins, others: readonly OtherTools[] = []): readonly PinFinding[] {
  const scanner = new Scanner(pins, others);
  const subjects: SubjectFindings[] = [];
  const accepted = new Set((pins.acceptedSuspicious ?? []).map(acceptanceKey));
  const reporter = (subject: string): Report => {
    const seen = new Set<string>();
    const findings = new SubjectFindings();
    subjects.push(findings);
    return (pointer, text, [rule, severity, finds, excerpt], other = "") => {
      // As JSON: a lone surrogate has no UTF-8 form of its own.
      const digest = sha256Hex(JSON.stringify([text, other]));
      const key = acceptanceKey({ subject, rule, pointer, digest });
      // Both eras of a server mostly say the same.
      if (seen.has(key)) return;
      seen.add(key);
      const id = sha256Hex(`${pins.server}\0${key}`).slice(0, ID_DIGITS);
      const message = `${pointer} ${finds}`;
      const isAccepted = accepted.has(key);
      findings.add({ id, rule, severity, subject, pointer, message, excerpt, digest, isAccepted });
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
  return subjects.flatMap((findings) => findings.shown());
}
