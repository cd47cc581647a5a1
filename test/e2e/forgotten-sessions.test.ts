// A legacy server that was started again knows none of the sessions that the gateway has with it.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startHttpSix } from "../servers/six-primitives/hosts.ts";
import { connectLegacy, connectModern } from "./clients.ts";
import type { CallOutcome, McpClient } from "./clients.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";

const PIN_MAX_AGE_MS = 300;

let server: Awaited<ReturnType<typeof startHttpSix>>;
let world: GatewayWorld;

beforeAll(async () => {
  server = await startHttpSix({ onReached: () => undefined });
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: "six", transport }, {}, {}, ["legacy"]);
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned]),
    transports: { six: transport },
    pinMaxAgeMs: PIN_MAX_AGE_MS,
  });
}, 60_000);
afterAll(async () => {
  await world.stop();
  await server.close();
});

it("costs each older session a call, and no other caller anything", async () => {
  const token = await world.token(DEVELOPER, "six");
  const url = new URL(world.endpoint("six"));
  const older = [await connectLegacy(url, token), await connectModern(url, token)] as const;
  const [tool = ""] = (await older[0].listTools())
    .map(({ name }) => name)
    .filter((name) => name.startsWith("tool_"));
  const call = (client: McpClient): Promise<CallOutcome> => client.callTool(tool, { word: "x" });
  for (const client of older) expect(await call(client)).toMatchObject({ kind: "result" });
  server.forgetSessions();
  // Until the pins have to be read again, through a session that is forgotten too.
  await delay(2 * PIN_MAX_AGE_MS);
  const newer = await connectLegacy(url, token);
  expect(await call(newer)).toMatchObject({ kind: "result" });
  for (const client of older) {
    expect(await call(client)).toMatchObject({ kind: "error", data: { code: "UPSTREAM_UNAVAILABLE" } });
    expect(await call(client)).toMatchObject({ kind: "result" });
  }
  for (const client of [...older, newer]) await client.close();
});
