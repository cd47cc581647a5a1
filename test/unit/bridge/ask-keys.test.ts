// Keys of what a legacy server asks: made from the question, the same in every call, never twice in one.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { AskKeys } from "../../../runtime/bridge/ask-keys.ts";
import { requiredCapability, withMissingCapability } from "../../../runtime/bridge/translate-reply.ts";

const form = (properties: JsonObject): JsonObject => ({
  message: "?",
  requestedSchema: { type: "object", properties },
});

describe("the key of a question", () => {
  it.each<[string, string, JsonObject, string]>([
    ["the title of a field", "elicitation/create", form({ name: { title: "User name" } }), "user_name"],
    ["the name of a field without one", "elicitation/create", form({ userName: {} }), "user_name"],
    ["its name where the title has no letter", "elicitation/create", form({ ok: { title: "…?" } }), "ok"],
    ["all of its fields", "elicitation/create", form({ a: {}, b: { title: "B!" } }), "a_b"],
    ["a form of no field", "elicitation/create", form({}), "form"],
    ["a form of no words", "elicitation/create", form({ "…": {} }), "form"],
    ["a field that is like a prototype", "elicitation/create", form({ ["__proto__"]: {} }), "proto"],
    ["an address", "elicitation/create", { mode: "url", url: "https://a.example", message: "?" }, "url"],
    ["a sampling request", "sampling/createMessage", { messages: [] }, "sampling"],
    ["a request for roots", "roots/list", {}, "roots"],
  ])("is made from %s", (_what, method, params, key) => {
    expect(new AskKeys(true).next(method, params)).toBe(key);
    expect(new AskKeys(false).next(method, params)).toBe("ask-1");
  });

  it("is never given twice in a call, and is the same in the next one", () => {
    const ask = form({ name: {} });
    const keys = (): readonly (string | undefined)[] => {
      const call = new AskKeys(true);
      return [1, 2, 3].map(() => call.next("elicitation/create", ask));
    };
    expect(keys()).toEqual(["name", "name-2", "name-3"]);
    expect(keys()).toEqual(keys());
  });

  it("is not given to a server that never stops asking something else", () => {
    const keys = new AskKeys(true);
    const next = (name: string): string | undefined => keys.next("elicitation/create", form({ [name]: {} }));
    const given = Array.from({ length: 5_000 }, (_, at) => next(`q${String(at)}`));
    expect(given.filter((key) => key !== undefined)).toHaveLength(1_024);
    expect(next("q0")).toBe("q0-2");
  });

  it("is short, whatever a server calls its fields", () => {
    const params = form({ ["x".repeat(100_000)]: {}, ["y".repeat(100_000)]: {} });
    expect(new AskKeys(true).next("elicitation/create", params)).toHaveLength(64);
  });
});

describe("a call whose server asked for what was not declared", () => {
  const failed = { kind: "result", result: { isError: true, content: [] } } as const;
  const done = { kind: "result", result: { content: [] } } as const;

  it.each<[string, JsonObject, JsonObject]>([
    ["roots/list", {}, { roots: {} }],
    ["sampling/createMessage", { messages: [] }, { sampling: {} }],
    ["sampling/createMessage", { messages: [], tools: [] }, { sampling: { tools: {} } }],
    ["elicitation/create", {}, { elicitation: { form: {} } }],
    ["elicitation/create", { mode: "url" }, { elicitation: { url: {} } }],
    ["tools/call", {}, {}],
  ])("says of %s what is missing", (method, params, missing) => {
    expect(requiredCapability(method, params)).toEqual(missing);
  });

  it("tells a client of it only where the call failed", () => {
    const missing = { sampling: {} };
    expect(withMissingCapability(failed, missing)).toMatchObject({
      kind: "error",
      error: { code: -32021, data: { requiredCapabilities: missing } },
    });
    const error = { kind: "error", error: { code: -32603, message: "no" } } as const;
    expect(withMissingCapability(error, missing)).toMatchObject({ error: { code: -32021 } });
    // Done without: what the server made of the refusal is its answer.
    expect(withMissingCapability(done, missing)).toBe(done);
    const byUrl = { kind: "error", error: { code: -32042, message: "visit" } } as const;
    expect(withMissingCapability(byUrl, missing)).toBe(byUrl);
    for (const nothing of [undefined, {}]) expect(withMissingCapability(failed, nothing)).toBe(failed);
  });
});
