// The content of registry/pins/<id>.json and its one text form: sorted, indented for review, and with every character
// that a reviewer could not see written as an escape.
import type { Digest, Era, EraEntry, LeafKind } from "#bundle";
import { parseStrictText } from "#mcp";
import type { LiveListing } from "#upstream";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";

export const PIN_FORMAT_VERSION = 1;

/** One definition as it stands in a pin file, under the name member of its group. */
export interface PinEntry {
  readonly kind: LeafKind;
  /** Tool or prompt name, resource URI, or URI template. */
  readonly name: string;
  readonly eras: readonly Era[];
  readonly digest: Digest;
  /** The list item exactly as the server gave it. */
  readonly definition: JsonObject;
}

export interface PinContent {
  readonly server: string;
  readonly eras: Readonly<Partial<Record<Era, EraEntry>>>;
  /** Sorted by kind, name and digest. */
  readonly entries: readonly PinEntry[];
}

interface Group {
  readonly member: string;
  readonly kind: LeafKind;
  readonly nameMember: string;
}

const GROUPS: readonly Group[] = [
  { member: "prompts", kind: "prompt", nameMember: "name" },
  { member: "resourceTemplates", kind: "resource-template", nameMember: "uriTemplate" },
  { member: "resources", kind: "resource", nameMember: "uri" },
  { member: "tools", kind: "tool", nameMember: "name" },
];

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One entry for each distinct definition: eras that show the same one share it. */
export function pinContentOf(server: string, listings: readonly LiveListing[]): PinContent {
  const eras: Partial<Record<Era, EraEntry>> = {};
  const merged = new Map<string, { readonly entry: Omit<PinEntry, "eras">; readonly eras: Set<Era> }>();
  for (const listing of listings) {
    eras[listing.era] = listing.entry;
    for (const live of listing.definitions) {
      const key = `${live.kind}\0${live.name}\0${live.digest}`;
      const known = merged.get(key) ?? { entry: live, eras: new Set<Era>() };
      known.eras.add(listing.era);
      merged.set(key, known);
    }
  }
  const entries = [...merged.values()].map(({ entry, eras: shown }): PinEntry => {
    const { kind, name, digest, definition } = entry;
    return { kind, name, digest, definition, eras: [...shown].sort() };
  });
  entries.sort(
    (a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name) || compareText(a.digest, b.digest),
  );
  return { server, eras, entries };
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(sorted);
  if (!isJsonObject(value) || isRawNumber(value)) return value;
  const members = Object.entries(value).sort(([a], [b]) => compareText(a, b));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

// Code points that leave no mark of their own on a screen, or change how their neighbours are shown: zero-width and
// bidirectional characters, tags, variation selectors, controls, private use, every separator but the plain space.
const INVISIBLE = /(?! )[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Z}]/gu;

function escapeUnits(text: string): string {
  let escaped = "";
  for (let index = 0; index < text.length; index++) {
    escaped += `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** Text in which every invisible character is shown as a `\u` escape. */
export function showHidden(text: string): string {
  return text.replace(INVISIBLE, escapeUnits);
}

/** The text of a pin file. The same content always gives the same bytes. */
export function formatPins(content: PinContent): string {
  const file: Record<string, JsonValue> = {
    formatVersion: PIN_FORMAT_VERSION,
    server: content.server,
    eras: sorted(content.eras as unknown as JsonObject),
  };
  for (const group of GROUPS) {
    file[group.member] = content.entries
      .filter((entry) => entry.kind === group.kind)
      .map(({ name, eras, digest, definition }) => ({
        [group.nameMember]: name,
        eras,
        digest,
        definition: sorted(definition),
      }));
  }
  const lines = JSON.stringify(file, undefined, 2).split("\n");
  return `${lines.map(showHidden).join("\n")}\n`;
}

function readEntry(group: Group, item: JsonValue): PinEntry {
  const members = isJsonObject(item) ? item : {};
  const { eras, digest, definition } = members;
  const name = members[group.nameMember];
  if (
    typeof name !== "string" ||
    typeof digest !== "string" ||
    !isJsonObject(definition) ||
    !Array.isArray(eras)
  ) {
    throw new TypeError(`an entry of ${group.member} is malformed`);
  }
  const known = eras.filter((era): era is Era => era === "legacy" || era === "modern");
  return { kind: group.kind, name, eras: known, digest, definition };
}

/** Reads the text of a pin file for comparison. @throws {TypeError | AegisError} where it is not one. */
export function readPins(text: string): PinContent {
  const file = parseStrictText(text, { maxBytes: 64 * 1024 * 1024, maxDepth: 64, maxMembers: 2_000_000 });
  if (
    !isJsonObject(file) ||
    file["formatVersion"] !== PIN_FORMAT_VERSION ||
    typeof file["server"] !== "string"
  ) {
    throw new TypeError(`not a pin file of format ${String(PIN_FORMAT_VERSION)}`);
  }
  const eras = isJsonObject(file["eras"]) ? file["eras"] : {};
  const entries = GROUPS.flatMap((group) => {
    const items = file[group.member] ?? [];
    if (!Array.isArray(items)) throw new TypeError(`${group.member} is not a list`);
    return (items as readonly JsonValue[]).map((item) => readEntry(group, item));
  });
  return { server: file["server"], eras: eras as PinContent["eras"], entries };
}
