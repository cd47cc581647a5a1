// Changes of what a YAML document says: a copy with one member set, or taken out.
import type { Parsed } from "../documents/load.ts";
import type { PolicyShape } from "../documents/shapes.ts";
import type { DocumentChange } from "./mutant.ts";

export type DocumentPath = readonly (string | number)[];

/** A document whose member at `path` is `value`. */
export function withMember(
  document: Parsed<PolicyShape>,
  path: DocumentPath,
  value: unknown,
): DocumentChange {
  const shape = changed(document.shape, path, () => value) as PolicyShape;
  return { kind: "document", file: document.source.file, shape };
}

/** A document without the member at `path`. A list that loses its only entry of `allow` or `deny` goes with it. */
export function withoutMember(document: Parsed<PolicyShape>, path: DocumentPath): DocumentChange {
  const { file } = document.source;
  const last = path.at(-1);
  const list = path.slice(0, -1);
  const shape = changed(document.shape, list, (parent) => {
    if (typeof last === "number" && Array.isArray(parent))
      return parent.filter((_item, index) => index !== last);
    return Object.fromEntries(Object.entries(parent ?? {}).filter(([name]) => name !== last));
  }) as PolicyShape;
  if (typeof last !== "number") return { kind: "document", file, shape };
  return { kind: "document", file, shape, removed: { list, index: last } };
}

/** What stands at `path`; undefined where nothing does. */
export function memberAt(value: unknown, path: DocumentPath): unknown {
  let found: unknown = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Readonly<Record<string | number, unknown>>)[step];
  }
  return found;
}

function changed(value: unknown, path: DocumentPath, change: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.map((item, index) => (index === step ? changed(item, rest, change) : item));
  }
  const entries = Object.entries(value ?? {});
  const name = String(step);
  const before = entries.find(([key]) => key === name)?.[1];
  const after = changed(before, rest, change);
  return Object.hasOwn(value ?? {}, name)
    ? Object.fromEntries(entries.map(([key, item]) => [key, key === name ? after : item]))
    : Object.fromEntries([...entries, [name, after]]);
}
