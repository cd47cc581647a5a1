import { describe, expect, it } from "vitest";
import { METHOD_TABLE, lookupMethod, methodRow } from "#mcp";

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
}

// One line for each row: a change here changes what the gateway lets through.
const PINNED = `
client-to-server completion/complete request legacy,modern forward completion by-ref idempotent full
client-to-server initialize request legacy local none none idempotent full
client-to-server logging/setLevel request legacy forward method logging/setLevel idempotent full
client-to-server notifications/cancelled notification legacy,modern local none none idempotent full
client-to-server notifications/initialized notification legacy local none none idempotent full
client-to-server notifications/progress notification legacy local none none idempotent count
client-to-server notifications/roots/list_changed notification legacy local none none idempotent full
client-to-server notifications/tasks/status notification legacy deny task none idempotent full
client-to-server ping request legacy local none none idempotent count
client-to-server prompts/get request legacy,modern forward prompt prompts/get idempotent full Mcp-Name=name
client-to-server prompts/list request legacy,modern list none none idempotent full
client-to-server resources/list request legacy,modern list none none idempotent full
client-to-server resources/read request legacy,modern forward resource resources/read idempotent full Mcp-Name=uri
client-to-server resources/subscribe request legacy forward resource resources/read idempotent full
client-to-server resources/templates/list request legacy,modern list none none idempotent full
client-to-server resources/unsubscribe request legacy forward resource resources/read idempotent full
client-to-server server/discover request modern local none none idempotent full
client-to-server subscriptions/listen request modern listen none none idempotent full
client-to-server tasks/cancel request legacy,modern forward task none once full Mcp-Name=taskId
client-to-server tasks/get request legacy,modern forward task none idempotent full Mcp-Name=taskId
client-to-server tasks/list request legacy local none none idempotent full
client-to-server tasks/result request legacy forward task none idempotent full
client-to-server tasks/update request modern forward task none once full Mcp-Name=taskId
client-to-server tools/call request legacy,modern forward tool tools/call once full Mcp-Name=name
client-to-server tools/list request legacy,modern list none none idempotent full
server-to-client elicitation/create request legacy,modern forward method elicitation/create once full
server-to-client notifications/cancelled notification legacy,modern local none none idempotent full
server-to-client notifications/elicitation/complete notification legacy forward none none idempotent full
server-to-client notifications/message notification legacy,modern forward none none idempotent full
server-to-client notifications/progress notification legacy,modern forward none none idempotent count
server-to-client notifications/prompts/list_changed notification legacy,modern local none none idempotent full
server-to-client notifications/resources/list_changed notification legacy,modern local none none idempotent full
server-to-client notifications/resources/updated notification legacy,modern forward resource resources/read idempotent full
server-to-client notifications/subscriptions/acknowledged notification modern local none none idempotent full
server-to-client notifications/tasks notification modern forward task none idempotent full
server-to-client notifications/tasks/status notification legacy forward task none idempotent full
server-to-client notifications/tools/list_changed notification legacy,modern local none none idempotent full
server-to-client ping request legacy local none none idempotent count
server-to-client roots/list request legacy,modern forward method roots/list once full
server-to-client sampling/createMessage request legacy,modern forward method sampling/createMessage once full
server-to-client tasks/cancel request legacy deny task none once full
server-to-client tasks/get request legacy deny task none once full
server-to-client tasks/list request legacy deny task none once full
server-to-client tasks/result request legacy deny task none once full
`;

describe("method table", () => {
  it("is the pinned one", () => {
    const lines = METHOD_TABLE.map((row) =>
      [
        row.direction,
        row.method,
        row.kind,
        row.eras.join(","),
        row.handling,
        row.target,
        row.action,
        row.idempotent ? "idempotent" : "once",
        row.audit,
        ...(row.mcpNameFrom === undefined ? [] : [`Mcp-Name=${row.mcpNameFrom}`]),
      ].join(" "),
    );
    expect(lines).toEqual(PINNED.trim().split("\n"));
  });

  it("has no method twice in one direction and a leaf for everything that is decided on one", () => {
    const keys = METHOD_TABLE.map((row) => `${row.direction} ${row.method}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const row of METHOD_TABLE) {
      if (row.action !== "none") expect(row.target, row.method).not.toBe("none");
    }
  });

  it("knows a method only in its direction and era, by its exact spelling", () => {
    expect(lookupMethod("client-to-server", "tools/call", "modern")?.target).toBe("tool");
    expect(lookupMethod("server-to-client", "tools/call", "modern")).toBeUndefined();
    expect(lookupMethod("client-to-server", "ping", "modern")).toBeUndefined();
    for (const method of [
      "Tools/Call",
      "tools/call ",
      "tools//call",
      "tоols/call",
      "",
      "toString",
      "__proto__",
      "constructor",
    ]) {
      expect(lookupMethod("client-to-server", method, "modern"), method).toBeUndefined();
    }
  });

  it("refuses unknown, denied and misused methods", () => {
    expect(methodRow.fromClient("tools/call", "request", "legacy").method).toBe("tools/call");
    expect(codeOf(() => methodRow.fromClient("vendor/x", "request", "legacy"))).toBe("METHOD_UNKNOWN");
    expect(codeOf(() => methodRow.fromClient("tasks/result", "request", "modern"))).toBe("METHOD_UNKNOWN");
    expect(codeOf(() => methodRow.fromClient("initialize", "request", "modern"))).toBe("METHOD_UNKNOWN");
    expect(codeOf(() => methodRow.fromClient("tools/call", "notification", "legacy"))).toBe(
      "MESSAGE_INVALID",
    );
    expect(codeOf(() => methodRow.fromClient("notifications/initialized", "request", "legacy"))).toBe(
      "MESSAGE_INVALID",
    );
    expect(methodRow.postedResponse("legacy").handling).toBe("local");
    expect(codeOf(() => methodRow.postedResponse("modern"))).toBe("MESSAGE_INVALID");
  });
});
