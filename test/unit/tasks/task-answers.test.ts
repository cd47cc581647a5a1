// What an answer about a task must be, in either era, and what of it a client is given.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { applyTask, compileTransform } from "#transform";
import { conform, redact } from "../../../runtime/pipeline/answer-rules.ts";
import { RELATED_TASK, readCreated, ruleTaskAnswer } from "../../../runtime/tasks/task-answers.ts";
import type { TaskPlan } from "../../../runtime/tasks/task-answers.ts";

const AT = "2026-11-22T10:00:00Z";
const MODERN: TaskPlan = {
  era: "modern",
  method: "tasks/get",
  id: "MINE",
  upstreamId: "theirs",
  digest: "d",
};
const LEGACY: TaskPlan = { ...MODERN, era: "legacy" };
const STATE = { taskId: "theirs", status: "working", createdAt: AT, lastUpdatedAt: AT };
const TRANSFORM = compileTransform({
  tenant: "default",
  action: "tools/call:jobs/report",
  request: [],
  response: [{ policy: "p", verb: "redact", paths: [[{ kind: "name", name: "ssn" }]] }],
});

function ruled(result: JsonObject, plan = MODERN): JsonObject {
  const { answer } = ruleTaskAnswer({ kind: "result", result }, plan);
  return answer.kind === "result" ? answer.result : {};
}

function code(action: () => unknown): unknown {
  try {
    action();
    return "done";
  } catch (fault) {
    return (fault as { code?: unknown }).code;
  }
}

describe("an answer about a task", () => {
  it("has the client's id, the members of its era, and no others", () => {
    const extra = {
      ttlMs: 5,
      ttl: 6,
      pollIntervalMs: 7,
      vendor: 1,
      requestState: "x",
      result: { content: [] },
    };
    expect(ruled({ ...STATE, ...extra })).toEqual({
      ...{ resultType: "complete", taskId: "MINE", status: "working" },
      ...{ createdAt: AT, lastUpdatedAt: AT, ttlMs: 5, pollIntervalMs: 7 },
    });
    expect(ruled({ ...STATE, ...extra }, LEGACY)).toEqual({
      ...{ taskId: "MINE", status: "working", createdAt: AT, lastUpdatedAt: AT, ttl: 6 },
    });
  });

  it("does not send the user to a URL that was not judged, by an error that no task may end with", () => {
    const elicitations = [
      { mode: "url", message: "Sign in", url: "https://evil.example", elicitationId: "e" },
    ];
    const error = { code: -32042, message: "visit first", data: { elicitations } };
    expect(code(() => ruled({ ...STATE, status: "failed", error }))).toBe("RESULT_BLOCKED");
  });

  it("has what its status has: a result, an error, or what is asked, which is decided elsewhere", () => {
    const meta = { [RELATED_TASK]: { taskId: "theirs" }, trace: "t" };
    expect(ruled({ ...STATE, status: "completed", result: { content: [], _meta: meta } })["result"]).toEqual({
      content: [],
      _meta: { trace: "t" },
    });
    expect(ruled({ ...STATE, status: "failed", error: { code: 1, message: "m", data: 2 } })["error"]).toEqual(
      {
        ...{ code: 1, message: "m", data: { upstream: 2 } },
      },
    );
    const asking = ruleTaskAnswer(
      { kind: "result", result: { ...STATE, status: "input_required", inputRequests: { a: {} } } },
      MODERN,
    );
    expect(asking.asks).toEqual({ a: {} });
    expect(asking.answer).not.toHaveProperty("result.inputRequests");
  });

  it.each<[string, JsonObject]>([
    ["no status", { ...STATE, status: "done" }],
    ["no time", { ...STATE, createdAt: "yesterday" }],
    ["a fraction of a ttl", { ...STATE, ttlMs: 1.5 }],
    ["a status message that is no text", { ...STATE, statusMessage: { a: 1 } }],
    ["completed without a result", { ...STATE, status: "completed" }],
    [
      "completed with a result of another type",
      { ...STATE, status: "completed", result: { resultType: "task" } },
    ],
    ["failed without an error", { ...STATE, status: "failed", error: { message: "m" } }],
    ["input required without asks", { ...STATE, status: "input_required" }],
    ["a result type of its own", { ...STATE, resultType: "input_required" }],
  ])("is refused with %s", (_, result) => {
    expect(code(() => ruled(result))).toBe("RESULT_BLOCKED");
  });

  it("is refused where it is about another task", () => {
    expect(code(() => ruled({ ...STATE, taskId: "other" }))).toBe("UPSTREAM_PROTOCOL");
  });

  it("is nothing but an acknowledgement where the method has no more", () => {
    for (const method of ["tasks/cancel", "tasks/update"])
      expect(ruled({ ...STATE, secret: 1 }, { ...MODERN, method })).toEqual({ resultType: "complete" });
  });

  it("does not quote the server's id in an error", () => {
    const error = {
      kind: "error",
      code: -32602,
      message: "theirs has ended",
      data: { upstream: "theirs" },
    } as const;
    expect(ruleTaskAnswer(error, { ...MODERN, method: "tasks/cancel" }).answer).toEqual({
      ...{ kind: "error", code: -32602, message: "MINE has ended" },
    });
  });

  it.each([
    ["tasks/get", -32602, "?", "TASK_UNKNOWN"],
    ["tasks/get", -32603, "Task not found", undefined],
    ["tasks/cancel", -32602, "Task not found: theirs", "TASK_UNKNOWN"],
    ["tasks/cancel", -32602, "Cannot cancel task theirs: it is completed", undefined],
    ["tasks/result", -32602, "no such task", "TASK_UNKNOWN"],
    ["tasks/result", -32602, "user not found", undefined],
  ])("says that the task is unknown: %s, %i, %s", (method, number, message, expected) => {
    const answer = { kind: "error", code: number, message } as const;
    const ask = (): unknown => ruleTaskAnswer(answer, { ...MODERN, method });
    if (expected === undefined) expect(ask).not.toThrow();
    else expect(code(ask)).toBe(expected);
  });

  it("is a new task only in the form of its era", () => {
    expect(readCreated({ ...STATE, resultType: "task" }, "modern")?.upstreamId).toBe("theirs");
    expect(readCreated({ task: STATE }, "legacy")?.upstreamId).toBe("theirs");
    expect(readCreated({ task: STATE }, "modern")).toBeUndefined();
    expect(readCreated({ ...STATE, resultType: "task" }, "legacy")).toBeUndefined();
    for (const taskId of ["", 7, "x".repeat(513)])
      expect(code(() => readCreated({ ...STATE, taskId, resultType: "task" }, "modern"))).toBe(
        "RESULT_BLOCKED",
      );
  });
});

describe("redaction", () => {
  const ssn = "078-05-1120";
  const content = [{ type: "text", text: JSON.stringify({ ssn }) }];

  it("covers result, error and status message, and leaves how the task goes", () => {
    const told = { ...STATE, taskId: "078-05-1120-in-an-id", status: "completed", ttlMs: 600_000 };
    const outcome = applyTask(TRANSFORM, {
      ...told,
      statusMessage: `read ${ssn}`,
      result: { content, structuredContent: { ssn, ttlMs: 600_000 }, _meta: { copy: ssn } },
    });
    if (!outcome.ok) throw new Error(outcome.message);
    const { statusMessage, result, ...fields } = outcome.value;
    expect(fields).toEqual(told);
    expect(JSON.stringify([statusMessage, result])).not.toContain(ssn);
  });

  it("leaves what is asked as it was decided", () => {
    const inputRequests = { a: { method: "elicitation/create", params: { mode: "form", message: "Sure?" } } };
    const result = { ...STATE, status: "input_required", statusMessage: "of 078-05-1120", inputRequests };
    const answer = { kind: "result", result, task: { digest: "d", id: "MINE", holds: "state" } } as const;
    const redacted = redact(answer, TRANSFORM, {});
    const after = redacted.ok && redacted.answer.kind === "result" ? redacted.answer.result : {};
    expect(after["inputRequests"]).toEqual(inputRequests);
    expect(JSON.stringify(after)).not.toContain("078-05-1120");
  });

  it("leaves the relation of a legacy result to its task", () => {
    const { answer } = ruleTaskAnswer(
      { kind: "result", result: { content, _meta: { [RELATED_TASK]: { taskId: "theirs" }, copy: ssn } } },
      { ...LEGACY, method: "tasks/result" },
    );
    const conforming = conform(answer, "legacy", "tasks/result");
    if (!conforming.ok) throw new Error("blocked");
    const redacted = redact(conforming.answer, TRANSFORM, {});
    if (!redacted.ok || redacted.answer.kind !== "result") throw new Error("blocked");
    expect(JSON.stringify(redacted.answer)).not.toContain(ssn);
    expect(redacted.answer.result["_meta"]).toMatchObject({ [RELATED_TASK]: { taskId: "MINE" } });
  });
});
