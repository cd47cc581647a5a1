// Generated: every stage of the pipeline × every way to fail. A fault is a denial, nothing reaches the upstream, and
// exactly one decision is on record. The gateway, the audit writer and the MCP server are real; only the stage is broken.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDemoServers } from "../../cli/demo/demo-servers.ts";
import type { DemoServers } from "../../cli/demo/demo-servers.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { readAuditRecords } from "../e2e/audit-records.ts";
import { editedTemplate } from "../e2e/edited-template.ts";
import { rawCall } from "../e2e/raw-call.ts";
import type { RawAnswer } from "../e2e/raw-call.ts";
import { startInProcess } from "./in-process-gateway.ts";
import type { InProcessGateway } from "./in-process-gateway.ts";

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

describe("fail closed", () => {
  let dir: string;
  let servers: DemoServers;
  let started: InProcessGateway;
  let token: string;
  const cases = [...REQUEST_STAGES, ...LATE_STAGES].flatMap((stage) =>
    (Object.keys(FAULTS) as FaultName[]).map((fault) => ({ stage, fault })),
  );

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "aegis-fault-"));
    servers = await startDemoServers(dir);
    started = await startInProcess({
      dir,
      workspace: editedTemplate({
        "routes.yaml": (text) => text.replace("deadline: 30s", `deadline: ${DEADLINE_MS}ms`),
      }),
      transports: servers.transports,
      programs: servers.programs,
      wrap: (key, run) => (exchange, signal) =>
        planted?.stage === key ? FAULTS[planted.fault](exchange) : run(exchange, signal),
      admissionDeadlineMs: DEADLINE_MS,
    });
    token = await started.token("/sql-prod/mcp", ["Developer"]);
  });

  afterAll(async () => {
    await started.gateway.stop(1_000);
    await servers.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const call = (): Promise<RawAnswer> =>
    rawCall(new URL(`${started.origin}/sql-prod/mcp`), token, "sql.query", {
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
