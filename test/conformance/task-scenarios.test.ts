// The scenarios of the tasks extension through a gateway. No SDK serves the extension, so the server is our own; what it
// must be able to do, the scenarios say themselves, and it passes them without a gateway too.
import { afterAll, beforeAll, expect, it } from "vitest";
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { startModernTasks } from "../servers/modern-tasks.ts";
import type { ModernTasksServer } from "../servers/modern-tasks.ts";
import { runServerScenario } from "./suite.ts";
import { startTokenProxy } from "./token-proxy.ts";
import type { TokenProxy } from "./token-proxy.ts";

const SCENARIOS: readonly (readonly [name: string, checks: number])[] = [
  ["lifecycle", 9],
  ["capability-negotiation", 5],
  ["wire-fields", 4],
  ["request-state-removal", 3],
  ["mrtr-input", 4],
  ["request-headers", 5],
  ["dispatch-and-envelope", 9],
  ["required-task-error", 3],
  ["mrtr-composition", 2],
];
const ASKS = `
metadata: { name: asks, reason: developers may be asked }
scope: { servers: [jobs], principals: { in: [Developer] } }
allow: { elicitation: [jobs] }
`;

let upstream: ModernTasksServer;
let world: GatewayWorld;
let proxy: TokenProxy;

beforeAll(async () => {
  upstream = await startModernTasks();
  const transport = { type: "streamable-http", url: upstream.url } as const;
  const pinned = await pinLive({ id: "jobs", transport });
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/asks.yaml": ASKS }),
    transports: { jobs: transport },
  });
  const token = await world.token(DEVELOPER, "jobs");
  proxy = await startTokenProxy();
  proxy.forwardTo({ port: Number(world.endpoint("jobs").port), token: () => token });
}, 60_000);

afterAll(async () => {
  await proxy.close();
  await world.stop();
  await upstream.close();
});

// Each is a process of the suite, which waits for its own timers most of the time.
it.concurrent.each(SCENARIOS)(
  "tasks-%s",
  async (name, expected) => {
    const url = `http://127.0.0.1:${String(proxy.port)}/jobs/mcp`;
    const result = await runServerScenario(url, "2026-07-28", `tasks-${name}`);
    const checks = [...result.values()].flat();
    const bad = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
    expect(bad.map(({ id, errorMessage }) => `${id}: ${String(errorMessage)}`)).toEqual([]);
    expect(checks).toHaveLength(expected);
  },
  120_000,
);
