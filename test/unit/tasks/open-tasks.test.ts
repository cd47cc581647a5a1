// What is remembered of tasks: the caps, whose tasks are found, and what is forgotten.
import { beforeEach, describe, expect, it } from "vitest";
import { OpenTasks } from "../../../runtime/tasks/open-tasks.ts";
import type { HeldTask } from "../../../runtime/tasks/open-tasks.ts";
import type { TaskStatus } from "../../../runtime/tasks/task-state.ts";

const CAPS = { openPerPrincipal: 3, heldPerPrincipal: 4, held: 6, idleMs: 1_000, requestsPerMinute: 1 };
const AT = "2026-11-22T10:00:00Z";
let nowMs = 0;
let open: OpenTasks;

function task(
  upstreamId: string,
  status: TaskStatus = "working",
  binding = "b",
): Omit<HeldTask, "seenAtMs" | "told"> {
  return {
    id: `sealed-${upstreamId}`,
    reference: { server: "s", upstreamId, action: "a", argumentsDigest: "d", createdAtMs: 0 },
    binding,
    era: "legacy",
    state: {
      ...{ status, createdAt: AT, lastUpdatedAt: AT, ttlMs: null },
      ...{ pollIntervalMs: undefined, statusMessage: undefined },
    },
  };
}

function code(action: () => unknown): unknown {
  try {
    action();
    return "done";
  } catch (fault) {
    return (fault as { code?: unknown }).code;
  }
}

beforeEach(() => {
  nowMs = 0;
  open = new OpenTasks(CAPS, () => nowMs);
});

describe("a caller's share", () => {
  it("counts calls under way and tasks that have not ended", () => {
    const release = open.reserve("dana");
    open.reserve("dana");
    open.add("dana", task("1"));
    expect(code(() => open.reserve("dana"))).toBe("TASK_LIMIT");
    release();
    release();
    open.reserve("dana");
    expect(code(() => open.reserve("dana"))).toBe("TASK_LIMIT");
    expect(code(() => open.reserve("otto"))).toBe("done");
  });

  it("is free again when a task has ended, and when nothing was heard of it", () => {
    for (const id of ["1", "2", "3"]) open.add("dana", task(id));
    expect(code(() => open.reserve("dana"))).toBe("TASK_LIMIT");
    const { reference } = task("1");
    open.observe("dana", "b", reference, task("1", "completed").state);
    open.reserve("dana")();
    open.observe("dana", "b", reference, task("1", "working").state);
    open.reserve("dana")();
    nowMs = 1_001;
    for (let count = 0; count < 3; count += 1) open.reserve("dana");
    expect(open.size).toBe(0);
  });

  it("is not that of others, whose tasks are not found", () => {
    open.add("dana", task("1"));
    expect(open.find("dana", "b", { server: "s", upstreamId: "1" })?.id).toBe("sealed-1");
    expect(open.find("otto", "b", { server: "s", upstreamId: "1" })).toBeUndefined();
    expect(open.find("dana", "other", { server: "s", upstreamId: "1" })).toBeUndefined();
    expect(open.list("otto", "b")).toEqual([]);
    expect(open.list("dana", "other")).toEqual([]);
  });
});

describe("what is held", () => {
  it("is at most so much for a caller: the oldest that has ended goes first", () => {
    for (const [id, status] of [
      ["1", "working"],
      ["2", "completed"],
      ["3", "working"],
      ["4", "failed"],
      ["5", "working"],
    ] as const)
      open.add("dana", task(id, status));
    expect(open.list("dana", "b").map(({ id }) => id)).toEqual([
      "sealed-1",
      "sealed-3",
      "sealed-4",
      "sealed-5",
    ]);
    expect(open.size).toBe(4);
  });

  it("is at most so much for all: idle ones make room, and otherwise nobody gets any", () => {
    for (let owner = 0; owner < 6; owner += 1) open.add(`o${String(owner)}`, task("1"));
    expect(code(() => open.reserve("dana"))).toBe("TASK_LIMIT");
    nowMs = 1_001;
    expect(code(() => open.reserve("dana"))).toBe("done");
    expect(open.size).toBe(0);
  });
});
