// What the interpreter does not have is found while a slice is compiled, never while it decides: one case for each reason.
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "#std";
import { compilePolicy } from "../../../runtime/policy/interpreter/compile-policy.ts";
import { OPERATORS } from "../../../runtime/policy/interpreter/operators.ts";
import { compileRequestTypes } from "../../../runtime/policy/interpreter/request-types.ts";
import { UNSUPPORTED, UnsupportedConstruct } from "../../../runtime/policy/interpreter/unsupported.ts";
import type { UnsupportedReason } from "../../../runtime/policy/interpreter/unsupported.ts";

const ALL: JsonObject = { op: "All" };

function policy(body: JsonObject): () => void {
  const scope = { principal: ALL, action: ALL, resource: ALL };
  return () => compilePolicy({ effect: "permit", ...scope, conditions: [{ kind: "when", body }] });
}

function context(attributes: JsonObject, more: JsonObject = {}): () => void {
  const appliesTo = {
    principalTypes: ["User"],
    resourceTypes: ["User"],
    context: { type: "Record", attributes, ...more },
  };
  return schema({ "": { entityTypes: { User: {} }, actions: { act: { appliesTo } } } });
}

function schema(json: JsonObject): () => void {
  return () => compileRequestTypes(json, "act", OPERATORS);
}

function nested(depth: number): JsonValue {
  return depth === 0 ? { type: "Long" } : { type: "Set", element: nested(depth - 1) };
}

const actionWithAttributes: JsonObject = {
  "": {
    entityTypes: { User: {} },
    actions: {
      act: {
        attributes: { a: 1 },
        appliesTo: { principalTypes: [], resourceTypes: [], context: { type: "Record", attributes: {} } },
      },
    },
  },
};

const CASES: readonly (readonly [UnsupportedReason, () => void])[] = [
  ["operator", policy({ unknown: [{ Value: "x" }] })],
  ["operator", policy({ Slot: "?principal" })],
  ["operator", policy({ Var: "other" })],
  ["arity", policy({ isInRange: [{ ip: [{ Value: "::1" }] }] })],
  ["arity", policy({ decimal: [] })],
  ["form", policy({ "==": { left: { Value: 1 } } })],
  ["form", policy({ "==": [{ Value: 1 }, { Value: 1 }] })],
  ["form", policy({ like: { left: { Value: "" }, pattern: "a*" } })],
  ["form", policy({})],
  ["literal", policy({ Value: 2 ** 63 })],
  ["literal", policy({ Value: 1.5 })],
  ["literal", policy({ Value: null })],
  ["literal", policy({ Value: { __expr: "1" } })],
  ["literal", policy({ Value: { __entity: { type: "User", id: "a" }, x: 1 } })],
  ["literal", policy({ Value: { __extn: { fn: "offset", args: [] } } })],
  ["namespace", schema({ "": {}, Other: {} })],
  ["schema", schema({})],
  ["schema", schema({ "": { entityTypes: {}, actions: {} } })],
  ["schema", context({ a: { type: "EntityOrCommon", name: "Absent" } })],
  ["schema", context({ a: { type: "Extension", name: "geo" } })],
  ["open record", context({}, { additionalAttributes: true })],
  ["reserved name", context({ __extn: { type: "String" } })],
  ["deep type", context({ a: nested(70) })],
  ["action attributes", schema(actionWithAttributes)],
];

describe("closure interpreter", () => {
  it.each(CASES)("leaves to cedar-wasm: %s", (reason, compile) => {
    expect(compile).toThrow(UnsupportedConstruct);
    expect(compile).toThrow(expect.objectContaining({ reason }));
  });

  it("has a case for every reason that a policy or a schema can give", () => {
    const shown = new Set(CASES.map(([reason]) => reason));
    expect(Object.keys(UNSUPPORTED).filter((reason) => !shown.has(reason as UnsupportedReason))).toEqual([
      "server entity",
    ]);
  });
});
