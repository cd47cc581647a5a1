// Host and Origin on every way into a gateway: each verb, each endpoint, each upgrade, and the admin port.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../attack/raw-http.ts";
import { readAuditRecords } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER } from "./gateway-world.ts";

const GOOD_ORIGIN = "https://app.example";
const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Protocol: mcp",
];
const JSON_BODY = ["Content-Type: application/json", "Accept: application/json, text/event-stream"];

let world: EchoWorld;
let token = "";
beforeAll(async () => {
  world = await startEchoWorld({ listen: { allowedOrigins: [GOOD_ORIGIN] } });
  token = await world.token(DEVELOPER, "echo");
}, 60_000);
afterAll(() => world.stop());

interface Way {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const WAYS: readonly Way[] = [
  { name: "a message", method: "POST", path: "/echo/mcp", headers: JSON_BODY, body: "{}" },
  {
    name: "the stream of a session",
    method: "GET",
    path: "/echo/mcp",
    headers: ["Accept: text/event-stream"],
  },
  { name: "the end of a session", method: "DELETE", path: "/echo/mcp" },
  { name: "another verb", method: "PUT", path: "/echo/mcp" },
  { name: "a preflight", method: "OPTIONS", path: "/echo/mcp" },
  { name: "a WebSocket", method: "GET", path: "/echo/mcp", headers: UPGRADE },
  { name: "a WebSocket elsewhere", method: "GET", path: "/nothing", headers: UPGRADE },
  { name: "an SSE stream", method: "GET", path: "/echo/mcp/sse", headers: ["Accept: text/event-stream"] },
  {
    ...{ name: "a message to an SSE stream", method: "POST", headers: JSON_BODY, body: "{}" },
    path: "/echo/mcp/sse?sessionId=00000000-0000-4000-8000-000000000000",
  },
  { name: "another verb on SSE", method: "DELETE", path: "/echo/mcp/sse" },
  { name: "metadata", method: "GET", path: "/.well-known/oauth-protected-resource/echo/mcp" },
  { name: "no endpoint", method: "GET", path: "/" },
];

function ask(
  way: Way,
  host: string,
  extra: readonly string[],
  port: number,
): Promise<{ readonly status: number }> {
  const { method, path, headers = [], body = "" } = way;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
    ...headers,
    ...extra,
    `Content-Length: ${String(body.length)}`,
    "",
    body,
  ];
  return exchangeRaw({ host: "127.0.0.1", port, timeoutMs: 5_000 }, Buffer.from(lines.join("\r\n")));
}

describe.each(WAYS)("$name ($method $path)", (way) => {
  const port = (): number => Number(world.endpoint("echo").port);
  const loopback = (): string => `127.0.0.1:${String(port())}`;

  it.each([
    ["a foreign Host", "evil.test", [], 403],
    ["a foreign Host with the port", "evil.test:80", [], 403],
    ["a Host that only begins well", "127.0.0.1.evil.test", [], 403],
    ["two Hosts", undefined, ["Host: evil.test"], 400],
    ["a foreign Origin", undefined, ["Origin: https://evil.test"], 403],
    ["an opaque Origin", undefined, ["Origin: null"], 403],
    ["an Origin that only begins well", undefined, [`Origin: ${GOOD_ORIGIN}.evil.test`], 403],
    ["an Origin on another port", undefined, [`Origin: ${GOOD_ORIGIN}:444`], 403],
    ["two Origins", undefined, [`Origin: ${GOOD_ORIGIN}`, "Origin: https://evil.test"], 400],
  ] as const)("refuses %s", async (_name, host, extra, status) => {
    const before = world.echo.counters().total;
    expect((await ask(way, host ?? loopback(), extra, port())).status).toBe(status);
    expect(world.echo.counters().total).toBe(before);
  });

  it("does not refuse the listed Origin for being one", async () => {
    if (way.name === "an SSE stream" || way.name === "a WebSocket") return;
    const { status } = await ask(way, loopback(), [`Origin: ${GOOD_ORIGIN}`], port());
    expect(status).not.toBe(403);
  });
});

it("records what was refused", async () => {
  const records = await readAuditRecords(world.gateway.auditDir);
  const codes = new Set(records.filter(({ ev }) => ev === "auth").map(({ body }) => body["code"]));
  for (const code of ["HOST_FORBIDDEN", "ORIGIN_FORBIDDEN", "HTTP_HEADER_INVALID"])
    expect(codes).toContain(code);
});

it.each(["/healthz", "/readyz", "/status", "/metrics", "/-/reload"])(
  "the admin port refuses them on %s",
  async (path) => {
    const port = Number(new URL(world.gateway.adminUrl).port);
    const method = path === "/-/reload" ? "POST" : "GET";
    expect((await ask({ name: "", method, path }, "evil.test", [], port)).status).toBe(403);
    const origin = [`Origin: ${GOOD_ORIGIN}`];
    expect((await ask({ name: "", method, path }, `127.0.0.1:${String(port)}`, origin, port)).status).toBe(
      403,
    );
  },
);
