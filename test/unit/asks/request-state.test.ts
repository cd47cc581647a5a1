// The state that a client carries between the rounds of a call.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ServerId } from "#bundle";
import { isAegisError } from "#errors";
import { createSealer } from "#sealing";
import type { JsonObject, JsonValue } from "#std";
import {
  MAX_UPSTREAM_STATE_CHARS,
  REQUEST_STATE_TTL_MS,
  openRequestState,
  sealRequestState,
} from "../../../runtime/asks/request-state.ts";
import type { RememberedAsk, StatedCall } from "../../../runtime/asks/request-state.ts";

const key = new Uint8Array(32).fill(7);
const CALL: StatedCall = {
  server: "jira" as ServerId,
  method: "tools/call",
  params: { name: "export", arguments: { a: 1, b: [{ c: "x" }] } },
};
const FORM = { type: "object", properties: { ok: { type: "boolean" } } };
const ASKS = new Map<string, RememberedAsk>([
  [
    "yes",
    {
      id: "d-1",
      ask: { method: "elicitation/create", params: { message: "sure?", requestedSchema: FORM } },
      arguments: undefined,
    },
  ],
  [
    "model",
    {
      id: "d-2",
      ask: { method: "sampling/createMessage", params: { messages: [], maxTokens: 5 } },
      arguments: { maxTokens: 5 },
    },
  ],
  ["roots", { id: "d-3", ask: { method: "roots/list", params: {} }, arguments: undefined }],
]);

function code(action: () => unknown): string {
  try {
    action();
    return "opened";
  } catch (fault) {
    return isAegisError(fault) ? fault.code : String(fault);
  }
}

describe("a request state", () => {
  const sealer = createSealer({ key, nowMs: () => 0 });
  const sealed = sealRequestState(sealer, "ada", CALL, { upstream: "own", asks: ASKS });
  const open = (call: StatedCall, state: JsonValue = sealed, binding = "ada"): unknown =>
    openRequestState(sealer, binding, call, state);

  it("gives back the server's own state and what its answers are judged by, and no texts", () => {
    const { upstream, asks } = openRequestState(sealer, "ada", CALL, sealed);
    expect(upstream).toBe("own");
    expect([...asks.keys()]).toEqual(["yes", "model", "roots"]);
    expect(asks.get("yes")).toMatchObject({
      id: "d-1",
      ask: { params: { requestedSchema: FORM } },
      arguments: { mode: "form", fields: ["ok"] },
    });
    expect(asks.get("yes")?.ask.params).not.toHaveProperty("message");
    expect(asks.get("model")).toMatchObject({ ask: { params: {} }, arguments: { maxTokens: 5 } });
    expect(asks.get("roots")?.arguments).toBeUndefined();
  });

  it.each([
    ["another caller", () => open(CALL, sealed, "mallory")],
    ["another server", () => open({ ...CALL, server: "wiki" as ServerId })],
    ["another method", () => open({ ...CALL, method: "prompts/get" })],
    ["another tool", () => open({ ...CALL, params: { ...CALL.params, name: "import" } })],
    ["other arguments", () => open({ ...CALL, params: { ...CALL.params, arguments: { a: 2 } } })],
    ["no arguments", () => open({ ...CALL, params: { name: "export" } })],
    ["a number", () => open(CALL, 7)],
    ["null", () => open(CALL, null)],
  ])("does not open for %s", (_what, action) => {
    expect(code(action)).toBe("REQUEST_STATE_INVALID");
  });

  it("does not depend on the order of members", () => {
    const params = { arguments: { b: [{ c: "x" }], a: 1 }, name: "export", extra: 1 };
    expect(code(() => open({ ...CALL, params }))).toBe("opened");
  });

  it("ends after ten minutes, and under another key", () => {
    const late = createSealer({ key, nowMs: () => REQUEST_STATE_TTL_MS });
    expect(code(() => openRequestState(late, "ada", CALL, sealed))).toBe("REQUEST_STATE_INVALID");
    const other = createSealer({ key: new Uint8Array(32).fill(8), nowMs: () => 0 });
    expect(code(() => openRequestState(other, "ada", CALL, sealed))).toBe("REQUEST_STATE_INVALID");
  });

  it("does not open with one character changed, added or taken", () => {
    const place = fc.integer({ min: 0, max: sealed.length - 1 });
    fc.assert(
      fc.property(place, fc.constantFrom("A", "b", "_", ""), fc.constantFrom(0, 1), (at, by, taken) => {
        const changed = sealed.slice(0, at) + by + sealed.slice(at + taken);
        fc.pre(changed !== sealed);
        return code(() => open(CALL, changed)) === "REQUEST_STATE_INVALID";
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it("carries the longest state of a server byte for byte, and no more than a client can carry", () => {
    const upstream = "\u{1f511}".repeat(MAX_UPSTREAM_STATE_CHARS / 2);
    const carried = sealRequestState(sealer, "ada", CALL, { upstream, asks: new Map() });
    expect(openRequestState(sealer, "ada", CALL, carried).upstream).toBe(upstream);
    const large: JsonObject = { type: "object", properties: { x: { description: "x".repeat(100_000) } } };
    const ask = { method: "elicitation/create", params: { message: "m", requestedSchema: large } } as const;
    const asks = new Map([["k", { id: "d", ask, arguments: undefined }]]);
    expect(code(() => sealRequestState(sealer, "ada", CALL, { upstream: "", asks }))).toBe(
      "RESULT_TOO_LARGE",
    );
  });
});
