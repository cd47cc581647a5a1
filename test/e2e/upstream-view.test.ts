// What an MCP server behind the gateway sees of its callers: never their token, always their cancel. And how a gateway
// with calls under way stops.
import { afterAll, beforeAll, expect, it } from "vitest";
import { verifyAuditLog } from "#audit";
import type { EchoServer } from "../servers/echo.ts";
import { openLegacy, openModern } from "./clients.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { rawCall } from "./raw-call.ts";

let world: EchoWorld;
let token: string;
let echo: EchoServer;

beforeAll(async () => {
  world = await startEchoWorld();
  echo = world.echo;
  token = await world.token(DEVELOPER, "echo");
});

afterAll(() => world.stop());

it.each([
  ["1.x", openLegacy],
  ["2.x", openModern],
] as const)("the token of a %s client never reaches the server", async (_sdk, open) => {
  const client = await open(world.endpoint("echo"), token);
  const text = `hello from ${_sdk}`;
  expect(JSON.stringify(await client.callTool({ name: "echo", arguments: { text } }))).toContain(text);
  await client.close();
  const seen = echo.requests();
  expect(seen.some((request) => request.body.includes(text))).toBe(true);
  for (const { headers, body } of seen) {
    expect(headers.authorization).toBeUndefined();
    expect(JSON.stringify(headers) + body).not.toContain(token.slice(-40));
  }
});

it.each([
  ["1.x", openLegacy],
  ["2.x", openModern],
] as const)("a call that a %s client gives up is given up upstream", async (sdk, open) => {
  const client = await open(world.endpoint("echo"), token);
  const before = echo.counters();
  const abort = new AbortController();
  const request = { name: "wait", arguments: { ms: 30_000 } };
  const options = { signal: abort.signal };
  const call = (
    sdk === "1.x"
      ? (client as Awaited<ReturnType<typeof openLegacy>>).callTool(request, undefined, options)
      : (client as Awaited<ReturnType<typeof openModern>>).callTool(request, options)
  ).then(
    () => "answered",
    () => "given up",
  );
  await expect.poll(() => echo.counters().waiting, { timeout: 10_000 }).toBe(1);
  abort.abort();
  expect(await call).toBe("given up");
  await expect
    .poll(() => echo.counters(), { timeout: 10_000 })
    .toMatchObject({
      waiting: 0,
      cancelled: before.cancelled + 1,
    });
  await client.close();
});

it("SIGTERM: a call under way is answered, a new one is refused, the log is sealed, the exit is clean", async () => {
  const { child, auditDir } = world.gateway;
  const slow = rawCall(world.endpoint("echo"), token, "wait", { ms: 1_500 });
  await expect.poll(() => echo.counters().waiting, { timeout: 10_000 }).toBe(1);
  child.process.kill("SIGTERM");
  const refused = async (): Promise<boolean> => {
    try {
      return (await rawCall(world.endpoint("echo"), token, "echo", { text: "late" })).result === undefined;
    } catch {
      return true;
    }
  };
  await expect.poll(refused, { timeout: 5_000 }).toBe(true);
  expect(echo.counters().waiting).toBe(1);
  const answer = await slow;
  expect(JSON.stringify(answer.result)).toContain("waited 1500 ms");
  expect(await child.ended).toBe(0);
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
  await world.restartGateway();
  const again = await rawCall(world.endpoint("echo"), token, "echo", { text: "back" });
  expect(JSON.stringify(again.result)).toContain("back");
});
