// The ids of tasks: whose they are, and that nobody else can use or make one.
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSealer } from "#sealing";
import { openTaskId, sealTaskId, taskBinding, taskDigest } from "../../../runtime/tasks/task-ids.ts";
import type { TaskReference } from "../../../runtime/tasks/task-ids.ts";

let nowMs = Date.parse("2026-11-22T10:00:00Z");
const key = randomBytes(32);
const sealer = createSealer({ key, nowMs: () => nowMs });
const TASK: TaskReference = {
  server: "jobs",
  upstreamId: "task-1",
  action: "tools/call:jobs/report",
  argumentsDigest: "abc",
  createdAtMs: nowMs,
};
const MINE = taskBinding("dana", "/jobs/mcp");

describe("an id of a task", () => {
  it("opens for its caller at its endpoint, at any replica with the key", () => {
    const replica = createSealer({ key, nowMs: () => nowMs });
    expect(openTaskId(replica, MINE, sealTaskId(sealer, MINE, TASK))).toEqual(TASK);
  });

  it("is unknown to others", () => {
    const id = sealTaskId(sealer, MINE, TASK);
    for (const binding of [taskBinding("otto", "/jobs/mcp"), taskBinding("dana", "/other/mcp"), "dana"])
      expect(openTaskId(sealer, binding, id)).toBeUndefined();
    const other = createSealer({ key: randomBytes(32), nowMs: () => nowMs });
    expect(openTaskId(other, MINE, id)).toBeUndefined();
  });

  it("does not open where any of it was changed", () => {
    const id = sealTaskId(sealer, MINE, TASK);
    fc.assert(
      fc.property(fc.nat(id.length - 1), fc.constantFrom(..."Aa0_-"), (at, character) => {
        const changed = id.slice(0, at) + character + id.slice(at + 1);
        return changed === id || openTaskId(sealer, MINE, changed) === undefined;
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("is no other thing that was sealed for the caller", () => {
    const payload = { s: "jobs", t: "task-1", a: TASK.action, d: "abc", c: 1 };
    expect(openTaskId(sealer, MINE, sealer.seal("cursor", MINE, payload, 1_000))).toBeUndefined();
    expect(openTaskId(sealer, MINE, sealer.seal("task", MINE, { ...payload, t: 1 }, 1_000))).toBeUndefined();
    for (const id of [undefined, 7, null, {}, "", "task-1", "x".repeat(10_000)])
      expect(openTaskId(sealer, MINE, id)).toBeUndefined();
  });

  it("does not open for ever", () => {
    const id = sealTaskId(sealer, MINE, TASK);
    const before = nowMs;
    nowMs += 31 * 24 * 3_600_000;
    expect(openTaskId(sealer, MINE, id)).toBeUndefined();
    nowMs = before;
  });
});

it("a digest tells tasks of different servers apart", () => {
  expect(taskDigest(TASK)).not.toBe(taskDigest({ ...TASK, server: "other" }));
  expect(taskDigest(TASK)).toMatch(/^[\w-]{22}$/u);
});
