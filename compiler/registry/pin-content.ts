// The content of registry/pins/<id>.json and its one text form: sorted, indented for review, and with every character
// that a reviewer could not see written as an escape.
import type { Digest, Era, EraEntry, PinnedKind } from "#bundle";
import type { LiveListing } from "#upstream";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { DiagnosticSink } from "../diagnostics/index.ts";
import { sortAccepted } from "../documents/accepted-findings.ts";
import type { AcceptedFinding } from "../documents/accepted-findings.ts";
import { PIN_FORMAT_VERSION, PIN_GROUPS, parsePinText } from "../documents/pin-file.ts";

export { PIN_FORMAT_VERSION } from "../documents/pin-file.ts";

/** One definition as it stands in a pin file, under the name member of its group. */
export interface PinEntry {
  readonly kind: PinnedKind;
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
  /** Labels of definitions whose hidden characters a reviewer accepted; absent = none. */
  readonly acceptedHidden?: readonly string[];
  /** Suspicious texts that a reviewer accepted one by one; absent = none. */
  readonly acceptedSuspicious?: readonly AcceptedFinding[];
}

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
  if (content.acceptedHidden !== undefined && content.acceptedHidden.length > 0)
    file["acceptedHidden"] = [...content.acceptedHidden].sort(compareText);
  if (content.acceptedSuspicious !== undefined && content.acceptedSuspicious.length > 0)
    file["acceptedSuspicious"] = sortAccepted(content.acceptedSuspicious).map((entry) => ({ ...entry }));
  for (const group of PIN_GROUPS) {
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

/** Codes that make a pin file useless for comparison; a digest edited by hand is what a comparison is to show. */
const UNREADABLE: ReadonlySet<string> = new Set(["PIN_INVALID", "PIN_DUPLICATE"]);

/** Reads the text of a pin file for comparison. @throws {TypeError} where it is not one. */
export function readPins(text: string): PinContent {
  const sink = new DiagnosticSink();
  const file = parsePinText("pins", text, sink);
  const fault = sink.sorted().find(({ code }) => UNREADABLE.has(code));
  if (file === undefined || fault !== undefined) throw new TypeError(fault?.message ?? "not a pin file");
  const entries = file.definitions.map(({ at: _at, ...entry }): PinEntry => entry);
  const { server, eras, acceptedHidden, acceptedSuspicious } = file;
  return {
    ...{ server, eras, entries },
    ...(acceptedHidden.length === 0 ? {} : { acceptedHidden }),
    ...(acceptedSuspicious.length === 0 ? {} : { acceptedSuspicious }),
  };
}
