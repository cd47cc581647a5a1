import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkParamHeaders,
  classifyMessage,
  decodeHeaderValue,
  encodeHeaderValue,
  headerView,
  negotiateLegacyVersion,
} from "#mcp";
import type { ClientMessage } from "#mcp";
import { rawNumber } from "#std";
import type { JsonObject } from "#std";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
}
const view = (headers: Readonly<Record<string, string>>) => headerView(Object.entries(headers).flat());

describe("header values", () => {
  it("come back as they were, for every string, in plain ASCII", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
          fc.string({ unit: "binary", maxLength: 12 }),
        ),
        (value) => {
          const header = encodeHeaderValue(value);
          expect(header).toMatch(/^[\x21-\x7e][\x20-\x7e]*$/);
          expect(decodeHeaderValue("X", header)).toBe(value);
        },
      ),
      { numRuns: 300, seed: 20260728 },
    );
  });

  it.each([
    ["crm.lookup", "crm.lookup"],
    ["two words", "two words"],
    ["", "=?base64??="],
    [" edge", "=?base64?IGVkZ2U=?="],
    ["tab\tinside", "=?base64?dGFiCWluc2lkZQ==?="],
    ["übersicht", "=?base64?w7xiZXJzaWNodA==?="],
    ["=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="],
    ["=?base64?=", "=?base64?="],
  ])("%j is written %s", (value, header) => {
    expect(encodeHeaderValue(value)).toBe(header);
    expect(decodeHeaderValue("X", header)).toBe(value);
  });

  it.each([
    "=?base64?YQ?=",
    "=?base64?YR==?=",
    "=?base64?Y Q==?=",
    "=?base64?_w==?=",
    "=?base64?/w==?=",
    "é",
    "a\u0001b",
    "",
  ])("refuses %j", (header) => {
    expect(codeOf(() => decodeHeaderValue("X", header))).toBe("HEADER_MISMATCH");
  });
});

describe("headerView", () => {
  it("refuses a second value where one is asked for, and hides infrastructure headers", () => {
    const headers = headerView([
      "Host",
      " a ",
      "Mcp-Name",
      "x",
      "mcp-name",
      "y",
      "X-Forwarded-User",
      "admin",
      "X-Aegis-Principal",
      "admin",
      "Forwarded",
      "for=1",
      "mcp-init-host",
      "e",
    ]);
    expect(headers.get("HOST")).toBe("a");
    expect(headers.get("absent")).toBeUndefined();
    expect(codeOf(() => headers.get("mcp-name"))).toBe("HEADER_MISMATCH");
    expect(headers.all("Mcp-Name")).toEqual(["x", "y"]);
    expect([...headers.names()]).toEqual(["host", "mcp-name"]);
    expect(codeOf(() => headerView(["Cookie", "a", "cookie", "b"]).get("cookie"))).toBe(
      "HTTP_HEADER_INVALID",
    );
  });
});

const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
const request = (method: string, params?: JsonObject): ClientMessage => ({
  kind: "request",
  id: 1,
  method,
  params,
});
const modern = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" };

describe("classifyMessage", () => {
  const list = request("tools/list", { _meta: ENVELOPE });
  it.each<[string, Record<string, string>, ClientMessage, unknown]>([
    ["a modern request", modern, list, { era: "modern", version: "2026-07-28" }],
    [
      "a legacy request",
      { "MCP-Protocol-Version": "2025-06-18" },
      request("tools/list"),
      { era: "legacy", version: "2025-06-18" },
    ],
    [
      "a legacy request without a header",
      {},
      request("tools/list", { _meta: { progressToken: 1 } }),
      { era: "legacy", version: "2025-03-26" },
    ],
    [
      "initialize",
      {},
      request("initialize", { protocolVersion: "2024-11-05" }),
      { era: "legacy", version: "2024-11-05" },
    ],
    [
      "initialize for an unknown revision",
      {},
      request("initialize", { protocolVersion: "2023-01-01" }),
      { era: "legacy", version: "2025-11-25" },
    ],
    [
      "a modern notification by its header",
      { "MCP-Protocol-Version": "2026-07-28" },
      { kind: "notification", method: "notifications/cancelled", params: undefined },
      { era: "modern", version: "2026-07-28" },
    ],
    [
      "a legacy notification",
      {},
      { kind: "notification", method: "notifications/initialized", params: undefined },
      { era: "legacy", version: "2025-03-26" },
    ],
    [
      "a legacy response",
      {},
      { kind: "response", id: 1, result: {} },
      { era: "legacy", version: "2025-03-26" },
    ],
  ])("%s", (_name, headers, message, expected) => {
    expect(classifyMessage({ headers: view(headers), message })).toEqual(expected);
  });

  // Where a request fails several checks, the earlier one answers.
  it.each<[string, Record<string, string>, ClientMessage, string]>([
    [
      "another version in the header before an unsupported one",
      { ...modern, "MCP-Protocol-Version": "2025-11-25" },
      request("tools/list", {
        _meta: { ...ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2030-01-01" },
      }),
      "HEADER_MISMATCH",
    ],
    [
      "another method before an incomplete envelope",
      { ...modern, "Mcp-Method": "ping" },
      request("tools/list", { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }),
      "HEADER_MISMATCH",
    ],
    [
      "an unsupported version before an incomplete envelope",
      { "MCP-Protocol-Version": "2030-01-01" },
      request("tools/list", { _meta: { "io.modelcontextprotocol/protocolVersion": "2030-01-01" } }),
      "PROTOCOL_VERSION_UNSUPPORTED",
    ],
    [
      "an incomplete envelope before missing headers",
      {},
      request("tools/list", { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }),
      "ENVELOPE_INVALID",
    ],
    [
      "missing headers before an unknown method",
      {},
      request("vendor/x", { _meta: ENVELOPE }),
      "HEADER_MISMATCH",
    ],
    [
      "a version that is no string",
      {},
      request("tools/list", { _meta: { "io.modelcontextprotocol/protocolVersion": 1 } }),
      "ENVELOPE_INVALID",
    ],
    [
      "capabilities that are no object",
      modern,
      request("tools/list", { _meta: { ...ENVELOPE, "io.modelcontextprotocol/clientCapabilities": [] } }),
      "ENVELOPE_INVALID",
    ],
    [
      "client info without a name",
      modern,
      request("tools/list", { _meta: { ...ENVELOPE, "io.modelcontextprotocol/clientInfo": {} } }),
      "ENVELOPE_INVALID",
    ],
    [
      "an unknown log level",
      modern,
      request("tools/list", { _meta: { ...ENVELOPE, "io.modelcontextprotocol/logLevel": "loud" } }),
      "ENVELOPE_INVALID",
    ],
    ["a modern header without an envelope", modern, request("tools/list"), "ENVELOPE_INVALID"],
    [
      "a header from the future without an envelope",
      { "MCP-Protocol-Version": "2027-01-01" },
      request("tools/list"),
      "ENVELOPE_INVALID",
    ],
    [
      "initialize with a modern header",
      { "MCP-Protocol-Version": "2026-07-28" },
      request("initialize", {}),
      "HEADER_MISMATCH",
    ],
    [
      "a response with a modern header",
      { "MCP-Protocol-Version": "2026-07-28" },
      { kind: "response", id: 1, result: {} },
      "MESSAGE_INVALID",
    ],
    [
      "a notification with another method in the header",
      { ...modern },
      { kind: "notification", method: "notifications/cancelled", params: undefined },
      "HEADER_MISMATCH",
    ],
    [
      "a legacy header that is no revision",
      { "MCP-Protocol-Version": "zzz" },
      request("tools/list"),
      "PROTOCOL_VERSION_UNSUPPORTED",
    ],
    [
      "a name in the header that the body lacks",
      { ...modern, "Mcp-Method": "tools/call", "Mcp-Name": "x" },
      request("tools/call", { _meta: ENVELOPE }),
      "HEADER_MISMATCH",
    ],
    [
      "a uri in the header that the body spells otherwise",
      { ...modern, "Mcp-Method": "resources/read", "Mcp-Name": "file:///A" },
      request("resources/read", { uri: "file:///a", _meta: ENVELOPE }),
      "HEADER_MISMATCH",
    ],
  ])("refuses %s", (_name, headers, message, code) => {
    expect(codeOf(() => classifyMessage({ headers: view(headers), message }))).toBe(code);
  });

  it("says which revisions it speaks", () => {
    const message = request("tools/list", {
      _meta: { ...ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2027-01-01" },
    });
    expect(() => classifyMessage({ headers: view({}), message })).toThrow(
      expect.objectContaining({ data: { supported: ["2026-07-28"], requested: "2027-01-01" } }),
    );
  });

  it("keeps initialize modern where a modern envelope claims it", () => {
    const message = request("initialize", { _meta: ENVELOPE });
    expect(classifyMessage({ headers: view({ ...modern, "Mcp-Method": "initialize" }), message }).era).toBe(
      "modern",
    );
  });
});

describe("checkParamHeaders", () => {
  const declarations = [{ header: "Region", path: ["filter", "region"] }];
  it.each<[string, Record<string, string>, JsonObject, string]>([
    ["equal strings", { "mcp-param-region": "eu-1" }, { filter: { region: "eu-1" } }, "accepted"],
    ["an encoded string", { "Mcp-Param-Region": "=?base64?w6k=?=" }, { filter: { region: "é" } }, "accepted"],
    ["another string", { "Mcp-Param-Region": "eu-2" }, { filter: { region: "eu-1" } }, "HEADER_MISMATCH"],
    ["integers as numbers", { "Mcp-Param-Region": "42.0" }, { filter: { region: 42 } }, "accepted"],
    [
      "an integer in hexadecimal",
      { "Mcp-Param-Region": "0x2a" },
      { filter: { region: 42 } },
      "HEADER_MISMATCH",
    ],
    ["a boolean", { "Mcp-Param-Region": "true" }, { filter: { region: true } }, "accepted"],
    [
      "a boolean in capitals",
      { "Mcp-Param-Region": "True" },
      { filter: { region: true } },
      "HEADER_MISMATCH",
    ],
    ["a header that is missing", {}, { filter: { region: "eu-1" } }, "HEADER_MISMATCH"],
    ["a header for null", { "Mcp-Param-Region": "null" }, { filter: { region: null } }, "HEADER_MISMATCH"],
    ["a header for an absent argument", { "Mcp-Param-Region": "" }, { filter: {} }, "HEADER_MISMATCH"],
    ["neither", {}, {}, "accepted"],
    ["an inherited name", { "Mcp-Param-Region": "x" }, {}, "HEADER_MISMATCH"],
    [
      "a lossless number by its digits",
      { "Mcp-Param-Region": "9007199254740993" },
      { filter: { region: rawNumber("9007199254740993") } },
      "accepted",
    ],
    [
      "its neighbour",
      { "Mcp-Param-Region": "9007199254740992" },
      { filter: { region: rawNumber("9007199254740993") } },
      "HEADER_MISMATCH",
    ],
    ["an undeclared header", { "Mcp-Param-Other": "x" }, {}, "accepted"],
  ])("%s", (_name, headers, args, expected) => {
    expect(codeOf(() => checkParamHeaders(view(headers), declarations, args))).toBe(expected);
  });
});

describe("negotiateLegacyVersion", () => {
  it("echoes what is supported and offers the newest otherwise", () => {
    expect(negotiateLegacyVersion("2025-03-26")).toBe("2025-03-26");
    expect(negotiateLegacyVersion("2026-07-28")).toBe("2025-11-25");
    expect(negotiateLegacyVersion(undefined)).toBe("2025-11-25");
  });
});
