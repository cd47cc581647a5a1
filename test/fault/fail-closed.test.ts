// Generated: every stage of the pipeline × every way to fail. A fault is a denial, nothing reaches the upstream, and
// exactly one decision is on record. The gateway, the audit writer and the MCP server are real; only the stage is broken.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "#compiler";
import { decodeProcessConfig, startGateway } from "#gateway";
import type { Gateway } from "#gateway";
import { startDemoServers } from "../../cli/demo/demo-servers.ts";
import type { DemoServers } from "../../cli/demo/demo-servers.ts";
import { freePort } from "../../cli/dev/free-port.ts";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { createLogger, createMetrics } from "#telemetry";
import { readAuditRecords } from "../e2e/audit-records.ts";
import { editedTemplate } from "../e2e/edited-template.ts";
import { rawCall } from "../e2e/raw-call.ts";
import type { RawAnswer } from "../e2e/raw-call.ts";
import { CHANNEL } from "../e2e/world.ts";

const FAULTS = {
  throws: () => {
    throw new Error("planted");
  },
  rejects: () => Promise.reject(new Error("planted")),
  hangs: () => new Promise<never>(() => undefined),
  "returns undefined": () => undefined,
  "returns a promise of undefined": () => Promise.resolve(undefined),
  "returns a forged verdict": (exchange: object) => ({ kind: "proceed", exchange }),
} as const;
type FaultName = keyof typeof FAULTS;

const REQUEST_STAGES = [
  "listener",
  "endpoint",
  "authenticate",
  "admit",
  "target",
  "pinAndProject",
  "authorize",
  "throttle",
  "transformRequest",
  "record",
] as const;
const LATE_STAGES = ["dispatch", "checkResult", "transformResponse", "recordResult"] as const;
const DEADLINE_MS = 400;

let planted: { readonly stage: keyof Stages; readonly fault: FaultName } | undefined;

/** Puts the planted fault in the place of its stage, and leaves all else as it is. */
function breakStages(stages: Stages): Stages {
  const wrapped = Object.entries(stages).map(([key, stage]) => {
    const run = (exchange: never, signal: AbortSignal): unknown =>
      planted?.stage === key
        ? FAULTS[planted.fault](exchange)
        : (stage as { run: (e: never, s: AbortSignal) => unknown }).run(exchange, signal);
    return [key, { name: stage.name, run }];
  });
  return Object.fromEntries(wrapped) as Stages;
}

describe("fail closed", () => {
  let dir: string;
  let servers: DemoServers;
  let gateway: Gateway;
  let token: string;
  const cases = [...REQUEST_STAGES, ...LATE_STAGES].flatMap((stage) =>
    (Object.keys(FAULTS) as FaultName[]).map((fault) => ({ stage, fault })),
  );

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "aegis-fault-"));
    const [started, issuer, trust, port] = await Promise.all([
      startDemoServers(dir),
      createThrowawayIssuer(),
      createThrowawayTrust(dir, CHANNEL),
      freePort(),
    ]);
    servers = started;
    const publicUrl = `http://127.0.0.1:${port}`;
    const { bundle, diagnostics } = await compile({
      dir,
      workspace: editedTemplate({
        "routes.yaml": (text) => text.replace("deadline: 30s", `deadline: ${DEADLINE_MS}ms`),
      }),
      overlay: { environment: CHANNEL, publicUrl, issuers: [issuer.overlay], transports: servers.transports },
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
        programs: JSON.parse(JSON.stringify(servers.programs)),
      },
      { file: "gateway.json", baseDir: dir, environment: {} },
    );
    gateway = await startGateway({
      config,
      logger: createLogger({ level: "silent" }),
      metrics: createMetrics(),
      wrapStages: breakStages,
      admissionDeadlineMs: DEADLINE_MS,
    });
    token = await issuer.mint({
      subject: "dana",
      audience: `${publicUrl}/sql-prod/mcp`,
      claims: { roles: ["Developer"], is_external: false },
    });
  });

  afterAll(async () => {
    await gateway.stop(1_000);
    await servers.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const call = (): Promise<RawAnswer> =>
    rawCall(new URL(`http://127.0.0.1:${gateway.port}/sql-prod/mcp`), token, "sql.query", {
      sql: "SELECT 1 AS one",
    });

  it("lets the call through while nothing is broken", async () => {
    planted = undefined;
    // The first call also reads the live pins, which on a busy machine takes longer than the short deadline.
    for (let attempt = 0; attempt < 50 && (await call()).result === undefined; attempt += 1);
    const before = await servers.calls("sql-prod");
    const answer = await call();
    expect(answer.error).toBeUndefined();
    expect(answer.result).toBeDefined();
    expect(await servers.calls("sql-prod")).toBe(before + 1);
  });

  it.each(cases)("$stage $fault: denied, recorded once", async ({ stage, fault }) => {
    const isLate = (LATE_STAGES as readonly string[]).includes(stage);
    const before = await servers.calls("sql-prod");
    planted = { stage, fault };
    const answer = await call();
    planted = undefined;
    expect(answer.result).toBeUndefined();
    expect(answer.error?.data?.code).toBe(fault === "hangs" ? "EXCHANGE_DEADLINE" : "STAGE_FAULT");
    const reached = (await servers.calls("sql-prod")) - before;
    expect(reached).toBe(isLate && stage !== "dispatch" ? 1 : 0);
    const id = answer.error?.data?.decisionId;
    const records = (await readAuditRecords(join(dir, "audit"))).filter((record) => record.body["id"] === id);
    if (!isLate) {
      expect(records).toHaveLength(1);
      expect(records[0]?.body).toMatchObject({ effect: "deny", code: answer.error?.data?.code });
      return;
    }
    expect(records.map((record) => record.ev)).toEqual(["decision", "result"]);
    expect(records[1]?.body).toMatchObject({ outcome: "denied", code: answer.error?.data?.code });
  });
});
