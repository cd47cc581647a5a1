// The writer in a process of its own: it can be killed alone, and nothing that was acknowledged is lost.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuditProcessLog, AuditProcessOptions } from "#audit";
import { createAuditLog, createAuditProcess, verifyAuditLog } from "#audit";
import { run } from "../../long/audit-writer-kill.ts";
import { allow, deny, fill, logPlace, placeOptions, result } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";

let place: LogPlace;
beforeEach(() => {
  place = logPlace();
});
afterEach(() => place.remove());

function options(): AuditProcessOptions {
  return { ...placeOptions(place), restartMaxDelayMs: 20 };
}

function pidOf(log: AuditProcessLog): number {
  const pid = log.writerPid();
  if (pid === undefined) throw new Error("no writer");
  return pid;
}

test("records of many callers are durable, in order, and sealed on close", async () => {
  const log = await createAuditProcess(options());
  const receipts = await Promise.all(
    Array.from({ length: 500 }, (_, index) => log.append(deny(`d${String(index)}`))),
  );
  expect(receipts.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 500 }, (_, index) => index + 1),
  );
  expect(log.heads()["acme"]).toEqual({ sequence: 500, hash: receipts.at(-1)?.hash });
  await log.close();
  expect(log.writable()).toBe(false);
  await expect(log.append(deny("late"))).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  expect(await verifyAuditLog({ dir: place.dir })).toMatchObject({ outcome: "clean", records: 500 });
});

test("after a kill what waits is refused, the log says so, and a new writer goes on", async () => {
  const told: string[] = [];
  const log = await createAuditProcess({
    ...options(),
    onFault: (detail) => void told.push(detail),
    onRecovered: () => void told.push("recovered"),
  });
  await log.append(allow("a1"));
  const pid = pidOf(log);
  process.kill(pid, "SIGSTOP");
  const waiting = Promise.allSettled([log.append(deny("x")), log.append(deny("y"))]);
  process.kill(pid, "SIGKILL");
  expect(
    (await waiting).map(
      (settled) => settled.status === "rejected" && (settled.reason as { code: string }).code,
    ),
  ).toEqual(["AUDIT_UNAVAILABLE", "AUDIT_UNAVAILABLE"]);
  expect(log.writable()).toBe(false);
  expect(log.fault()).toBe("no audit writer");
  await expect(log.append(deny("z"))).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  await log.whenWritable(AbortSignal.timeout(20_000));
  expect(pidOf(log)).not.toBe(pid);
  expect(told).toEqual(["the audit writer ended (SIGKILL)", "recovered"]);
  expect(log.heads()["acme"]?.sequence).toBeGreaterThanOrEqual(2);
  await log.append(result("a1"));
  expect(log.stats().failures).toBe(1);
  await log.close();
  expect(await verifyAuditLog({ dir: place.dir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});

test("killed alone 20 times under load: clean each time, and every acknowledged record is in the log", async () => {
  const report = await run({ kills: 20, inFlight: 32, seed: 42 });
  expect(report).toMatchObject({ kills: 20, lost: 0, unclean: [], strangeCodes: [], openDecisions: 0 });
  expect(report.acknowledged).toBeGreaterThan(100);
}, 120_000);

test("a corrupt log, and one that another process writes, are told as such", async () => {
  const log = await createAuditLog(placeOptions(place));
  await expect(createAuditProcess(options())).rejects.toMatchObject({ code: "AUDIT_LOCKED" });
  await fill(log, 3);
  await log.close();
  writeFileSync(`${place.dir}/segment-00000001.seal.json`, "{}\n");
  await expect(createAuditProcess(options())).rejects.toMatchObject({
    code: "AUDIT_CORRUPT",
    file: `${place.dir}/segment-00000001.seal.json`,
    line: 1,
  });
});

test("a writer script that does not start, or speaks nonsense, is AUDIT_UNAVAILABLE", async () => {
  await expect(
    createAuditProcess({ ...options(), writerEntry: `${place.root}/none.ts` }),
  ).rejects.toMatchObject({
    code: "AUDIT_UNAVAILABLE",
  });
  const entry = `${place.root}/nonsense.mjs`;
  writeFileSync(
    entry,
    'import { writeSync } from "node:fs"; writeSync(3, "hello\\n"); setInterval(() => {}, 1000);',
  );
  await expect(createAuditProcess({ ...options(), writerEntry: entry })).rejects.toMatchObject({
    code: "AUDIT_UNAVAILABLE",
  });
});

test("when the gateway is killed, its writer seals the log and ends", async () => {
  const script = `${place.root}/gateway.ts`;
  const audit = new URL("../../../runtime/audit/index.ts", import.meta.url).href;
  writeFileSync(
    script,
    `import { createAuditProcess } from ${JSON.stringify(audit)};
     const log = await createAuditProcess(${JSON.stringify(options())});
     for (let i = 0; i < 50; i += 1) await log.append({ tenant: "acme", event: "auth", body: { id: String(i) } });
     process.stdout.write(String(log.writerPid()));
     setInterval(() => {}, 1000);`,
  );
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const [output] = (await once(child.stdout, "data")) as [Buffer];
  const writerPid = Number(output.toString("utf8"));
  child.kill("SIGKILL");
  const alive = (): boolean => {
    try {
      return process.kill(writerPid, 0);
    } catch {
      return false;
    }
  };
  await expect.poll(alive, { timeout: 20_000 }).toBe(false);
  const verdict = await verifyAuditLog({ dir: place.dir });
  expect(verdict).toMatchObject({ outcome: "clean", records: 50 });
  const next = await createAuditLog(placeOptions(place));
  await next.close();
  expect((await verifyAuditLog({ dir: place.dir })).records).toBe(50);
});

test("Ctrl-C in the terminal does not end the writer before the gateway has drained", async () => {
  const log = await createAuditProcess(options());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pidOf(log), signal);
  await log.append(deny("x"));
  await log.close();
  expect(log.stats().failures).toBe(0);
});

test("waiting for a writable log ends with its signal", async () => {
  const log = await createAuditProcess(options());
  await log.whenWritable(AbortSignal.timeout(1));
  await log.close();
  await expect(log.whenWritable(AbortSignal.timeout(1))).rejects.toThrow("timeout");
  await expect(log.whenWritable(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
});
