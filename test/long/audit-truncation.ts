// Cuts an open segment of 200 records at every byte, and flips random bits of a closed log. Each cut is recovered without losing a whole record
// or keeping a torn one; each flip is seen. Run as a script: `node test/long/audit-truncation.ts [stride] [flips]`.
import { pathToFileURL } from "node:url";
import { createAuditLog, verifyAuditLog } from "#audit";
import { logPlace, memoryLog, placeOptions } from "../unit/audit/log-fixture.ts";
import type { LogPlace } from "../unit/audit/log-fixture.ts";
import type { MemoryFs } from "../unit/audit/memory-fs.ts";
import { seededRandom } from "../unit/audit/seeded-random.ts";

export interface TruncationOptions {
  /** 1 = every byte. */
  readonly stride: number;
  readonly flips: number;
  readonly seed: number;
}

export interface TruncationReport {
  readonly cuts: number;
  readonly flips: number;
  /** Cuts after which a whole record was gone, a torn one was kept, or the log did not verify. Must be empty. */
  readonly badCuts: readonly number[];
  /** Flips that no verifier saw. Must be empty. */
  readonly unseenFlips: readonly string[];
}

const RECORDS = 200;

async function cutIsMended(place: LogPlace, open: MemoryFs, name: string, length: number): Promise<boolean> {
  const fs = open.copy();
  const kept = open.read(name).subarray(0, length);
  fs.write(name, kept);
  const complete = Math.max(0, kept.toString("latin1").split("\n").length - 2);
  const log = await createAuditLog({ ...placeOptions(place), fs });
  await log.close();
  // One record more than before the crash: the gap that tells of it.
  const verdict = await verifyAuditLog({ dir: place.dir, fs });
  return verdict.outcome === "clean" && verdict.records === complete + 1;
}

async function flipIsSeen(
  place: LogPlace,
  closed: MemoryFs,
  random: () => number,
): Promise<string | undefined> {
  const names = closed.names(".jsonl").concat(closed.names(".seal.json"));
  const name = names[Math.floor(random() * names.length)] ?? "";
  const fs = closed.copy();
  const bytes = Buffer.from(fs.read(name));
  // The newline that ends a file is the one byte whose loss a crash can explain.
  const at = Math.floor(random() * (bytes.length - 1));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  fs.write(name, bytes);
  return (await verifyAuditLog({ dir: place.dir, fs })).ok ? `${name}:${String(at)}` : undefined;
}

/** Runs the proof. */
export async function run(options: TruncationOptions): Promise<TruncationReport> {
  const place = logPlace();
  const random = seededRandom(options.seed);
  const badCuts: number[] = [];
  const unseenFlips: string[] = [];
  let cuts = 0;
  try {
    const open = await memoryLog(place, [RECORDS], true);
    const name = `${place.dir}/segment-00000001.jsonl`;
    for (let length = 0; length < open.read(name).length; length += options.stride) {
      cuts += 1;
      if (!(await cutIsMended(place, open, name, length))) badCuts.push(length);
    }
    const closed = await memoryLog(place, [20, 20], false);
    for (let flip = 0; flip < options.flips; flip += 1) {
      const unseen = await flipIsSeen(place, closed, random);
      if (unseen !== undefined) unseenFlips.push(unseen);
    }
    return { cuts, flips: options.flips, badCuts, unseenFlips };
  } finally {
    place.remove();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await run({
    stride: Number(process.argv[2] ?? "1"),
    flips: Number(process.argv[3] ?? "100000"),
    seed: 1,
  });
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = report.badCuts.length === 0 && report.unseenFlips.length === 0 ? 0 : 1;
}
