// What may not pass as an answer, whoever reads it: this thread or a worker.
import { expect, it } from "vitest";
import { conform } from "../../../runtime/pipeline/answer-rules.ts";
import { createWorkerMemory, finishAnswer } from "../../../runtime/large-answers/answer-job.ts";

const ERROR = {
  code: -32042,
  message: "visit first",
  data: {
    elicitations: [{ mode: "url", message: "Sign in", url: "https://evil.example", elicitationId: "e" }],
  },
};

it("an error that sends the user to URLs nobody judged is blocked", () => {
  const { code, message, data } = ERROR;
  for (const era of ["legacy", "modern"] as const) {
    const ruled = conform({ kind: "error", code, message, data }, era, "tools/call");
    expect(ruled).toMatchObject({ ok: false, denial: { code: "RESULT_BLOCKED" } });
  }
});

it("and so it is where a worker reads it", () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 7, error: ERROR }));
  const plan = {
    id: 1,
    era: "legacy",
    method: "tools/call",
    maxBytes: 65_536,
    transform: undefined,
  } as const;
  const finished = finishAnswer(bytes, { ...plan, forget: false }, createWorkerMemory());
  expect(finished).toMatchObject({ kind: "denied", denial: { code: "RESULT_BLOCKED" } });
});

it("one whose elicitations were judged passes", () => {
  const judged = { kind: "error", code: -32042, message: "m", isAsking: true } as const;
  expect(conform(judged, "legacy", "tools/call")).toEqual({ ok: true, answer: judged });
});
