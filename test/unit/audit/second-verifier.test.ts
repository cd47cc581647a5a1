// Two verifiers that share no code judge the same logs alike: sound ones, and ones changed in any way a signature is not needed to see.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuditLog, verifyAuditLog } from "#audit";
import { allow, deny, fill, logPlace, placeOptions, result } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";
import { seededRandom } from "./seeded-random.ts";

const SCRIPT = fileURLToPath(new URL("../../audit/verify.py", import.meta.url));

interface Verdict {
  readonly outcome: string;
  readonly records: number;
  readonly open: number;
}

let place: LogPlace;
beforeAll(async () => {
  place = logPlace();
  for (let start = 0; start < 3; start += 1) {
    const log = await createAuditLog({
      ...placeOptions(place),
      segmentMaxBytes: 6_000,
      checkpointMaxRecords: 3,
    });
    await fill(log, 12, `s${String(start)}-`);
    await log.append({
      tenant: 'tenant \u2028 \u{1f512} "x"',
      event: "auth",
      body: { text: "é\u0000\n\ud800", id: "none" },
    });
    await log.append(allow(`open-${String(start)}`));
    if (start === 0) await log.append(result("open-0"));
    await log.append(deny("last"));
    await log.close();
  }
});
afterAll(() => place.remove());

function pythonVerdicts(directories: readonly string[]): Verdict[] {
  const { stdout, stderr } = spawnSync("python3", [SCRIPT, ...directories], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (stdout === "") throw new Error(stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Verdict);
}

function files(): Map<string, Buffer> {
  return new Map(readdirSync(place.dir).map((name) => [name, readFileSync(`${place.dir}/${name}`)]));
}

function writeLog(name: string, content: ReadonlyMap<string, Buffer>): string {
  const dir = `${place.root}/${name}`;
  mkdirSync(dir);
  for (const [file, bytes] of content) writeFileSync(`${dir}/${file}`, bytes);
  return dir;
}

/** One change of a log: a bit, a line removed, doubled or swapped, a file removed or cut. */
function change(original: ReadonlyMap<string, Buffer>, random: () => number): Map<string, Buffer> {
  const changed = new Map(original);
  const names = [...original.keys()].filter((name) => name.endsWith(".jsonl") || name.endsWith(".seal.json"));
  const pick = (count: number): number => Math.floor(random() * count);
  const name = names[pick(names.length)] ?? "";
  const bytes = Buffer.from(original.get(name) ?? Buffer.alloc(0));
  const lines = bytes.toString("utf8").split("\n").slice(0, -1);
  const at = pick(lines.length);
  const join = (edited: readonly string[]): Buffer => Buffer.from(edited.map((line) => `${line}\n`).join(""));
  switch (pick(6)) {
    case 0:
      changed.set(name, bytes.subarray(0, pick(bytes.length)));
      return changed;
    case 1:
      changed.set(name, join(lines.toSpliced(at, 1)));
      return changed;
    case 2:
      changed.set(name, join(lines.toSpliced(at, 0, lines[at] ?? "")));
      return changed;
    case 3:
      changed.set(name, join(lines.toSpliced(at, 2, ...lines.slice(at, at + 2).reverse())));
      return changed;
    case 4:
      changed.delete(name);
      return changed;
    default: {
      // Not in a signature: the second verifier cannot see that.
      const signature = bytes.indexOf('"sig":"');
      const limit = signature < 0 ? bytes.length : signature;
      const bit = pick(limit);
      bytes[bit] = (bytes[bit] ?? 0) ^ (1 << pick(8));
      changed.set(name, bytes);
      return changed;
    }
  }
}

test("a sound log: same outcome, same counts", async () => {
  const mine = await verifyAuditLog({ dir: place.dir });
  const [theirs] = pythonVerdicts([place.dir]);
  expect(mine.outcome).toBe("clean");
  expect(theirs).toMatchObject({ outcome: "clean", records: mine.records, open: mine.openDecisions });
});

test("300 changed logs: same outcome", async () => {
  const random = seededRandom(11);
  const original = files();
  const dirs = Array.from({ length: 300 }, (_, index) =>
    writeLog(`changed-${String(index)}`, change(original, random)),
  );
  const theirs = pythonVerdicts(dirs);
  const seen = new Set<string>();
  for (const [index, dir] of dirs.entries()) {
    const mine = await verifyAuditLog({ dir });
    seen.add(mine.outcome);
    expect(
      theirs[index]?.outcome,
      `${dir}: ${JSON.stringify(mine.firstBad)} / ${JSON.stringify(theirs[index])}`,
    ).toBe(mine.outcome);
  }
  expect(seen.has("tampered")).toBe(true);
});
