import { describe, expect, it } from "vitest";
import { headerView } from "#mcp";
import { accepts, checkTransport, requireLegacyAccept } from "../../../runtime/listener/index.ts";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
}
const head = (headers: Record<string, string>, method = "GET", rawTarget = "/m") => ({
  method,
  rawTarget,
  headers: headerView(Object.entries(headers).flat()),
});

describe("checkTransport", () => {
  it.each([
    ["gw.example", "gw.example", "accepted"],
    ["GW.Example", "gw.example", "accepted"],
    ["gw.example:8443", "gw.example", "HOST_FORBIDDEN"],
    ["gw.example:8443", "gw.example:8443", "accepted"],
    ["gw.example:1", "gw.example:*", "accepted"],
    ["gw.example", "gw.example:*", "accepted"],
    ["[::1]:8080", "[::1]:*", "accepted"],
    ["gw.example:99999999", "gw.example:*", "HOST_FORBIDDEN"],
    ["gw.example, evil.test", "gw.example", "HOST_FORBIDDEN"],
    ["gw.example/evil", "gw.example", "HOST_FORBIDDEN"],
    [":8080", "*", "HOST_FORBIDDEN"],
  ])("Host %s against %s: %s", (host, allowed, expected) => {
    expect(
      codeOf(() => checkTransport(head({ host }), { allowedHosts: [allowed], allowedOrigins: [] })),
    ).toBe(expected);
  });

  it("refuses every host where none is allowed", () => {
    expect(
      codeOf(() => checkTransport(head({ host: "localhost" }), { allowedHosts: [], allowedOrigins: [] })),
    ).toBe("HOST_FORBIDDEN");
  });

  it("never repeats a credential of the query in its detail", () => {
    expect(() =>
      checkTransport(head({ host: "a" }, "GET", "/m?token=s3cr3t"), {
        allowedHosts: ["a"],
        allowedOrigins: [],
      }),
    ).toThrow(
      expect.objectContaining({ code: "HTTP_TARGET_INVALID", detail: expect.not.stringContaining("s3cr3t") }),
    );
  });
});

it("looks at the query last, and only where something answers at the path", () => {
  const rules = { allowedHosts: ["a"], allowedOrigins: [] };
  const codeFor = (host: string, servesPath: boolean): string =>
    codeOf(() => checkTransport(head({ host }, "GET", "/m?token=s3cr3t"), rules, servesPath));
  expect(codeFor("a", true)).toBe("HTTP_TARGET_INVALID");
  expect(codeFor("a", false)).toBe("accepted");
  expect(codeFor("b", true)).toBe("HOST_FORBIDDEN");
  expect(codeOf(() => checkTransport(head({ host: "a" }, "GET", "//m?a"), rules, false))).toBe(
    "HTTP_TARGET_INVALID",
  );
});

describe("accept", () => {
  it.each([
    ["application/json, text/event-stream", true],
    ["text/event-stream;q=0.5, application/json;q=1", true],
    ["*/*", true],
    ["application/*, text/*", true],
    ["application/json", false],
    ["text/event-stream", false],
    ["application/json, text/event-stream;q=0", false],
    ["", false],
  ])("a legacy POST with %j is served: %s", (accept, served) => {
    expect(codeOf(() => requireLegacyAccept(head({ accept }, "POST")))).toBe(
      served ? "accepted" : "HTTP_NOT_ACCEPTABLE",
    );
  });

  it("takes a GET for a stream alone, and several Accept headers as one list", () => {
    expect(codeOf(() => requireLegacyAccept(head({ accept: "text/event-stream" }, "GET")))).toBe("accepted");
    expect(
      accepts(headerView(["Accept", "application/json", "accept", "text/event-stream"]), "text/event-stream"),
    ).toBe(true);
    expect(accepts(headerView([]), "application/json")).toBe(false);
  });
});
