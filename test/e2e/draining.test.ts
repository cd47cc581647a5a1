// The end of a gateway as its clients see it: what is under way is answered, listens get their final result, and every
// connection is closed with the code that says why.
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { modernMeta } from "./raw-call.ts";
import { modernRequest } from "./sse-client.ts";

let world: EchoWorld;
beforeAll(async () => {
  world = await startEchoWorld();
}, 60_000);
afterAll(() => world.stop());

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
  await expect.poll(() => seen.length === 1 && world.echo.counters().waiting === 1).toBe(true);
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
