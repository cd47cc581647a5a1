// What is told of releases, with a real updater on a real channel directory.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMetrics } from "#telemetry";
import { createReleaseRecorder } from "../../../runtime/release-recorder.ts";
import { createTrustLab } from "./trust-lab.ts";
import type { TrustLab } from "./trust-lab.ts";
import { createUpdaterWorld } from "./updater-world.ts";

let lab: TrustLab;
beforeAll(async () => {
  lab = await createTrustLab();
});
afterAll(() => lab.cleanUp());

it("tells of a refused release once for each reason, and again after a good one", async () => {
  const { channel, publish, gateway } = await createUpdaterWorld(lab);
  await publish("a", 2);
  const lines: string[] = [];
  const records: unknown[] = [];
  const metrics = createMetrics();
  const log = (message: string): void => void lines.push(message);
  const onStatus = createReleaseRecorder({ info: log, error: log }, metrics, (_event, { outcome, code }) =>
    records.push(code ?? outcome),
  );
  const { updater } = gateway({ onStatus });
  await updater.start();
  await publish("b", 1);
  for (let poll = 0; poll < 3; poll += 1) await updater.reload();
  expect(records).toEqual(["activated", "RELEASE_ROLLBACK"]);
  expect(lines).toEqual(["release activated", "release rejected"]);
  expect(updater.status().lastRejection).toMatchObject({
    statement: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  await writeFile(join(channel, "release.json"), "{}");
  for (let poll = 0; poll < 3; poll += 1) await updater.reload();
  expect(records.slice(2)).toEqual(["RELEASE_INVALID"]);
  await publish("a", 2);
  await updater.reload();
  await publish("b", 1);
  await updater.reload();
  expect(records.slice(3)).toEqual(["RELEASE_ROLLBACK"]);
  expect(await metrics.render()).toContain('aegis_releases_rejected_total{code="RELEASE_ROLLBACK"} 2');
  await updater.stop();
});
