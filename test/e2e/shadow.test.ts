// A forbid in shadow mode at a running gateway: the call passes, the record says what enforcing would do; a release that
// enforces it, swapped in, blocks the same call.
import { afterAll, beforeAll, expect, it } from "vitest";
import { readAuditRecords } from "./audit-records.ts";
import type { AuditRecord } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { grantingRepository } from "./granting-repository.ts";
import { rawCall } from "./raw-call.ts";

const POLICY = "policies/trial.yaml#/deny/tools/0";
const trial = (mode: string): Readonly<Record<string, string>> => ({
  "policies/trial.yaml": `metadata: { name: trial, reason: on trial }\npolicy: { mode: ${mode} }\ndeny: { tools: [echo] }\n`,
});

let world: EchoWorld;

beforeAll(async () => {
  world = await startEchoWorld({ repository: (pinned) => grantingRepository([pinned], trial("shadow")) });
});

afterAll(() => world.stop());

async function lastDecision(): Promise<AuditRecord["body"]> {
  const records = await readAuditRecords(world.gateway.auditDir);
  const decisions = records.filter(({ ev, body }) => ev === "decision" && body["method"] === "tools/call");
  return decisions.at(-1)?.body ?? {};
}

async function call(tool = "echo"): Promise<Awaited<ReturnType<typeof rawCall>>> {
  return rawCall(world.endpoint("echo"), await world.token(DEVELOPER, "echo"), tool, { text: "x" });
}

it("passes in shadow mode, with what enforcing would do on record; an enforcing release blocks", async () => {
  const passed = await call();
  expect(passed.error).toBeUndefined();
  expect(await lastDecision()).toMatchObject({
    effect: "allow",
    policies: ["policies/echo.yaml#/allow/tools/0"],
    shadow: { effect: "deny", policies: [POLICY] },
  });
  const metrics = await (await fetch(new URL("/metrics", world.gateway.adminUrl))).text();
  expect(metrics).toContain('aegis_shadow_decisions_total{result="would_deny"} 1');

  await world.release(grantingRepository([world.pinned], trial("enforce")));
  const blocked = await call();
  expect(blocked.error).toMatchObject({ code: 4030, data: { code: "POLICY_DENIED" } });
  const record = await lastDecision();
  expect(record).toMatchObject({ effect: "deny", policies: [POLICY] });
  expect(record).not.toHaveProperty("shadow");
});

it("decides what is denied in shadow mode too, and tells the caller nothing of it", async () => {
  const granted = `@mode("shadow") permit (principal, action, resource);\n`;
  const denied = `metadata: { name: d }\ndeny: { tools: [echo] }\n`;
  await world.release(
    grantingRepository([world.pinned], { "policies/d.yaml": denied, "policies/wide.cedar": granted }),
  );
  const blocked = await call();
  expect(JSON.stringify(blocked.error)).not.toContain("wide");
  expect(await lastDecision()).toMatchObject({ effect: "deny", shadow: { effect: "deny" } });
});
