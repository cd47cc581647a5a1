// Approved definitions and announcements that changed, told as `aegis pin --check` tells them.
import type { BundleContent, LeafEntry, PinnedKind, ServerEntry } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { diffPins } from "../registry/index.ts";
import type { PinChange, PinContent } from "../registry/index.ts";
import { asObject, compareTables } from "./compare-tables.ts";
import type { Kinds, Table } from "./compare-tables.ts";
import type { StructuralChange } from "./plan-types.ts";

/** Definitions that came, went or changed; and what servers say of themselves. */
export function pinChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const before = leafEntries(base);
  const after = leafEntries(head);
  const kinds: Kinds = { added: "leaf-added", changed: "pin-changed", removed: "leaf-removed" };
  const leaves = compareTables(kinds, definitions(before), definitions(after), (was, is, action) =>
    was === undefined || is === undefined
      ? {}
      : { details: pinLines(leafContent(before.get(action)), leafContent(after.get(action))) },
  );
  return [...leaves, ...announcementChanges(base, head)];
}

function leafEntries(content: BundleContent): ReadonlyMap<string, LeafEntry> {
  return new Map(
    content.registry.servers.flatMap(({ leaves }) => leaves.map((leaf) => [leaf.action, leaf] as const)),
  );
}

function definitions(leaves: ReadonlyMap<string, LeafEntry>): Table {
  return new Map([...leaves].map(([action, leaf]) => [action, approvedDefinition(leaf)]));
}

/** The members of an approved definition; by era where a server describes the leaf differently in each. */
function approvedDefinition(leaf: LeafEntry): JsonObject {
  const [first, ...more] = leaf.definitions;
  if (first !== undefined && more.length === 0) {
    return { eras: first.eras, ...first.definition, digest: first.digest };
  }
  return Object.fromEntries(
    leaf.definitions.map(({ eras, digest, definition }): [string, JsonValue] => [
      eras.join("+"),
      { ...definition, digest },
    ]),
  );
}

const NOTHING: PinContent = { server: "", eras: {}, entries: [] };

function leafContent(leaf: LeafEntry | undefined): PinContent {
  if (leaf === undefined) return NOTHING;
  const { kind, name } = leaf;
  return {
    ...NOTHING,
    // Only what is pinned has definitions.
    entries: leaf.definitions.map((entry) => ({ kind: kind as PinnedKind, name, ...entry })),
  };
}

/** Texts that the model reads first: a changed description is how a tool is poisoned. */
function pinLines(before: PinContent, after: PinContent): readonly string[] {
  const changes = diffPins(before, after);
  const rank = ({ aspect }: PinChange): number => (aspect === "description" ? 0 : 1);
  const sorted = changes.toSorted((a, b) => rank(a) - rank(b));
  const eras = changes.length === 0 ? ["spoken in other eras"] : [];
  return [...new Set([...sorted.map(pinLine), ...eras])];
}

const IMPACT: Readonly<Record<PinChange["impact"], string>> = {
  breaks: "calls that were made before may fail",
  narrows: "promises less harm",
  text: "the model reads this",
  widens: "more can be asked or done",
};

function pinLine({ message, impact }: PinChange): string {
  return `${message} (${IMPACT[impact]})`;
}

function announcementChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const before = new Map(base.registry.servers.map((server) => [server.id, server]));
  const after = new Map(head.registry.servers.map((server) => [server.id, server]));
  const table = (servers: ReadonlyMap<string, ServerEntry>): Table =>
    new Map(
      [...servers]
        .filter(([id]) => before.has(id) && after.has(id))
        .map(([id, { eras }]) => [`announcement of ${id}`, asObject(eras)]),
    );
  const kind = "pin-changed";
  return compareTables(
    { added: kind, changed: kind, removed: kind },
    table(before),
    table(after),
    (was, is) => ({ details: pinLines(announced(was), announced(is)) }),
  );
}

function announced(eras: JsonObject | undefined): PinContent {
  return isJsonObject(eras ?? null) ? { ...NOTHING, eras: eras as unknown as PinContent["eras"] } : NOTHING;
}
