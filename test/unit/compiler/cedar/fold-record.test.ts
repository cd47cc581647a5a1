// A member of a record is folded only where the members beside it cannot err: Cedar evaluates all of them.
import { expect, it } from "vitest";
import type { LeafEntry, ServerEntry } from "#bundle";
import type { JsonObject } from "#std";
import { fold, leafFacts } from "../../../../compiler/cedar/fold.ts";

const LEAF: LeafEntry = {
  ...{ action: "tools/call:s/t", kind: "tool", name: "t", definitions: [], paramHeaders: [] },
  argumentsProgram: { nodes: [{ always: true }], root: 0 },
};
const SERVER = { id: "s", tier: "low", labels: [] } as unknown as ServerEntry;
const FALSE = { Value: false };
const overflow: JsonObject = {
  "*": { left: { Value: 9_007_199_254_740_991 }, right: { ".": { left: { Var: "context" }, attr: "n" } } },
};

function folded(record: JsonObject): JsonObject {
  return fold({ ".": { left: { Record: record }, attr: "a" } }, leafFacts(SERVER, LEAF), false);
}

it.each<[string, JsonObject]>([
  ["no sibling", { a: FALSE }],
  ["a literal", { a: FALSE, b: { Value: 1 } }],
  ["a set of literals", { a: FALSE, b: { Set: [{ Value: 1 }, { Record: { c: { Value: 2 } } }] } }],
])("folds beside %s", (_about, record) => {
  expect(folded(record)).toEqual(FALSE);
});

it.each<[string, JsonObject]>([
  ["arithmetic that may overflow", { a: FALSE, b: overflow }],
  ["such arithmetic in a set", { a: FALSE, b: { Set: [overflow] } }],
  ["an attribute that may be absent", { a: FALSE, b: { ".": { left: { Var: "context" }, attr: "n" } } }],
])("keeps the record beside %s", (_about, record) => {
  expect(folded(record)).toEqual({ ".": { left: { Record: record }, attr: "a" } });
});
