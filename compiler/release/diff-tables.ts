// Differences between tables of a bundle: rows by key, and of a row that is on both sides the members that differ.
import { canonicalJson } from "#bundle";
import type { Digest, SourcePosition } from "#bundle";
import type { JsonValue } from "#std";

export interface MemberChange {
  readonly member: string;
  /** A string as it is, any other value as canonical JSON; absent where the member was or is not there. */
  readonly before?: string;
  readonly after?: string;
  /** Pinned definitions: the change in words, and what it means for callers. */
  readonly message?: string;
  readonly impact?: string;
}

/** How one policy decides one definition otherwise than before: the lists of the slice and the residual in each. */
export interface ResidualChange {
  readonly tenant: string;
  readonly action: string;
  /** `call`, `visibility` or another list of the slice. */
  readonly list: string;
  readonly before?: Digest;
  readonly after?: Digest;
}

export type DiffSection =
  | "bundle"
  | "policies"
  | "slices"
  | "servers"
  | "definitions"
  | "environments"
  | "routes"
  | "issuers"
  | "limits"
  | "transforms"
  | "vectors"
  | "other";

export interface BundleChange {
  readonly section: DiffSection;
  /** `moved`: a policy that stands elsewhere in the source and means the same. */
  readonly what: "added" | "removed" | "changed" | "moved";
  readonly subject: string;
  readonly members: readonly MemberChange[];
  /** Policies: where it stands after the change, or stood where it is gone. */
  readonly source?: SourcePosition;
  readonly effect?: string;
  /** Policies: what changed in the slices. */
  readonly residuals?: readonly ResidualChange[];
}

export type Row = Readonly<Record<string, unknown>>;
export type Table = ReadonlyMap<string, Row>;

/** Rows under their keys; where two rows share one, the later ones are numbered, so that none is lost. */
export function tableOf<T extends object>(rows: readonly T[], keyOf: (row: T) => string): Table {
  const table = new Map<string, Row>();
  for (const row of rows) {
    const key = keyOf(row);
    let free = key;
    for (let count = 2; table.has(free); count++) free = `${key} (${String(count)})`;
    table.set(free, { ...(row as Row) });
  }
  return table;
}

/** What differs, by key. */
export function compareTables(section: DiffSection, before: Table, after: Table): readonly BundleChange[] {
  return unionOf(before.keys(), after.keys()).flatMap((subject): readonly BundleChange[] => {
    const old = before.get(subject);
    const now = after.get(subject);
    const members = changedMembers(old ?? {}, now ?? {});
    if (old !== undefined && now !== undefined) {
      return members.length === 0 ? [] : [{ section, what: "changed", subject, members }];
    }
    return [{ section, what: old === undefined ? "added" : "removed", subject, members }];
  });
}

export function changedMembers(before: Row, after: Row): readonly MemberChange[] {
  return unionOf(Object.keys(before), Object.keys(after)).flatMap((member): readonly MemberChange[] => {
    const old = textOf(before, member);
    const now = textOf(after, member);
    if (old === now) return [];
    return [
      {
        member,
        ...(old === undefined ? {} : { before: old }),
        ...(now === undefined ? {} : { after: now }),
      },
    ];
  });
}

/** Names of both, sorted by code unit. */
export function unionOf(before: Iterable<string>, after: Iterable<string>): readonly string[] {
  return [...new Set([...before, ...after])].sort();
}

/** A row without some of its members. */
export function without(row: object, ...names: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)));
}

function textOf(row: Row, member: string): string | undefined {
  const value = Object.hasOwn(row, member) ? row[member] : undefined;
  if (value === undefined) return undefined;
  return typeof value === "string" ? value : canonicalJson(value as JsonValue);
}
