// What a hostile or broken upstream can bring past a redaction, into the audit log, or down on the process.
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAuditRecords } from "../e2e/audit-records.ts";
import { DEVELOPER, EMPLOYEE, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { sse, startHostileServer } from "./hostile-server.ts";
import type { Call, HostileServer, Misbehaviour } from "./hostile-server.ts";

const LIMITS = [
  "apiVersion: aegis.dev/v1",
  "kind: Limits",
  "limits: [{ id: reads, tools: [limited], per: [principal], limit: 2, window: 1h }]",
  "",
].join("\n");
const EMAIL = "secret.person@example.com";

function answerJson(response: ServerResponse, body: unknown): void {
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answerStream(response: ServerResponse, ...messages: readonly unknown[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).end(sse(...messages));
}

const fine = ({ id }: Call, extra: object = {}): object => ({
  jsonrpc: "2.0",
  id,
  result: { resultType: "complete", content: [], ...extra },
});
const notification = (method: string, params: object): object => ({ jsonrpc: "2.0", method, params });

/** Ways to say the address beside the payload. */
const LEAKS: Readonly<Record<string, Misbehaviour>> = {
  "leak-progress": (call, response) =>
    answerStream(
      response,
      notification("notifications/progress", {
        progressToken: call.progressToken,
        progress: 1,
        message: EMAIL,
        note: EMAIL,
        _meta: { assignee: { email: EMAIL } },
      }),
      notification("notifications/message", {
        level: "info",
        data: EMAIL,
        more: { assignee: { email: EMAIL } },
      }),
      fine(call),
    ),
  "leak-updated": (call, response) =>
    answerStream(
      response,
      notification("notifications/resources/updated", { uri: "note://one", title: EMAIL }),
      fine(call),
    ),
  "leak-members": (call, response) =>
    answerJson(response, fine(call, { note: EMAIL, _meta: { assignee: { email: EMAIL } } })),
  "leak-error": ({ id }, response) =>
    answerJson(response, { jsonrpc: "2.0", id, error: { code: -32020, message: EMAIL, data: EMAIL } }),
};

const BREAKAGES: Readonly<Record<string, Misbehaviour>> = {
  "random bytes": (_call, response) => answerJson(response, randomBytes(4_096)),
  "random bytes in a stream": (_call, response) =>
    void response.writeHead(200, { "content-type": "text/event-stream" }).end(randomBytes(4_096)),
  "a reset before the head": (_call, response) => response.socket?.resetAndDestroy(),
  "a reset within the body": (_call, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
    response.write('{"jsonrpc":"2.0",', () => response.socket?.resetAndDestroy());
  },
  "another id": (call, response) => answerJson(response, fine({ ...call, id: Number(call.id) + 1 })),
  "its id as a string": (call, response) => answerJson(response, fine({ ...call, id: String(call.id) })),
  "a batch": (call, response) => answerJson(response, [fine(call)]),
  "a redirect": (_call, response) => void response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
  "no content": (_call, response) => void response.writeHead(204).end(),
  "a result that needs input": (call, response) =>
    answerJson(response, fine(call, { resultType: "input_required", inputRequests: {} })),
};

const EXCESSES: Readonly<Record<string, Misbehaviour>> = {
  "flood of requests": (call, response) =>
    answerStream(
      response,
      ...Array.from({ length: 2_000 }, (_, id) => ({ jsonrpc: "2.0", id, method: "sampling/createMessage" })),
      fine(call),
    ),
  "half a million members": (call, response) =>
    answerJson(
      response,
      fine(call, {
        structuredContent: Object.fromEntries(Array.from({ length: 490_000 }, (_, n) => [`k${n}`, n])),
      }),
    ),
};

let server: HostileServer;
let world: GatewayWorld;
let token: string;
beforeAll(async () => {
  server = await startHostileServer({ ...LEAKS, ...BREAKAGES, ...EXCESSES });
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: "hostile", transport });
  const redact = [
    "metadata: { name: redact, reason: addresses are private }",
    "scope: { servers: [hostile] }",
    'transforms: { secret: { redact: ["$.response.assignee.email"] } }',
    "",
  ].join("\n");
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/redact.yaml": redact, "limits.yaml": LIMITS }),
    transports: { hostile: transport },
  });
  token = await world.token(DEVELOPER, "hostile");
}, 60_000);
afterAll(async () => {
  await world.stop();
  await server.close();
});

async function post(body: object, headers: Record<string, string>): Promise<Response> {
  return fetch(world.endpoint("hostile"), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

async function modern(tool: string, text: string): Promise<string> {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    progressToken: "mine",
  };
  const params = { name: tool, arguments: { text }, _meta };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool };
  return (await post({ jsonrpc: "2.0", id: 7, method: "tools/call", params }, headers)).text();
}

async function openLegacy(bearer = token): Promise<Record<string, string>> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  const opened = await post(
    { jsonrpc: "2.0", id: 0, method: "initialize", params },
    {
      authorization: `Bearer ${bearer}`,
    },
  );
  await opened.text();
  return {
    "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": "2025-11-25",
  };
}

async function legacy(tool: string, text: string): Promise<string> {
  const params = { name: tool, arguments: { text }, _meta: { progressToken: "mine" } };
  return (await post({ jsonrpc: "2.0", id: 7, method: "tools/call", params }, await openLegacy())).text();
}

const eras = { modern, legacy } as const;
const cases = (names: object): { era: keyof typeof eras; name: string }[] =>
  Object.keys(names).flatMap((name) => [
    { era: "modern", name },
    { era: "legacy", name },
  ]);

it("a caller to whom nothing is granted does not reach the server with an endpoint's own method", async () => {
  const authorization = `Bearer ${await world.token(EMPLOYEE, "hostile")}`;
  const session = await openLegacy(authorization.slice("Bearer ".length));
  const before = server.sessions();
  const setLevel = { jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "debug" } };
  expect(await (await post(setLevel, { ...session, authorization })).text()).toContain("POLICY_DENIED");
  expect(server.arrived()).not.toContain("logging/setLevel");
  expect(server.sessions()).toBe(before);
  expect(await (await post(setLevel, await openLegacy())).text()).toContain('"result"');
});

it("a caller has one allowance, however many clients it comes with", async () => {
  const call = async (client: string): Promise<string> => {
    const bearer = await world.issuer.mint({
      subject: DEVELOPER.subject,
      audience: world.endpoint("hostile").href,
      claims: { roles: [...DEVELOPER.roles], is_external: false, client_id: client },
    });
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const headers = {
      authorization: `Bearer ${bearer}`,
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "limited",
    };
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "limited", _meta } };
    return (await post(request, headers)).text();
  };
  expect(await call("one")).toContain('"result"');
  expect(await call("two")).toContain('"result"');
  expect(await call("three")).toContain("RATE_LIMITED");
});

it("a flood of violations is counted and not logged line by line", async () => {
  const before = world.log.length;
  await modern("plain", "flood of requests");
  expect(world.log.length - before).toBeLessThan(100);
});

it("an answer with one huge object is refused before it is built", async () => {
  expect(await modern("plain", "half a million members")).toContain("RESULT_TOO_LARGE");
});

describe("a redacted tool", () => {
  it.each(cases(LEAKS))("$era $name: the address stays inside", async ({ era, name }) => {
    const answer = await eras[era]("secret", name);
    expect(answer).not.toContain("secret.person");
    expect(answer).toMatch(/"id":7,"(?:result|error)"/);
    const records = await readAuditRecords(world.gateway.auditDir);
    expect(JSON.stringify(records)).not.toContain("secret.person");
    expect(world.log.join("\n")).not.toContain("secret.person");
  });
});

describe("a broken answer", () => {
  it.each(cases(BREAKAGES))(
    "$era $name: one refusal, on record, and the gateway goes on",
    async ({ era, name }) => {
      const { error } = JSON.parse(await eras[era]("plain", name)) as {
        error?: { data?: { decisionId?: string } };
      };
      const id = error?.data?.decisionId;
      expect(id).toBeDefined();
      const records = (await readAuditRecords(world.gateway.auditDir)).filter(
        ({ body }) => body["id"] === id,
      );
      expect(records.map(({ ev }) => ev)).toEqual(["decision", "result"]);
      expect(await modern("plain", "hello")).toContain('"text":"hello"');
    },
  );
});
