// A call is parked because its server asks something, and then its caller is not told of it: the call ends at the server.
// The gateway and the server are real; only what comes after the asking is broken.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Stages } from "../../runtime/stages/stages.ts";
import { ASK_ANYTHING } from "../e2e/asking-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { rawRequest } from "../e2e/raw-call.ts";
import type { RawAnswer } from "../e2e/raw-call.ts";
import { startLegacyAsks } from "../servers/legacy-asks.ts";
import type { LegacyAsksServer } from "../servers/legacy-asks.ts";
import { startInProcess } from "./in-process-gateway.ts";
import type { InProcessGateway } from "./in-process-gateway.ts";

const SERVER = "old";

let dir: string;
let server: LegacyAsksServer;
let started: InProcessGateway;
let token: string;
let broken: keyof Stages | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-parked-"));
  server = await startLegacyAsks();
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: SERVER, transport });
  started = await startInProcess({
    dir,
    workspace: grantingRepository([pinned], { "policies/asks.yaml": ASK_ANYTHING }),
    transports: { [SERVER]: transport },
    wrap: (key, run) => (exchange, signal) => {
      if (broken === key) throw new Error("planted");
      return run(exchange, signal);
    },
  });
  token = await started.token(`/${SERVER}/mcp`, ["Developer", "Employee"]);
}, 60_000);
afterAll(async () => {
  await started.gateway.stop(1_000);
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const elicit = (): Promise<RawAnswer> =>
  rawRequest(new URL(`${started.origin}/${SERVER}/mcp`), {
    method: "tools/call",
    name: "elicit",
    params: { name: "elicit", arguments: {} },
    token,
    capabilities: { elicitation: { form: {} } },
  });

it("is told of it while nothing is broken", async () => {
  broken = undefined;
  expect((await elicit()).result).toMatchObject({ resultType: "input_required" });
  expect(server.log.cancelled).toBe(0);
});

it.each(["checkResult", "transformResponse", "recordResult"] as const)("%s fails", async (stage) => {
  const { cancelled } = server.log;
  broken = stage;
  const answer = await elicit();
  broken = undefined;
  expect(answer.error?.data?.code).toBe("STAGE_FAULT");
  await expect.poll(() => server.log.cancelled).toBe(cancelled + 1);
});
