// Compares two tables of named things, member by member.
import { canonicalJson } from "#bundle";
import type { JsonObject } from "#std";
import type { StructuralChange, StructuralChangeKind } from "./plan-types.ts";

export type Table = ReadonlyMap<string, JsonObject>;

/** The kind of row for what is only in the head, in both, only in the base. */
export interface Kinds {
  readonly added: StructuralChangeKind;
  readonly changed: StructuralChangeKind;
  readonly removed: StructuralChangeKind;
}

/** What a difference comes to, of the whole entries. */
export type Remark = (
  before: JsonObject | undefined,
  after: JsonObject | undefined,
  subject: string,
) => Pick<StructuralChange, "details" | "weakens">;

/** One row for each name whose entries differ; of a changed entry only the members that do. */
export function compareTables(
  kinds: Kinds,
  base: Table,
  head: Table,
  remark: Remark = () => ({}),
): readonly StructuralChange[] {
  const subjects = [...new Set([...base.keys(), ...head.keys()])];
  return subjects.flatMap((subject): readonly StructuralChange[] => {
    const before = base.get(subject);
    const after = head.get(subject);
    const evidence = "structural";
    if (before === undefined || after === undefined) {
      const kind = before === undefined ? kinds.added : kinds.removed;
      const values = { before: before ?? null, after: after ?? null };
      return [{ kind, evidence, subject, ...values, ...remark(before, after, subject) }];
    }
    const names = changedNames(before, after);
    if (names.length === 0) return [];
    const only = (object: JsonObject): JsonObject =>
      Object.fromEntries(
        names.flatMap((name) => (Object.hasOwn(object, name) ? [[name, object[name] ?? null]] : [])),
      );
    const values = { before: only(before), after: only(after) };
    return [{ kind: kinds.changed, evidence, subject, ...values, ...remark(before, after, subject) }];
  });
}

function changedNames(before: JsonObject, after: JsonObject): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const text = (object: JsonObject, name: string): string | undefined =>
    Object.hasOwn(object, name) ? canonicalJson(object[name]) : undefined;
  return names.filter((name) => text(before, name) !== text(after, name));
}

/** Data of a bundle as the JSON that it is. */
export function asObject(value: object): JsonObject {
  return value as JsonObject;
}
