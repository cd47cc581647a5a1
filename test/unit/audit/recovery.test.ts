// What a crash leaves is mended and told; what no crash leaves is refused.
import { hash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AuditLogOptions, ObservableAuditLog, VerifyResult } from "#audit";
import { createAuditLog, isAuditStartError, verifyAuditLog } from "#audit";
import { allow, deny, fill, logPlace, memoryLog, placeOptions, result } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";
import { MemoryFs } from "./memory-fs.ts";
import type { FaultKind } from "./memory-fs.ts";

let place: LogPlace;
beforeEach(() => {
  place = logPlace();
});
afterEach(() => place.remove());

function options(fs: MemoryFs): AuditLogOptions {
  return { ...placeOptions(place), fs, reopenDelayMs: 0 };
}

function verify(fs: MemoryFs): Promise<VerifyResult> {
  return verifyAuditLog({ dir: place.dir, fs });
}

interface Line {
  readonly ev?: string;
  readonly ten: string;
  readonly h: string;
  readonly body: Readonly<Record<string, unknown>>;
}

function recordsOf(fs: MemoryFs): Line[] {
  return fs
    .names(".jsonl")
    .filter((name) => !name.includes("checkpoints"))
    .flatMap((name) => fs.read(name).toString("utf8").trimEnd().split("\n"))
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.ev !== undefined);
}

function idsOf(fs: MemoryFs): Set<unknown> {
  return new Set(recordsOf(fs).map(({ body }) => body["id"]));
}

function gapsOf(fs: MemoryFs): Readonly<Record<string, unknown>>[] {
  return recordsOf(fs)
    .filter(({ ev }) => ev === "gap")
    .map(({ body }) => body);
}

const lastSegment = (): string => `${place.dir}/segment-00000002.jsonl`;

describe("a log that was left open", () => {
  test("cut at every byte: nothing complete is dropped, nothing torn is kept, and the gap names the bytes", async () => {
    const open = await memoryLog(place, [1, 3], true);
    const whole = open.read(lastSegment());
    const lastLine = whole.subarray(0, -1).lastIndexOf(0x0a);
    for (let length = 0; length < whole.length; length += 1) {
      // Inside the last line every byte; before it, every byte near an end of line and some between.
      const nearEnd = whole.subarray(Math.max(0, length - 2), length + 2).includes(0x0a);
      if (length < lastLine && !nearEnd && length % 37 !== 0) continue;
      const fs = open.copy();
      fs.write(lastSegment(), whole.subarray(0, length));
      const complete = whole.subarray(0, length).toString("latin1").split("\n").slice(1, -1).length;
      const torn = whole.subarray(whole.subarray(0, length).lastIndexOf(0x0a) + 1, length);
      const log = await createAuditLog(options(fs));
      await log.close();
      expect([...idsOf(fs)].filter((id) => String(id).startsWith("s1-")).length).toBe(complete);
      const [gap] = gapsOf(fs);
      if (torn.length === 0) expect(gap).toMatchObject({ reason: "unclean-stop", cut: null });
      else {
        const cut = { segment: 2, bytes: torn.length, sha256: hash("sha256", torn, "hex") };
        expect(gap).toMatchObject({ reason: "torn-tail", cut });
      }
      expect((await verify(fs)).outcome, `cut at ${String(length)}`).toBe("clean");
    }
  });

  test("before the next start a torn tail is incomplete, not tampered", async () => {
    const open = await memoryLog(place, [3, 6], true);
    open.write(lastSegment(), open.read(lastSegment()).subarray(0, -5));
    expect(await verify(open)).toMatchObject({
      outcome: "incomplete",
      firstBad: { file: "segment-00000002.jsonl", line: 7 },
    });
  });

  test("a last line of garbage, or of zeros, is cut", async () => {
    for (const garbage of ["\0".repeat(700), '{"v":1}\n', `${"\0".repeat(700)}\n`]) {
      const open = await memoryLog(place, [2, 2], true);
      open.write(lastSegment(), Buffer.concat([open.read(lastSegment()), Buffer.from(garbage)]));
      await (await createAuditLog(options(open))).close();
      expect(gapsOf(open)[0]).toMatchObject({ reason: "torn-tail", cut: { bytes: garbage.length } });
      expect((await verify(open)).outcome).toBe("clean");
    }
  });

  test("allowed calls without a result get a record that says so, each once", async () => {
    const fs = new MemoryFs();
    const log = await createAuditLog(options(fs));
    await Promise.all([
      log.append(allow("a1")),
      log.append(allow("a2")),
      log.append(allow("g1", "globex")),
      log.append(deny("d1")),
    ]);
    await log.append(result("a1"));
    const crashed = fs.copy();
    await log.close();
    expect(await verify(crashed)).toMatchObject({ outcome: "clean", openDecisions: 2 });
    const next = await createAuditLog(options(crashed));
    const again = crashed.copy();
    await next.close();
    expect(gapsOf(crashed).filter((gap) => "outcome" in gap)).toEqual([
      { reason: "restart", outcome: "unknown", decisions: ["a2"] },
      { reason: "restart", outcome: "unknown", decisions: ["g1"] },
    ]);
    await (await createAuditLog(options(again))).close();
    expect(gapsOf(again).filter((gap) => "outcome" in gap).length).toBe(2);
    expect(await verify(again)).toMatchObject({ outcome: "clean", openDecisions: 0 });
  });
});

describe("what no crash leaves is refused, with file and line", () => {
  const cases: readonly [string, (fs: MemoryFs) => void, string][] = [
    [
      "a bad line in the middle",
      (fs) => edit(fs, (lines) => lines.with(2, "{}")),
      "segment-00000002.jsonl:3",
    ],
    [
      "a line missing in the middle",
      (fs) => edit(fs, (lines) => lines.toSpliced(2, 1)),
      "segment-00000002.jsonl:3",
    ],
    [
      "the last line twice",
      (fs) => edit(fs, (lines) => [...lines, lines.at(-1) ?? ""]),
      "segment-00000002.jsonl:8",
    ],
    ["the header changed", (fs) => edit(fs, (lines) => lines.with(0, "{}")), "segment-00000002.jsonl:1"],
    [
      "a seal missing",
      (fs) => fs.delete(`${place.dir}/segment-00000001.seal.json`),
      "segment-00000001.seal.json",
    ],
    ["a segment missing", (fs) => fs.delete(`${place.dir}/segment-00000001.jsonl`), "segment-00000001.jsonl"],
    [
      "a seal changed",
      (fs) => fs.write(`${place.dir}/segment-00000001.seal.json`, Buffer.from("{}\n")),
      "seal.json:1",
    ],
    ["the id of the log missing", (fs) => fs.delete(`${place.dir}/log-id`), "log-id"],
    [
      "less than a checkpoint covers",
      (fs) => edit(fs, (lines) => lines.slice(0, 4)),
      "segment-00000002.jsonl:5",
    ],
    [
      "records changed with fitting hashes, under a checkpoint",
      (fs) => edit(fs, (lines) => [...lines.slice(0, -1), ...forgeLast(lines)]),
      "segment-00000002.jsonl:7",
    ],
    [
      "a damaged last line that a checkpoint covers",
      (fs) => edit(fs, (lines) => lines.with(-1, (lines.at(-1) ?? "").replace('"seq"', '"sEq"'))),
      "segment-00000002.jsonl:7",
    ],
  ];

  function forgeLast(lines: readonly string[]): string[] {
    const last = (lines.at(-1) ?? "").replace('"effect":"deny"', '"effect":"allow"');
    const unhashed = last.replace(/,"h":"[0-9a-f]{64}"\}$/, "");
    return [`${unhashed},"h":"${hash("sha256", `aegis-audit-v1\n${unhashed}}`, "hex")}"}`];
  }

  function edit(fs: MemoryFs, change: (lines: string[]) => string[]): void {
    const lines = fs.read(lastSegment()).toString("utf8").trimEnd().split("\n");
    fs.write(lastSegment(), Buffer.from(`${change(lines).join("\n")}\n`));
  }

  test.each(cases)("%s", async (_name, spoil, where) => {
    const first = await memoryLog(place, [3], false);
    const log = await createAuditLog({ ...options(first), checkpointMaxRecords: 1 });
    await fill(log, 6, "s1-");
    await expect
      .poll(() => first.read(`${place.dir}/segment-00000002.checkpoints.jsonl`).toString())
      .toContain('"size":7');
    const fs = first.copy();
    await log.close();
    spoil(fs);
    const before = fs.names("").map((name) => [name, fs.read(name).toString("latin1")]);
    const fault: unknown = await createAuditLog(options(fs)).catch((caught: unknown) => caught);
    if (!isAuditStartError(fault)) throw fault;
    expect(fault.code).toBe("AUDIT_CORRUPT");
    expect(fault.message).toContain(where);
    expect(fs.names("").map((name) => [name, fs.read(name).toString("latin1")])).toEqual(before);
    expect((await verify(fs)).outcome).not.toBe("clean");
  });
});

// ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Appends in three bursts; returns the ids that were acknowledged. */
async function burst(log: ObservableAuditLog, acknowledged: Set<string>): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    const ids = Array.from({ length: 5 }, (_, index) => `r${String(round)}-${String(index)}`);
    await Promise.all(
      ids.map((id) =>
        log.append(deny(id)).then(
          () => acknowledged.add(id),
          (fault: { code: string }) => expect(fault.code).toBe("AUDIT_UNAVAILABLE"),
        ),
      ),
    );
  }
}

const scenario = (fs: MemoryFs): AuditLogOptions => ({
  ...options(fs),
  segmentMaxBytes: 4_096,
  checkpointMaxRecords: 4,
});

async function callsOfScenario(): Promise<number> {
  const fs = new MemoryFs();
  const log = await createAuditLog(scenario(fs));
  await burst(log, new Set());
  await log.close();
  return fs.calls;
}

describe.each<FaultKind>(["EIO", "ENOSPC", "short"])("%s", (kind) => {
  test.each([1, 3])(
    "at the n-th call, for all n, %i calls long: no acknowledged record is lost",
    async (calls) => {
      const total = await callsOfScenario();
      expect(total).toBeGreaterThan(40);
      for (let at = 1; at <= total; at += 1) {
        const fs = new MemoryFs();
        fs.plan = { kind, at, calls };
        const acknowledged = new Set<string>();
        const log = await createAuditLog(scenario(fs)).catch((fault: { code: string }) => {
          expect(fault.code).toBe("AUDIT_UNAVAILABLE");
          return undefined;
        });
        if (log !== undefined) {
          await burst(log, acknowledged);
          fs.plan = fs.calls < at ? undefined : fs.plan;
          const again = (): Promise<boolean> =>
            log.append(deny("afterwards")).then(
              () => true,
              () => false,
            );
          await expect.poll(again, { interval: 1 }).toBe(true);
          acknowledged.add("afterwards");
          await log.close().catch((fault: { code: string }) => expect(fault.code).toBe("AUDIT_UNAVAILABLE"));
        }
        const place2 = `fault at call ${String(at)}`;
        expect(fs.openHandles, place2).toBe(0);
        fs.plan = undefined;
        await (await createAuditLog(scenario(fs))).close();
        const found = idsOf(fs);
        for (const id of acknowledged) expect(found.has(id), `${place2}: ${id}`).toBe(true);
        expect((await verify(fs)).outcome, place2).toBe("clean");
      }
    },
  );
});

test("a failed write is told by a gap record in a new segment, and refused records are not in the log", async () => {
  const fs = new MemoryFs();
  const log = await createAuditLog(options(fs));
  await log.append(deny("before"));
  fs.plan = { kind: "EIO", at: fs.calls + 2, calls: 1 };
  const faults = await Promise.allSettled([log.append(deny("x")), log.append(deny("y"))]);
  expect(faults.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(log.writable()).toBe(false);
  expect(log.fault()).toContain("EIO");
  await expect(log.append(deny("z"))).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  await expect.poll(() => log.writable(), { interval: 1 }).toBe(true);
  await log.append(deny("after"));
  await log.close();
  const found = idsOf(fs);
  expect([found.has("before"), found.has("x"), found.has("y"), found.has("after")]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(gapsOf(fs)).toMatchObject([{ reason: "write-failed", refused: 2, cut: { segment: 1 } }]);
  expect((await verify(fs)).outcome).toBe("clean");
});

test("power failure at every call: what was acknowledged by then is there, whatever of the rest was torn", async () => {
  const fs = new MemoryFs();
  const acknowledged = new Set<string>();
  const disks: { disk: MemoryFs; acknowledged: readonly string[] }[] = [];
  fs.onCall = () => {
    for (const torn of [0, 1, 333, 100_000])
      disks.push({ disk: fs.powerFailure(torn), acknowledged: [...acknowledged] });
  };
  const log = await createAuditLog(scenario(fs));
  await burst(log, acknowledged);
  await log.close();
  fs.onCall = undefined;
  for (const [index, { disk, acknowledged: promised }] of disks.entries()) {
    await (await createAuditLog(options(disk))).close();
    const found = idsOf(disk);
    for (const id of promised) expect(found.has(id), `disk ${String(index)}: ${id}`).toBe(true);
    expect((await verify(disk)).outcome, `disk ${String(index)}`).toBe("clean");
  }
});
