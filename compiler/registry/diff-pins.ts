// What changed between two readings of a server, in terms a reviewer of `aegis pin --check` decides on.
import { canonicalJson } from "#bundle";
import type { Era, EraEntry, PinnedKind } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { diffSchema } from "./diff-schema.ts";
import type { PinImpact } from "./diff-schema.ts";
import type { PinContent, PinEntry } from "./pin-content.ts";
import { showCodePoints } from "../scan/scan-text.ts";
import { wordDiff } from "./word-diff.ts";

/** Which part of a definition a change touches; `definition` is any member without a name of its own here. */
export type PinAspect =
  "announcement" | "annotations" | "definition" | "description" | "leaf" | "output" | "schema";

export interface PinChange {
  readonly what: "added" | "removed" | "renamed" | "changed";
  readonly impact: PinImpact;
  readonly aspect: PinAspect;
  /** The leaf under its new name; absent for a change of the server's own announcement. */
  readonly leaf?: { readonly kind: PinnedKind; readonly name: string };
  /** Former name of a renamed leaf. */
  readonly formerName?: string;
  readonly eras: readonly Era[];
  /** JSON pointer within the definition or announcement; empty for all of it. */
  readonly pointer: string;
  /** Argument that the change is about, names from the root; `[]` stands for elements of a list. */
  readonly argument?: readonly string[];
  /** One line in words; for a text a comparison word by word. Hidden characters shown as `⟨U+200B⟩`. */
  readonly message: string;
  /** Strings as they are, other values as canonical JSON; hidden characters shown by number. */
  readonly before?: string;
  readonly after?: string;
}

type Change = Omit<PinChange, "eras" | "leaf">;

const ERAS: readonly Era[] = ["legacy", "modern"];
const TEXT_MEMBERS: ReadonlySet<string> = new Set([
  "description",
  "title",
  "instructions",
  "icons",
  "_meta",
  "serverInfo",
]);
/** Hints whose loss or change to this value lets a client be less careful. */
const CAREFREE: ReadonlyMap<string, boolean> = new Map([
  ["readOnlyHint", true],
  ["destructiveHint", false],
  ["idempotentHint", true],
  ["openWorldHint", false],
]);
const MAX_VALUE_CHARS = 2_000;

function shown(value: JsonValue): string {
  const text = showCodePoints(typeof value === "string" ? value : canonicalJson(value)).toWellFormed();
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS).toWellFormed()}…` : text;
}

function values(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): Pick<PinChange, "before" | "after"> {
  return {
    ...(before === undefined ? {} : { before: shown(before) }),
    ...(after === undefined ? {} : { after: shown(after) }),
  };
}

function kindOfChange(before: unknown, after: unknown): "added" | "removed" | "changed" {
  return before === undefined ? "added" : after === undefined ? "removed" : "changed";
}

function schemaChanges(member: string, before: JsonValue, after: JsonValue): Change[] {
  const aspect = member === "outputSchema" ? "output" : "schema";
  return diffSchema(before, after).map(
    ({ impact, pointer, path, message, before: old, after: now }): Change => {
      const isText = typeof old === "string" && typeof now === "string" && impact === "text";
      const subject = path === undefined || path.length === 0 ? "" : `${showCodePoints(path.join("."))}: `;
      return {
        what: message.startsWith("parameter") ? kindOfChange(old, now) : "changed",
        impact,
        aspect: impact === "text" ? "description" : aspect,
        pointer: `/${member}${pointer}`,
        ...(aspect === "schema" && path !== undefined && path.length > 0 ? { argument: path } : {}),
        message: subject + (isText ? `${message}: ${wordDiff(old, now)}` : showCodePoints(message)),
        ...values(old, now),
      };
    },
  );
}

function annotationChanges(before: JsonObject, after: JsonObject): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name): Change[] => {
    const [old, now] = [before[name], after[name]];
    if (old !== undefined && now !== undefined && canonicalJson(old) === canonicalJson(now)) return [];
    const said = (value: JsonValue | undefined): string => (value === undefined ? "absent" : shown(value));
    const isHint = CAREFREE.has(name);
    // A tool that no longer promises to be harmless can do more than was approved.
    const impact: PinImpact = isHint ? (now === CAREFREE.get(name) ? "narrows" : "widens") : "text";
    const message = `${showCodePoints(name)} changed from ${said(old)} to ${said(now)}`;
    const pointer = `/annotations/${name}`;
    return [
      { what: kindOfChange(old, now), impact, aspect: "annotations", pointer, message, ...values(old, now) },
    ];
  });
}

function promptArguments(value: JsonValue | undefined): JsonObject {
  const properties: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
  const required: string[] = [];
  for (const item of Array.isArray(value) ? (value as readonly JsonValue[]) : []) {
    if (!isJsonObject(item) || typeof item["name"] !== "string") continue;
    const { name, required: isRequired, ...rest } = item;
    properties[name] = rest;
    if (isRequired === true) required.push(name);
  }
  return { properties: { ...properties }, required };
}

/** Changes within a member that has a structure of its own; empty for any other. */
function innerChanges(member: string, old: JsonValue | undefined, now: JsonValue | undefined): Change[] {
  if (member === "annotations")
    return annotationChanges(isJsonObject(old) ? old : {}, isJsonObject(now) ? now : {});
  if (member === "arguments") return schemaChanges(member, promptArguments(old), promptArguments(now));
  if (member === "inputSchema") return schemaChanges(member, old ?? {}, now ?? {});
  if (member !== "outputSchema" || old === undefined || now === undefined) return [];
  return schemaChanges(member, old, now);
}

function memberChanges(member: string, old: JsonValue | undefined, now: JsonValue | undefined): Change[] {
  if (old !== undefined && now !== undefined && canonicalJson(old) === canonicalJson(now)) return [];
  if (old === undefined && now === undefined) return [];
  const inside = innerChanges(member, old, now);
  if (inside.length > 0) return inside;
  const what = kindOfChange(old, now);
  const isText = TEXT_MEMBERS.has(member);
  const isPair = typeof old === "string" && typeof now === "string";
  const impact: PinImpact = isText ? "text" : what === "added" ? "widens" : "breaks";
  const message = `${showCodePoints(member)} ${isPair ? `changed: ${wordDiff(old, now)}` : what}`;
  const aspect: PinAspect = isText ? "description" : member === "outputSchema" ? "output" : "definition";
  return [{ what, impact, aspect, pointer: `/${member}`, message, ...values(old, now) }];
}

type Members = Readonly<Record<string, JsonValue | undefined>>;

function allMemberChanges(before: Members, after: Members): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((member) => memberChanges(member, before[member], after[member]));
}

function leafKey(entry: PinEntry): string {
  return `${entry.kind}\0${entry.name}`;
}

/** What a definition is apart from its name. */
function bodyOf({ definition }: PinEntry): string {
  const { name: _name, uri: _uri, uriTemplate: _template, title: _title, ...rest } = definition;
  return canonicalJson(rest);
}

function isSimilar(a: PinEntry, b: PinEntry): boolean {
  if (a.kind !== b.kind) return false;
  const [x, y] = [bodyOf(a), bodyOf(b)];
  if (x.length < 24) return false;
  if (x === y) return true;
  const same = (member: string): boolean => {
    const [p, q] = [a.definition[member], b.definition[member]];
    return (
      p !== undefined &&
      q !== undefined &&
      canonicalJson(p).length > 40 &&
      canonicalJson(p) === canonicalJson(q)
    );
  };
  return same("inputSchema") || same("description");
}

function leafChanges(era: Era, before: PinContent, after: PinContent): PinChange[] {
  const entriesOf = (content: PinContent): Map<string, PinEntry> =>
    new Map(content.entries.filter(({ eras }) => eras.includes(era)).map((entry) => [leafKey(entry), entry]));
  const [old, now] = [entriesOf(before), entriesOf(after)];
  const gone = new Map([...old].filter(([key]) => !now.has(key)));
  const changes: PinChange[] = [];
  const add = (entry: PinEntry, change: Change): void =>
    void changes.push({ ...change, leaf: { kind: entry.kind, name: entry.name }, eras: [era] });
  for (const [key, is] of [...now].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const renamed = old.has(key) ? undefined : [...gone].find(([, entry]) => isSimilar(entry, is));
    const was = old.get(key) ?? renamed?.[1];
    if (was === undefined) {
      const message = `${is.kind} added`;
      add(is, {
        what: "added",
        impact: "widens",
        aspect: "leaf",
        pointer: "",
        message,
        ...values(undefined, is.definition),
      });
      continue;
    }
    if (renamed !== undefined) {
      gone.delete(renamed[0]);
      const message = `${is.kind} renamed from ${showCodePoints(was.name)}`;
      add(is, {
        what: "renamed",
        impact: "breaks",
        aspect: "leaf",
        formerName: was.name,
        pointer: "",
        message,
      });
    }
    // By content, not by the digest in the file: that one may be edited, or left as it was, by hand.
    const nameMembers =
      renamed === undefined ? {} : { name: undefined, uri: undefined, uriTemplate: undefined };
    const found = allMemberChanges(
      { ...was.definition, ...nameMembers },
      { ...is.definition, ...nameMembers },
    );
    for (const change of found) add(is, change);
    if (found.length === 0 && renamed === undefined && was.digest !== is.digest)
      add(is, {
        what: "changed",
        impact: "breaks",
        aspect: "definition",
        pointer: "",
        message: "the recorded digest is not the definition's",
        ...values(was.digest, is.digest),
      });
  }
  for (const entry of gone.values())
    add(entry, {
      what: "removed",
      impact: "breaks",
      aspect: "leaf",
      pointer: "",
      message: `${entry.kind} removed`,
      ...values(entry.definition, undefined),
    });
  return changes;
}

function announcementChanges(
  era: Era,
  before: EraEntry | undefined,
  after: EraEntry | undefined,
): PinChange[] {
  if (before === undefined && after === undefined) return [];
  const change = (fields: Change): PinChange => ({ ...fields, eras: [era] });
  if (before === undefined || after === undefined) {
    const what = before === undefined ? "added" : "removed";
    const message = `the ${era} era is ${before === undefined ? "spoken now" : "no longer spoken"}`;
    return [
      change({
        what,
        impact: before === undefined ? "widens" : "breaks",
        aspect: "announcement",
        pointer: "",
        message,
      }),
    ];
  }
  const members = (entry: EraEntry): Members => ({ ...entry });
  return allMemberChanges(members(before), members(after)).map((found) =>
    change({
      ...found,
      aspect: "announcement",
      impact: found.pointer === "/capabilities" ? "widens" : found.impact,
    }),
  );
}

/** The same change seen in both eras is one change. */
function merge(changes: readonly PinChange[]): PinChange[] {
  const merged = new Map<string, PinChange>();
  for (const change of changes) {
    const { eras, ...rest } = change;
    const key = JSON.stringify(rest);
    merged.set(key, { ...change, eras: [...(merged.get(key)?.eras ?? []), ...eras] });
  }
  return [...merged.values()];
}

/** Every difference between two pin contents, announcements first, then leaves by kind and name. */
export function diffPins(before: PinContent, after: PinContent): readonly PinChange[] {
  const announcements = ERAS.flatMap((era) => announcementChanges(era, before.eras[era], after.eras[era]));
  const leaves = ERAS.flatMap((era) => leafChanges(era, before, after));
  return merge([...announcements, ...leaves]);
}
