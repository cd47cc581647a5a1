// A call is parked because its server asks something, and then its caller is not told of it: the call ends at the server.
// The gateway and the server are real; only what comes after the asking is broken.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compile } from "#compiler";
import { decodeProcessConfig, startGateway } from "#gateway";
import type { Gateway } from "#gateway";
import { createLogger, createMetrics } from "#telemetry";
import { freePort } from "../../cli/dev/free-port.ts";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { ASK_ANYTHING } from "../e2e/asking-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { rawRequest } from "../e2e/raw-call.ts";
import type { RawAnswer } from "../e2e/raw-call.ts";
import { CHANNEL } from "../e2e/world.ts";
import { startLegacyAsks } from "../servers/legacy-asks.ts";
import type { LegacyAsksServer } from "../servers/legacy-asks.ts";

const SERVER = "old";

let dir: string;
let server: LegacyAsksServer;
let gateway: Gateway;
let token: string;
let broken: keyof Stages | undefined;

/** Puts a fault in the place of one stage, and leaves all else as it is. */
function breakStage(stages: Stages): Stages {
  const wrapped = Object.entries(stages).map(([key, stage]) => {
    const run = (exchange: never, signal: AbortSignal): unknown => {
      if (broken === key) throw new Error("planted");
      return (stage as { run: (e: never, s: AbortSignal) => unknown }).run(exchange, signal);
    };
    return [key, { name: stage.name, run }];
  });
  return Object.fromEntries(wrapped) as Stages;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "aegis-parked-"));
  const [started, issuer, trust, port] = await Promise.all([
    startLegacyAsks(),
    createThrowawayIssuer(),
    createThrowawayTrust(dir, CHANNEL),
    freePort(),
  ]);
  server = started;
  const publicUrl = `http://127.0.0.1:${port}`;
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: SERVER, transport });
  const { bundle, diagnostics } = await compile({
    dir,
    workspace: grantingRepository([pinned], { "policies/asks.yaml": ASK_ANYTHING }),
    overlay: {
      environment: CHANNEL,
      publicUrl,
      issuers: [issuer.overlay],
      transports: { [SERVER]: transport },
    },
  });
  if (bundle === undefined) throw new Error(JSON.stringify(diagnostics));
  await trust.release(bundle.bytes);
  const config = decodeProcessConfig(
    {
      listen: { host: "127.0.0.1", port },
      admin: { host: "127.0.0.1", port: 0 },
      release: { source: `dir:${trust.channelDir}`, channel: CHANNEL },
      trust: { root: trust.rootPath, rootSha256: trust.rootSha256 },
      stateDir: join(dir, "state"),
      audit: { dir: join(dir, "audit"), mode: "sync" },
    },
    { file: "gateway.json", baseDir: dir, environment: {} },
  );
  gateway = await startGateway({
    config,
    logger: createLogger({ level: "silent" }),
    metrics: createMetrics(),
    wrapStages: breakStage,
  });
  token = await issuer.mint({
    subject: "dana",
    audience: `${publicUrl}/${SERVER}/mcp`,
    claims: { roles: ["Developer", "Employee"], is_external: false },
  });
}, 60_000);
afterAll(async () => {
  await gateway.stop(1_000);
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const elicit = (): Promise<RawAnswer> =>
  rawRequest(new URL(`http://127.0.0.1:${gateway.port}/${SERVER}/mcp`), {
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
