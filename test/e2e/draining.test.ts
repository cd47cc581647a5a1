// The end of a gateway as its clients see it: what is under way is answered, listens get their final result, and every
// connection is closed with the code that says why.
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { initializeRequest, modernHeaders, modernMeta, postMessage } from "./raw-call.ts";
import { modernRequest } from "./sse-client.ts";

/** What comes is waited for longer than a busy machine takes. */
const PATIENT = { timeout: 10_000 };

let world: EchoWorld;
beforeEach(async () => {
  world = await startEchoWorld();
}, 60_000);
afterEach(() => world.stop());

it("answers what is under way, ends listens with their result, and closes with 1001", async () => {
  const token = await world.token(DEVELOPER, "echo");
  const notifications = { toolsListChanged: true };
  const listen = await modernRequest(world.endpoint("echo"), token, {
    id: "http",
    method: "subscriptions/listen",
    params: { notifications },
  });
  await listen.stream.until(({ method }) => method === "notifications/subscriptions/acknowledged");
  const socket = new WebSocket(world.endpoint("echo").href.replace("http:", "ws:"), "mcp", {
    headers: { authorization: `Bearer ${token}` },
  });
  const seen: Record<string, unknown>[] = [];
  socket.on("message", (data: Buffer) => seen.push(JSON.parse(data.toString()) as Record<string, unknown>));
  await once(socket, "open");
  const send = (id: string, method: string, params: object): void =>
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: modernMeta() } }));
  send("listen", "subscriptions/listen", { notifications });
  send("call", "tools/call", { name: "wait", arguments: { ms: 1_000 } });
  await expect.poll(() => seen.length === 1 && world.echo.counters().waiting === 1, PATIENT).toBe(true);
  const closed = once(socket, "close");
  const stopped = world.gateway.stop();
  const [code] = (await closed) as [number];
  await stopped;
  expect(code).toBe(1001);
  expect(seen.slice(1)).toMatchObject([
    { id: "listen", result: { resultType: "complete" } },
    { id: "call", result: {} },
  ]);
  await listen.stream.ended;
  expect(listen.stream.messages().at(-1)).toMatchObject({ id: "http", result: { resultType: "complete" } });
  const bodies = (await readAuditRecords(world.gateway.auditDir)).map(
    (record) => (record as unknown as { body: Record<string, unknown> }).body,
  );
  const opening = bodies.find((body) => body["stage"] === "open-connection");
  expect(bodies.filter(({ id }) => id === opening?.["id"])).toHaveLength(2);
}, 30_000);

it("takes no message over HTTP+SSE any more, and answers those that it has taken", async () => {
  const token = await world.token(DEVELOPER, "echo");
  const endpoint = world.endpoint("echo");
  const authorization = `Bearer ${token}`;
  const opened = await fetch(`${endpoint.href}/sse`, {
    headers: { authorization, accept: "text/event-stream" },
  });
  let events = "";
  const ended = (async () => {
    for await (const text of opened.body?.pipeThrough(new TextDecoderStream()) ?? []) events += text;
  })();
  await expect.poll(() => events, PATIENT).toContain("endpoint");
  const target = new URL(/data: (\S+)/u.exec(events)?.[1] ?? "", `${endpoint.href}/sse`);
  const post = (body: object): Promise<unknown> => postMessage(target, body, { authorization });
  await post(initializeRequest("2024-11-05"));
  await expect.poll(() => events, PATIENT).toContain('"id":0');
  const wait = { jsonrpc: "2.0", method: "tools/call", params: { name: "wait", arguments: { ms: 2_000 } } };
  await post({ ...wait, id: "taken" });
  // A connection stays open while it is busy; what is sent on it meanwhile arrives.
  const socket = connect(Number(endpoint.port), endpoint.hostname);
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("utf8")));
  const send = (path: string, headers: Readonly<Record<string, string>>, message: object): void => {
    const body = JSON.stringify(message);
    const all = { host: endpoint.host, authorization, ...headers };
    const lines = Object.entries({
      ...all,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  };
  const params = { ...wait.params, _meta: modernMeta() };
  send(endpoint.pathname, modernHeaders("tools/call", "wait"), { ...wait, id: "busy", params });
  await expect.poll(() => world.echo.counters().waiting, PATIENT).toBe(2);
  const closed = once(socket, "close");
  const stopped = world.gateway.stop();
  await expect.poll(() => isRefused(endpoint), PATIENT).toBe(true);
  send(`${target.pathname}${target.search}`, {}, { ...wait, id: "late" });
  await Promise.all([closed, stopped, ended]);
  expect(events).toMatch(/"id":"taken"[^\n]*"result"|"result"[^\n]*"id":"taken"/u);
  expect(events).not.toContain("late");
  expect(heard).toMatch(/^HTTP\/1\.1 200 .*"id":"busy"/su);
  expect(heard).not.toContain("HTTP/1.1 202");
}, 30_000);

function isRefused({ port, hostname }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("connect", () => resolve(false)).once("error", () => resolve(true));
    socket.once("connect", () => socket.destroy());
  });
}
