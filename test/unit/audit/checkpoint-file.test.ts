// Checkpoints kept in a second place, and what they prove there.
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAuditProcess, openCheckpointFile, verifyAuditLog } from "#audit";
import { deny, logPlace, placeOptions } from "./log-fixture.ts";
import type { LogPlace } from "./log-fixture.ts";

let place: LogPlace;
beforeEach(() => {
  place = logPlace();
});
afterEach(() => place.remove());

const never = (detail: string): void => {
  throw new Error(detail);
};

test("every checkpoint of a log is kept, the one of the seal included, and shows a tail that was cut", async () => {
  const path = join(place.root, "kept.jsonl");
  const kept = await openCheckpointFile({ path, onFault: never });
  const log = await createAuditProcess({ ...placeOptions(place), onCheckpoint: kept.keep });
  for (let index = 0; index < 5; index += 1) await log.append(deny(`d${String(index)}`));
  await log.close();
  await kept.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8")).toBe(
    readFileSync(join(place.dir, "segment-00000001.checkpoints.jsonl"), "utf8"),
  );
  const verify = () => verifyAuditLog({ dir: place.dir, checkpoint: path });
  expect(await verify()).toMatchObject({ outcome: "clean", records: 5 });
  const segment = join(place.dir, "segment-00000001.jsonl");
  const text = readFileSync(segment, "utf8");
  truncateSync(segment, text.lastIndexOf("\n", text.length - 2) + 1);
  for (const name of ["seal.json", "checkpoints.jsonl"]) rmSync(join(place.dir, `segment-00000001.${name}`));
  expect((await verifyAuditLog({ dir: place.dir })).outcome).toBe("clean");
  expect((await verify()).outcome).toBe("tampered");
});

test("a line that a crash tore is cut off, whole lines stay, and the file may be moved away", async () => {
  const path = join(place.root, "kept.jsonl");
  writeFileSync(path, '{"a":1}\n{"b');
  const kept = await openCheckpointFile({ path, onFault: never });
  kept.keep('{"c":1}\n');
  await kept.close();
  expect(readFileSync(path, "utf8")).toBe('{"a":1}\n{"c":1}\n');
  rmSync(path);
  kept.keep('{"d":1}\n');
  await kept.close();
  expect(readFileSync(path, "utf8")).toBe('{"d":1}\n');
});

test("a place that cannot be written refuses the start; one that fails later is told and goes on", async () => {
  const path = join(place.root, "other/kept.jsonl");
  await expect(openCheckpointFile({ path, onFault: never })).rejects.toMatchObject({ code: "ENOENT" });
  mkdirSync(join(place.root, "other"));
  const faults: string[] = [];
  const kept = await openCheckpointFile({ path, onFault: (detail) => void faults.push(detail) });
  rmSync(join(place.root, "other"), { recursive: true });
  kept.keep('{"a":1}\n');
  await kept.close();
  expect(faults).toEqual([expect.stringContaining("ENOENT")]);
  mkdirSync(join(place.root, "other"));
  kept.keep('{"b":1}\n');
  await kept.close();
  expect(readFileSync(path, "utf8")).toBe('{"b":1}\n');
  for (let index = 0; index < 100; index += 1) kept.keep("x\n");
  await kept.close();
  expect(faults.length).toBe(1 + 100 - 64);
});
