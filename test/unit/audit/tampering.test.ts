// Whatever is done to a closed or open log on disk, the verifier sees it; where only an outside checkpoint can see it, that is shown.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditFs, VerifyResult } from "#audit";
import { createAuditLog, verifyAuditLog } from "#audit";
import { fill, forgeChain, logPlace, memoryLog, placeOptions } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";
import type { MemoryFs } from "./memory-fs.ts";
import { seededRandom } from "./seeded-random.ts";

let place: LogPlace;
let closed: MemoryFs;
let open: MemoryFs;
let otherLog: MemoryFs;
beforeAll(async () => {
  place = logPlace();
  closed = await memoryLog(place, [8, 12, 9], false);
  open = await memoryLog(place, [8, 12], true);
  otherLog = await memoryLog(place, [8, 12, 9], false);
});
afterAll(() => place.remove());

function verify(fs: AuditFs): Promise<VerifyResult> {
  return verifyAuditLog({ dir: place.dir, fs });
}

function path(name: string): string {
  return `${place.dir}/${name}`;
}

function segmentPath(segment: number): string {
  return path(`segment-0000000${String(segment)}.jsonl`);
}

function editLines(fs: MemoryFs, file: string, edit: (lines: string[]) => string[]): MemoryFs {
  const copy = fs.copy();
  const lines = copy.read(file).toString("utf8").trimEnd().split("\n");
  copy.write(file, Buffer.from(`${edit(lines).join("\n")}\n`));
  return copy;
}

test("the untouched logs are clean", async () => {
  expect(await verify(closed)).toMatchObject({ ok: true, outcome: "clean", records: 29, segments: 3 });
  // The header of the second start tells of nothing, because the first stop was clean.
  expect(await verify(open)).toMatchObject({ ok: true, outcome: "clean", records: 20, segments: 2 });
});

test("every single-bit flip in every file is seen", async () => {
  const random = seededRandom(7);
  const names = closed.names("").filter((name) => !name.endsWith("log-id"));
  let flips = 0;
  for (const name of names) {
    const size = closed.read(name).length;
    for (let round = 0; round < 120; round += 1) {
      const copy = closed.copy();
      const bytes = Buffer.from(copy.read(name));
      const at = Math.floor(random() * size);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      copy.write(name, bytes);
      const { ok, warnings } = await verify(copy);
      // The line ends of a PEM file carry nothing; a last checkpoint without its newline is what a crash leaves, and is said.
      if (ok && name.endsWith(".pem")) continue;
      if (ok && at === size - 1 && warnings.some((warning) => warning.includes("torn"))) continue;
      expect(ok, `${name} byte ${String(at)}`).toBe(false);
      flips += 1;
    }
  }
  expect(flips).toBeGreaterThan(1_000);
});

test("every bit of the last checkpoint counts, those of its base64 padding too", async () => {
  const name = path("segment-00000003.checkpoints.jsonl");
  const size = closed.read(name).length;
  for (let at = size - 12; at < size - 1; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const copy = closed.copy();
      const bytes = Buffer.from(copy.read(name));
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      copy.write(name, bytes);
      expect((await verify(copy)).outcome, `byte ${String(at)}, bit ${String(bit)}`).toBe("tampered");
    }
  }
});

describe.each([1, 2, 3])("segment %i of a closed log", (segment) => {
  test("each line deleted, duplicated, swapped with the next, or replaced by that of another log", async () => {
    const file = segmentPath(segment);
    const count = closed.read(file).toString("utf8").trimEnd().split("\n").length;
    const foreign = otherLog.read(file).toString("utf8").trimEnd().split("\n");
    for (let index = 0; index < count; index += 1) {
      const edits: ((lines: string[]) => string[])[] = [
        (lines) => lines.toSpliced(index, 1),
        (lines) => lines.toSpliced(index, 0, lines[index] ?? ""),
        (lines) => lines.with(index, foreign[index] ?? ""),
        (lines) => lines.with(index, ""),
      ];
      if (index + 1 < count) {
        edits.push((lines) => lines.toSpliced(index, 2, lines[index + 1] ?? "", lines[index] ?? ""));
      }
      for (const [number, edit] of edits.entries()) {
        const { outcome } = await verify(editLines(closed, file, edit));
        expect(outcome, `line ${String(index + 1)}, edit ${String(number)}`).toBe("tampered");
      }
    }
  });

  test.each(["jsonl", "seal.json", "checkpoints.jsonl"])("its %s deleted", async (kind) => {
    const copy = closed.copy();
    copy.delete(path(`segment-0000000${String(segment)}.${kind}`));
    const verdict = await verify(copy);
    // A deleted checkpoint file proves nothing missing: the seal covers all it said.
    if (kind === "checkpoints.jsonl") expect(verdict.outcome).toBe("clean");
    else expect(verdict.outcome).toBe("tampered");
  });

  test("its segment or seal swapped with a neighbour's", async () => {
    const other = (segment % 3) + 1;
    for (const kind of ["jsonl", "seal.json"]) {
      const copy = closed.copy();
      copy.write(
        path(`segment-0000000${String(segment)}.${kind}`),
        closed.read(path(`segment-0000000${String(other)}.${kind}`)),
      );
      copy.write(
        path(`segment-0000000${String(other)}.${kind}`),
        closed.read(path(`segment-0000000${String(segment)}.${kind}`)),
      );
      expect((await verify(copy)).outcome).toBe("tampered");
    }
  });

  test("its seal taken from another log", async () => {
    const copy = closed.copy();
    const name = path(`segment-0000000${String(segment)}.seal.json`);
    copy.write(name, otherLog.read(name));
    expect((await verify(copy)).outcome).toBe("tampered");
  });
});

describe("checkpoints", () => {
  test("one deleted, duplicated or swapped is seen, unless it is the last", async () => {
    const place2 = logPlace();
    const log = await createAuditLog({ ...placeOptions(place2), checkpointMaxRecords: 2 });
    await fill(log, 12);
    await log.close();
    const { nodeAuditFs } = await import("#audit");
    const { readFileSync } = await import("node:fs");
    const name = `${place2.dir}/segment-00000001.checkpoints.jsonl`;
    const lines = readFileSync(name, "utf8").trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(4);
    const outcomes: string[] = [];
    for (let index = 0; index < lines.length - 1; index += 1) {
      for (const edited of [lines.toSpliced(index, 1), lines.toSpliced(index, 0, lines[index] ?? "")]) {
        writeFileSync(name, `${edited.join("\n")}\n`);
        outcomes.push((await verifyAuditLog({ dir: place2.dir, fs: nodeAuditFs })).outcome);
      }
    }
    expect(new Set(outcomes)).toEqual(new Set(["tampered"]));
    place2.remove();
  });

  test("a tail cut at a line end: unseen inside, seen with a checkpoint kept elsewhere", async () => {
    const kept: string[] = [];
    const place2 = logPlace();
    const log = await createAuditLog({
      ...placeOptions(place2),
      checkpointMaxRecords: 4,
      onCheckpoint: (line) => void kept.push(line),
    });
    await fill(log, 12);
    await expect.poll(() => kept.length).toBeGreaterThan(1);
    const { readdirSync, readFileSync, cpSync, truncateSync, rmSync } = await import("node:fs");
    const stolen = `${place2.root}/stolen`;
    cpSync(place2.dir, stolen, { recursive: true });
    const outside = `${place2.root}/outside`;
    writeFileSync(outside, kept.join(""));
    await log.close();
    expect((await verifyAuditLog({ dir: stolen, checkpoint: outside })).outcome).toBe("clean");
    const name = `${stolen}/segment-00000001.jsonl`;
    const lines = readFileSync(name, "utf8").split("\n");
    truncateSync(name, `${lines.slice(0, 3).join("\n")}\n`.length);
    for (const file of readdirSync(stolen)) if (file.includes("checkpoints")) rmSync(`${stolen}/${file}`);
    expect((await verifyAuditLog({ dir: stolen })).outcome).toBe("clean");
    const verdict = await verifyAuditLog({ dir: stolen, checkpoint: outside });
    expect(verdict).toMatchObject({
      outcome: "tampered",
      firstBad: { file: "segment-00000001.jsonl", line: 4 },
    });
    place2.remove();
  });
});

describe("a chain rewritten with fitting hashes, which needs no key", () => {
  const alter = (line: string): string => line.replace('"effect":"deny"', '"effect":"allow"');

  test("under a seal, and under a checkpoint of the open segment, is seen", async () => {
    const file = segmentPath(1);
    const place2 = logPlace();
    const open2 = await memoryLog(place2, [9], true, { checkpointMaxRecords: 4 });
    const name2 = `${place2.dir}/segment-00000001.jsonl`;
    const sealed = editLines(closed, file, (lines) => forgeChain(lines, alter));
    const covered = editLines(open2, name2, (lines) => forgeChain(lines, alter));
    expect(covered.read(name2).equals(open2.read(name2))).toBe(false);
    expect(await verify(sealed)).toMatchObject({ outcome: "tampered" });
    expect((await verifyAuditLog({ dir: place2.dir, fs: covered })).firstBad?.reason).toContain(
      "another root",
    );
    // Forging nothing gives the same bytes: it is the change that is seen, not the tool.
    expect(editLines(open2, name2, (lines) => forgeChain(lines, (line) => line)).read(name2)).toEqual(
      open2.read(name2),
    );
    place2.remove();
  });
});

test("a log rewritten from scratch with other keys is not that of the trusted key", async () => {
  const { readFileSync } = await import("node:fs");
  const forger = logPlace();
  const forged = await memoryLog(forger, [8, 12, 9], false);
  const trusted = readFileSync(`${place.stateDir}/audit-signing.pub.pem`, "utf8");
  const verdict = await verifyAuditLog({ dir: forger.dir, fs: forged, publicKeys: [trusted] });
  expect(verdict.outcome).toBe("tampered");
  expect(verdict.firstBad?.reason).toContain("not a trusted key");
  await expect(verifyAuditLog({ dir: forger.dir, fs: forged, publicKeys: ["nonsense"] })).rejects.toThrow(
    TypeError,
  );
  forger.remove();
});

test("one tenant's view counts that tenant alone", async () => {
  const verdict = await verifyAuditLog({ dir: place.dir, fs: closed, tenant: "globex" });
  expect([...verdict.tenants.keys()]).toEqual(["globex"]);
  expect(verdict.records).toBe(verdict.tenants.get("globex")?.records);
});

test("a directory that is empty, or not there, is incomplete", async () => {
  const empty = logPlace();
  expect((await verifyAuditLog({ dir: empty.dir })).outcome).toBe("incomplete");
  expect((await verifyAuditLog({ dir: `${empty.dir}/none` })).outcome).toBe("incomplete");
  empty.remove();
});

test("a clock that goes backwards is a warning", async () => {
  let nowMs = 5_000;
  const clock = { nowMs: () => (nowMs -= 1_000), monotonicMs: () => 1 };
  const odd = logPlace();
  const log = await createAuditLog({ ...placeOptions(odd), clock });
  await fill(log, 3);
  await log.close();
  const verdict = await verifyAuditLog({ dir: odd.dir });
  expect(verdict.outcome).toBe("clean");
  expect(verdict.warnings.join()).toContain("wall clock went backwards");
  odd.remove();
});
