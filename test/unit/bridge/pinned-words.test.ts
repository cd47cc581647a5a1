// What callers of one era are told of a server that was pinned in the other alone.
import { describe, expect, test } from "vitest";
import type { JsonObject } from "#std";
import { announcementOf, bridgedDefinition, isBridged, upstreamEra } from "../../../runtime/bridge/index.ts";
import { legacyReply, modernReply } from "../../../runtime/bridge/translate-reply.ts";
import { legacyCapabilities } from "../../../runtime/bridge/translate.ts";

const LEGACY = {
  protocolVersion: "2025-06-18",
  capabilities: { tools: { listChanged: true }, logging: {}, tasks: { list: {} } },
  serverInfo: { name: "old", version: "1" },
  instructions: "Ask first.",
};
const MODERN = {
  protocolVersion: "2026-07-28",
  capabilities: { tools: {}, extensions: { "io.modelcontextprotocol/tasks": {} } },
  serverInfo: { name: "new", version: "1" },
};

describe("era", () => {
  test("the caller's own where the server was pinned in it, else the other", () => {
    expect(upstreamEra({ eras: { legacy: LEGACY } }, "modern")).toBe("legacy");
    expect(upstreamEra({ eras: { modern: MODERN } }, "legacy")).toBe("modern");
    const both = { eras: { legacy: LEGACY, modern: MODERN } };
    expect([isBridged(both, "modern"), isBridged(both, "legacy")]).toEqual([false, false]);
  });

  test("an announcement has the caller's revision and nothing that only the other era knows", () => {
    expect(announcementOf({ eras: { legacy: LEGACY } }, "modern")).toEqual({
      ...LEGACY,
      protocolVersion: "2026-07-28",
      capabilities: { tools: { listChanged: true }, logging: {} },
    });
    expect(announcementOf({ eras: { modern: MODERN } }, "legacy")).toMatchObject({
      capabilities: { tools: {} },
    });
    expect(announcementOf({ eras: { modern: MODERN } }, "modern")).toBe(MODERN);
    expect(announcementOf({ eras: {} }, "modern")).toBeUndefined();
  });
});

const tool = (inputSchema: JsonObject, more: JsonObject = {}): JsonObject => ({
  name: "t",
  inputSchema,
  ...more,
});
const withHeader = (property: JsonObject, more: JsonObject = {}): JsonObject =>
  tool({ type: "object", properties: { a: property, ...more } });
const header = (name: string, type = "string"): JsonObject => ({ type, "x-mcp-header": name });

describe("definitions", () => {
  test("legacy clients get no schema of results that are no objects", () => {
    const kept = tool({ type: "object" }, { outputSchema: { type: "object" } });
    expect(bridgedDefinition("tool", kept, "legacy")).toEqual(kept);
    const dropped = tool({ type: "object" }, { outputSchema: { type: "array" } });
    expect(bridgedDefinition("tool", dropped, "legacy")).toEqual(tool({ type: "object" }));
  });

  test("modern clients get no tool that must run as a task, and no hint of tasks", () => {
    const required = tool({ type: "object" }, { execution: { taskSupport: "required" } });
    expect(bridgedDefinition("tool", required, "modern")).toBeUndefined();
    const optional = tool({ type: "object" }, { execution: { taskSupport: "optional" } });
    expect(bridgedDefinition("tool", optional, "modern")).toEqual(tool({ type: "object" }));
  });

  test.each<[string, JsonObject]>([
    ["no token", withHeader(header("a b"))],
    ["empty", withHeader(header(""))],
    ["no text", withHeader({ type: "string", "x-mcp-header": 1 })],
    ["twice, whatever the case", withHeader(header("A"), { b: header("a") })],
    ["on a number", withHeader(header("A", "number"))],
    ["on an object", withHeader(header("A", "object"))],
    ["below items", withHeader({ type: "array", items: header("A") })],
    ["below a combination", tool({ type: "object", oneOf: [{ properties: { a: header("A") } }] })],
    ["in a definition", tool({ type: "object", $defs: { d: header("A") } })],
    ["on the whole", tool({ type: "string", "x-mcp-header": "A" })],
  ])("a tool with a parameter header %s is dropped", (_what, definition) => {
    expect(bridgedDefinition("tool", definition, "modern")).toBeUndefined();
  });

  test.each<[string, JsonObject]>([
    ["on a chain of properties", withHeader({ type: "object", properties: { b: header("A") } })],
    ["each once", withHeader(header("A"), { b: header("B", "integer"), c: header("C", "boolean") })],
    ["that is only data", tool({ type: "object", default: { "x-mcp-header": "a b" } })],
  ])("a tool with a parameter header %s stays", (_what, definition) => {
    expect(bridgedDefinition("tool", definition, "modern")).toBe(definition);
  });
});

const FACTS = { serverInfo: { name: "old" }, capabilities: { elicitation: { url: {} } } };
const CALL = { method: "tools/call", params: { name: "t" } };

describe("replies", () => {
  test("a legacy server cannot pretend to ask by its result", () => {
    const result = {
      content: [],
      resultType: "input_required",
      inputRequests: {},
      requestState: "x",
      ttlMs: 9,
    };
    const reply = modernReply({ kind: "result", result }, CALL, FACTS);
    expect(reply).toEqual({
      kind: "result",
      result: {
        content: [],
        resultType: "complete",
        _meta: { "io.modelcontextprotocol/serverInfo": { name: "old" } },
      },
    });
  });

  test("-32042 becomes entries by URL, without ids of the legacy era", () => {
    const data = {
      elicitations: [{ mode: "url", elicitationId: "e1", url: "https://x.example/", message: "Log in" }],
    };
    const error = { code: -32042, message: "url", data };
    expect(modernReply({ kind: "error", error }, CALL, FACTS)).toEqual({
      kind: "result",
      result: {
        resultType: "input_required",
        inputRequests: {
          "url-1": {
            method: "elicitation/create",
            params: { mode: "url", url: "https://x.example/", message: "Log in" },
          },
        },
      },
    });
    const undeclared = { ...FACTS, capabilities: { elicitation: { form: {} } } };
    expect(() => modernReply({ kind: "error", error }, CALL, undeclared)).toThrow(/CAPABILITY_REQUIRED|URL/u);
    expect(() => modernReply({ kind: "error", error: { ...error, data: {} } }, CALL, FACTS)).toThrow(
      /no URL/u,
    );
  });

  test("a missing resource is told with its URI", () => {
    const error = { code: -32002, message: "not found" };
    const read = { method: "resources/read", params: { uri: "a://b" } };
    expect(modernReply({ kind: "error", error }, read, FACTS)).toEqual({
      kind: "error",
      error: { code: -32602, message: "not found", data: { uri: "a://b" } },
    });
  });

  test("a modern result loses what old clients refuse", () => {
    const result = {
      resultType: "complete",
      content: [],
      structuredContent: [1],
      ttlMs: 1,
      cacheScope: "public",
      _meta: { "io.modelcontextprotocol/serverInfo": {}, "vendor/x": 1 },
    };
    expect(legacyReply({ kind: "result", result }, CALL)).toEqual({
      kind: "result",
      result: { content: [], _meta: { "vendor/x": 1 } },
    });
  });
});

test.each<[string, JsonObject, JsonObject]>([
  ["2025-03-26", { elicitation: { form: {} }, roots: {} }, { roots: {} }],
  [
    "2025-06-18",
    { elicitation: { form: {}, url: {} }, sampling: { tools: {} } },
    { elicitation: {}, sampling: {} },
  ],
  ["2025-06-18", { elicitation: { url: {} } }, {}],
  ["2025-11-25", { elicitation: { url: {} }, extensions: { x: {} } }, { elicitation: { url: {} } }],
])("a server of %s is told what it can know", (version, declared, told) => {
  expect(legacyCapabilities(declared, version)).toEqual(told);
});
