// What changed between two readings of a server, in terms a reviewer of `aegis pin --check` decides on.
import { canonicalJson } from "#bundle";
import type { Era, EraEntry, PinnedKind } from "#bundle";
import type { JsonValue } from "#std";
import type { PinContent, PinEntry } from "./pin-content.ts";
import { showHidden } from "./pin-content.ts";

/** Which part of a definition a change touches; `definition` is any member without a name of its own here. */
export type PinAspect = "announcement" | "annotations" | "definition" | "description" | "leaf" | "schema";

export interface PinChange {
  readonly what: "added" | "removed" | "changed";
  readonly aspect: PinAspect;
  /** The leaf; absent for a change of the server's own announcement. */
  readonly leaf?: { readonly kind: PinnedKind; readonly name: string };
  /** Changed member, e.g. `description` or `inputSchema`; absent where a whole leaf or era came or went. */
  readonly member?: string;
  readonly eras: readonly Era[];
  /** Strings as they are, other values as canonical JSON; hidden characters shown as escapes. */
  readonly before?: string;
  readonly after?: string;
}

const ERAS: readonly Era[] = ["legacy", "modern"];
const ASPECTS: ReadonlyMap<string, PinAspect> = new Map<string, PinAspect>([
  ["annotations", "annotations"],
  ["arguments", "schema"],
  ["description", "description"],
  ["inputSchema", "schema"],
  ["outputSchema", "schema"],
  ["title", "description"],
]);

function shown(value: JsonValue): string {
  return showHidden(typeof value === "string" ? value : canonicalJson(value));
}

type Members = Readonly<Record<string, JsonValue | undefined>>;
type MemberChange = Omit<PinChange, "aspect" | "eras" | "leaf"> & { readonly member: string };

function changedMembers(before: Members, after: Members): MemberChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changes: MemberChange[] = [];
  for (const member of names) {
    const old = before[member];
    const now = after[member];
    if (old === undefined && now !== undefined) changes.push({ what: "added", member, after: shown(now) });
    else if (old !== undefined && now === undefined)
      changes.push({ what: "removed", member, before: shown(old) });
    else if (old !== undefined && now !== undefined && canonicalJson(old) !== canonicalJson(now)) {
      changes.push({ what: "changed", member, before: shown(old), after: shown(now) });
    }
  }
  return changes;
}

function leafKey(entry: PinEntry): string {
  return `${entry.kind}\0${entry.name}`;
}

function leavesOf(content: PinContent, era: Era): ReadonlyMap<string, PinEntry> {
  return new Map(
    content.entries.filter((entry) => entry.eras.includes(era)).map((entry) => [leafKey(entry), entry]),
  );
}

function leafChanges(era: Era, before: PinContent, after: PinContent): PinChange[] {
  const old = leavesOf(before, era);
  const now = leavesOf(after, era);
  const changes: PinChange[] = [];
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const was = old.get(key);
    const is = now.get(key);
    const entry = is ?? was;
    if (entry === undefined) continue;
    const leaf = { kind: entry.kind, name: entry.name };
    if (was === undefined)
      changes.push({ what: "added", aspect: "leaf", leaf, eras: [era], after: shown(entry.definition) });
    else if (is === undefined)
      changes.push({ what: "removed", aspect: "leaf", leaf, eras: [era], before: shown(entry.definition) });
    else {
      // By content, not by the digest in the file: that one may be edited, or left as it was, by hand.
      const members = changedMembers(was.definition, is.definition);
      if (members.length === 0 && was.digest !== is.digest)
        members.push({ what: "changed", member: "digest", before: was.digest, after: is.digest });
      for (const change of members) {
        changes.push({ ...change, aspect: ASPECTS.get(change.member) ?? "definition", leaf, eras: [era] });
      }
    }
  }
  return changes;
}

function announcementChanges(
  era: Era,
  before: EraEntry | undefined,
  after: EraEntry | undefined,
): PinChange[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [{ what: "added", aspect: "announcement", eras: [era] }];
  if (after === undefined) return [{ what: "removed", aspect: "announcement", eras: [era] }];
  const members = (entry: EraEntry): Members => ({ ...entry });
  return changedMembers(members(before), members(after)).map((change) => ({
    ...change,
    aspect: "announcement",
    eras: [era],
  }));
}

/** The same change seen in both eras is one change. */
function merge(changes: readonly PinChange[]): PinChange[] {
  const merged = new Map<string, PinChange>();
  for (const change of changes) {
    const { eras, ...rest } = change;
    const key = canonicalJson(rest);
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
