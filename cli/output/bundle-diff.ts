// The differences of two bundles as lines for a terminal of 80 columns.
import { showHidden } from "#compiler";
import { DIFF_SECTIONS } from "#release";
import type { BundleChange, BundleDiff, DiffSection, MemberChange, ResidualChange } from "#release";
import { paint, plural } from "./io.ts";
import type { Style } from "./io.ts";
import { wrapText } from "./wrap-text.ts";

const WIDTH = 80;
/** Changes of one section that are shown; JSON has all. */
const MAX_SHOWN = 100;
const MAX_DEFINITIONS = 6;

const SIGNS: Readonly<Record<BundleChange["what"], readonly [string, Style]>> = {
  added: ["+", "green"],
  removed: ["-", "red"],
  changed: ["~", "yellow"],
  moved: [">", "dim"],
};

const TITLES: Readonly<Record<DiffSection, string>> = {
  bundle: "bundle",
  policies: "policies",
  slices: "what decides a definition",
  servers: "servers",
  definitions: "pinned definitions",
  environments: "environments",
  routes: "routes",
  issuers: "issuers",
  limits: "limits",
  transforms: "transforms",
  vectors: "golden vectors",
  other: "other parts",
};

export function renderBundleDiff(diff: BundleDiff, color: boolean): string {
  const side = ({ name, digest }: BundleDiff["before"]): string => `${safe(name)} ${digest.slice(0, 12)}`;
  const head = `${side(diff.before)} → ${side(diff.after)}`;
  if (diff.same) return `${head}\nThe same bundle.\n`;
  const blocks = DIFF_SECTIONS.flatMap((section) => {
    const changes = diff.changes.filter((change) => change.section === section);
    if (changes.length === 0) return [];
    const hidden = changes.length - MAX_SHOWN;
    return [
      [
        paint(color, "bold", TITLES[section]),
        ...changes.slice(0, MAX_SHOWN).flatMap((change) => changeLines(change, color)),
        ...(hidden > 0 ? [`  … and ${plural(hidden, "change")} more: --format json lists all`] : []),
      ],
    ];
  });
  return `${[[head], ...blocks, [summary(diff)]].map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function changeLines(change: BundleChange, color: boolean): readonly string[] {
  const [sign, style] = SIGNS[change.what];
  const effect = change.effect === undefined ? "" : `${change.effect} `;
  const { source } = change;
  const place = source === undefined ? [] : [`${safe(source.file)}:${source.line}:${source.column}`];
  const [subject = "", ...rest] = wrapText(`${effect}${safe(change.subject)}`, WIDTH - 6);
  // What came or went as a whole is told by its name; its content is in the JSON.
  const members = change.what === "changed" || change.section === "definitions" ? change.members : [];
  return [
    `  ${paint(color, style, sign)} ${subject}`,
    ...rest.map((line) => `    ${line}`),
    ...place.map((text) => `      ${paint(color, "dim", text)}`),
    ...residualLines(change.residuals ?? []),
    ...members.flatMap((member) => memberLines(member, color)),
  ];
}

/** Definitions with the same story are told together: a policy often counts for a whole server. */
function residualLines(residuals: readonly ResidualChange[]): readonly string[] {
  const stories = new Map<string, string[]>();
  const byDefinition = Map.groupBy(residuals, ({ tenant, action }) =>
    tenant === "default" ? action : `${tenant}: ${action}`,
  );
  for (const [definition, changes] of byDefinition) {
    const story = changes.map((change) => `${change.list} ${residualWord(change)}`).join(", ");
    stories.set(story, [...(stories.get(story) ?? []), definition]);
  }
  return [...stories].flatMap(([story, definitions]) => {
    const more = definitions.length - MAX_DEFINITIONS;
    return [
      `      ${safe(story)} for ${plural(definitions.length, "definition")}`,
      ...definitions.slice(0, MAX_DEFINITIONS).map((definition) => `        ${safe(definition)}`),
      ...(more > 0 ? [`        … and ${more} more`] : []),
    ];
  });
}

function residualWord({ before, after }: ResidualChange): string {
  if (before === undefined) return "gained";
  return after === undefined ? "lost" : "changed";
}

function memberLines(change: MemberChange, color: boolean): readonly string[] {
  if (change.message !== undefined) return toldLines(change, change.message, color);
  const { member, before, after } = change;
  const name = safe(member);
  const short = `      ${name}  ${safe(before ?? "none")} → ${safe(after ?? "none")}`;
  if (short.length <= WIDTH) return [short];
  // Only the part that differs tells anything where both are long.
  const [old, now] = fromFirstDifference(before, after);
  return [
    `      ${name}`,
    ...(old === undefined ? [] : valueLines(paint(color, "red", "-"), old)),
    ...(now === undefined ? [] : valueLines(paint(color, "green", "+"), now)),
  ];
}

/** A change that is told in words: values follow where the words do not hold them. */
function toldLines(change: MemberChange, message: string, color: boolean): readonly string[] {
  const { member, impact, before, after } = change;
  const lines = wrapText(`${impact ?? "changed"}: ${safe(message)}`, WIDTH - 6).map(
    (line) => `      ${line}`,
  );
  if (member === "definition" || impact === "text") return lines;
  return [
    ...lines,
    ...(before === undefined ? [] : valueLines(paint(color, "red", "-"), before)),
    ...(after === undefined ? [] : valueLines(paint(color, "green", "+"), after)),
  ];
}

const VALUE_WIDTH = WIDTH - 10;
const MAX_VALUE_LINES = 4;

/** A value over a few lines; what is longer is cut, and whole in the JSON. */
function valueLines(sign: string, value: string): readonly string[] {
  // Escapes make text longer: it is cut before they are made, and after.
  const shown = safe(value.slice(0, VALUE_WIDTH * MAX_VALUE_LINES + 1));
  const room = VALUE_WIDTH * MAX_VALUE_LINES;
  const text = shown.length <= room ? shown : `${shown.slice(0, room - 1)}…`;
  const lines: string[] = [];
  for (let at = 0; at === 0 || at < text.length; at += VALUE_WIDTH)
    lines.push(text.slice(at, at + VALUE_WIDTH));
  return lines.map((line, index) => `        ${index === 0 ? sign : " "} ${line}`);
}

const CONTEXT = 16;

function fromFirstDifference(
  before: string | undefined,
  after: string | undefined,
): readonly [string | undefined, string | undefined] {
  if (before === undefined || after === undefined) return [before, after];
  let at = 0;
  while (at < before.length && before[at] === after[at]) at += 1;
  const start = at - CONTEXT;
  if (start <= 1 || Math.max(before.length, after.length) <= WIDTH - 10) return [before, after];
  return [`…${before.slice(start)}`, `…${after.slice(start)}`];
}

function summary({ changes }: BundleDiff): string {
  const parts = DIFF_SECTIONS.flatMap((section) => {
    const amount = changes.filter((change) => change.section === section).length;
    return amount === 0 ? [] : [`${TITLES[section]} ${amount}`];
  });
  if (parts.length === 0) return "The bytes differ, and no part of the content does.";
  return wrapText(`${plural(changes.length, "difference")}: ${parts.join(", ")}.`, WIDTH).join("\n");
}

const safe = showHidden;
