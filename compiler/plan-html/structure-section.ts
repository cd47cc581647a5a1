// Changes that are true whoever calls: definitions, transforms, servers, routes, issuers, limits, modes.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { describeSubject, isImplied, plural, signOf } from "#plan";
import type { Plan, StructuralChange } from "#plan";
import { jsonText } from "./json-text.ts";
import { clipped, markup, name, visible } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { mark } from "./signs.ts";
import type { Sign } from "./signs.ts";
import { diffLines, diffWords } from "./text-diff.ts";
import type { DiffPiece } from "./text-diff.ts";
import { MAX_VALUE_LENGTH, jsonBlock, memberName } from "./values.ts";

const MAX_ITEMS = 1_000;
const MAX_DETAILS = 50;
/** More than so many stand closed. */
const MAX_OPEN = 12;
/** Equal lines kept around a difference. */
const CONTEXT_LINES = 3;

const SIGNS: Readonly<Record<"+" | "-" | "~", Sign>> = {
  "+": { sign: "+", tone: "allowed", word: "added" },
  "-": { sign: "−", tone: "denied", word: "removed" },
  "~": { sign: "~", tone: "both", word: "changed" },
};

interface Item {
  readonly index: number;
  readonly change: StructuralChange;
}

/** Nothing where only decisions change. */
export function structureSection(plan: Plan): Markup | undefined {
  const all = plan.changes.flatMap((change, index): readonly Item[] =>
    change.evidence === "structural" ? [{ index, change }] : [],
  );
  if (all.length === 0) return undefined;
  const shown = all.filter(({ change }) => !isImplied(change, plan));
  const items = shown.slice(0, MAX_ITEMS);
  const implied = all.length - shown.length;
  return markup`<section id="structure" aria-labelledby="structure-h">
    <h2 id="structure-h">Transforms and structure</h2>
    <p class="lead">
      True whoever calls: what is redacted, which definitions are approved, and what surrounds
      them.${
        implied > 0 &&
        markup` ${plural(implied, "definition")} that came or went with a whole server are told with it.`
      }
    </p>
    ${items.map((item) => itemBlock(item, shown.length <= MAX_OPEN))}
    ${shown.length > items.length && markup`<p class="note">${shown.length - items.length} more changes: the JSON plan has them.</p>`}
  </section>`;
}

function itemBlock({ index, change }: Item, isOpen: boolean): Markup {
  const sign = SIGNS[signOf(change)];
  return markup`<details class="item" ${isOpen && markup` open`}>
    <summary>
      ${mark(sign)}
      <div class="what">
        <div>
          <span class="title">${name(describeSubject(change))}</span><span class="muted">${sign.word}</span>${change.weakens === true && markup`<span class="pill t-warn">! guards less</span>`}
        </div>
      </div>
    </summary>
    <div class="inside" id="c${index}">${told(change)}${body(change)}</div>
  </details> `;
}

/** What it comes to, where the plan says so in words. */
function told(change: StructuralChange): Content {
  const details = (change.details ?? []).map((line) => withoutWords(line, change));
  if (details.length === 0) return undefined;
  return markup`<ul class="told">${details.slice(0, MAX_DETAILS).map((line) => markup`<li>${name(line, 2_000)}</li>`)}</ul>`;
}

/** The words of a text that changed are shown below: the line keeps what it comes to. */
function withoutWords(line: string, { before, after }: StructuralChange): string {
  const [, member = "", impact = ""] = /^(\w+) changed: .*?( \([a-z ]+\))?$/su.exec(line) ?? [];
  if (member === "" || !isJsonObject(before) || !isJsonObject(after)) return line;
  const isText = typeof own(before, member) === "string" && typeof own(after, member) === "string";
  return isText ? `${member} changed${impact}` : line;
}

function body(change: StructuralChange): Content {
  const { kind } = change;
  const isChanged = kind.endsWith("-changed");
  const before = isChanged ? (change.before ?? {}) : change.before;
  const after = isChanged ? (change.after ?? {}) : change.after;
  if (before === null || after === null) {
    const value = before ?? after;
    return value === null ? markup`<p class="muted">Nothing is known of it.</p>` : jsonBlock(value);
  }
  if (!isJsonObject(before) || !isJsonObject(after)) return valueDiff(before, after);
  return memberBlocks(before, after);
}

function memberBlocks(before: JsonObject, after: JsonObject): Content {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map(
    (member) =>
      markup`<div>
        <span class="label">${memberName(member)}</span>${valueDiff(own(before, member), own(after, member))}
      </div>`,
  );
}

function own(object: JsonObject, member: string): JsonValue | undefined {
  return Object.hasOwn(object, member) ? object[member] : undefined;
}

/** Small values side by side, texts by words, everything else by the lines of its JSON. */
function valueDiff(before: JsonValue | undefined, after: JsonValue | undefined): Markup {
  if (isSmall(before) && isSmall(after)) {
    const sides = [
      before !== undefined && markup`<del>${smallText(before)}</del>`,
      before !== undefined && after !== undefined && " → ",
      after !== undefined && markup`<ins>${smallText(after)}</ins>`,
    ];
    return markup`<p class="mono change">${sides}</p>`;
  }
  if (typeof before === "string" && typeof after === "string") {
    const pieces = diffWords(clip(before), clip(after));
    return markup`<pre>${pieces.map((piece) => wordPiece(piece))}${cutNote(before, after)}</pre>`;
  }
  const lines = diffLines(linesOf(before), linesOf(after)).filter(
    ({ kind, text }) => kind === "equal" || text !== "",
  );
  return markup`<pre class="lines">
${lines.map((piece, at) => linePiece(piece, at === 0, at === lines.length - 1))}</pre>`;
}

/** A number, a truth, a digest, or nothing: what has no words to compare. */
function isSmall(value: JsonValue | undefined): boolean {
  if (typeof value === "string") return value.length <= 64 && !/\s/u.test(value);
  return typeof value !== "object" || value === null;
}

function smallText(value: JsonValue): Markup {
  return visible(typeof value === "string" ? value : jsonText(value));
}

function clip(text: string): string {
  return clipped(text, MAX_VALUE_LENGTH).text;
}

function cutNote(before: string, after: string): Content {
  if (Math.max(before.length, after.length) <= MAX_VALUE_LENGTH) return undefined;
  return markup`<span class="cut"
    >… only the first ${MAX_VALUE_LENGTH} characters: the JSON plan has all of them.</span
  >`;
}

function linesOf(value: JsonValue | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return clip(value);
  // A list of texts differs by its items: what is redacted, what is named.
  const items = Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
  const isList =
    Array.isArray(value) && items.every((item) => typeof item === "string" && !item.includes("\n"));
  return clip(isList ? items.join("\n") : jsonText(value));
}

function wordPiece({ kind, text }: DiffPiece): Content {
  const shown = visible(text, "block");
  if (kind === "equal") return shown;
  return kind === "removed" ? markup`<del>${shown}</del>` : markup`<ins>${shown}</ins>`;
}

function linePiece({ kind, text }: DiffPiece, isFirst: boolean, isLast: boolean): Content {
  const lines = text.split("\n");
  const line = (one: string): Markup => visible(one, "block");
  if (kind === "removed") return lines.map((one) => markup`<del>${line(one)}</del>`);
  if (kind === "added") return lines.map((one) => markup`<ins>${line(one)}</ins>`);
  const before = isFirst ? 0 : CONTEXT_LINES;
  const after = isLast ? 0 : CONTEXT_LINES;
  const folded = lines.length - before - after;
  const shownLine = (one: string): Markup => markup`<span class="eq">${line(one)}</span>`;
  if (folded <= 1) return lines.map(shownLine);
  return [
    lines.slice(0, before).map(shownLine),
    markup`<span class="fold">… ${folded} equal lines</span>`,
    lines.slice(lines.length - after).map(shownLine),
  ];
}
