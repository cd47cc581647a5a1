// What may not pass as an answer, whoever reads it: this thread or a worker.
import { expect, it } from "vitest";
import type { JsonObject } from "#std";
import { compileTransform } from "#transform";
import type { UpstreamReply } from "#upstream";
import { answerOf, conform, redact } from "../../../runtime/pipeline/answer-rules.ts";
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

const refusal = (code: number, requiredCapabilities: JsonObject = {}): UpstreamReply => ({
  kind: "error",
  error: { code, message: "secret", data: { requiredCapabilities, secret: 1 } },
});

it.each<[JsonObject, string]>([
  [{ extensions: { "io.modelcontextprotocol/tasks": {} } }, "the extension io.modelcontextprotocol/tasks"],
  [{ extensions: { "secret/one": {} } }, "an extension that is not governed here"],
  [{ secret: {} }, "a capability that is not governed here"],
  [{ sampling: { secret: {} }, roots: {} }, "roots, sampling of the client"],
])("a legacy caller is told in words what the server needs: %j", (required, words) => {
  const refused = (): unknown => answerOf(refusal(-32021, required), "legacy");
  const reason = expect.stringContaining(words) as unknown;
  expect(refused).toThrow(expect.objectContaining({ code: "CAPABILITY_REQUIRED", reason }));
  try {
    refused();
  } catch (fault) {
    expect(JSON.stringify(fault)).not.toContain("secret");
  }
});

it.each([-32020, -32022])("%d is about the gateway's own message in both eras", (code) => {
  for (const era of ["legacy", "modern"] as const) {
    const refused = (): unknown => answerOf(refusal(code), era);
    expect(refused).toThrow(expect.objectContaining({ code: "UPSTREAM_PROTOCOL", reason: undefined }));
  }
});

it.each([
  [-32602, "Invalid params [removed: not JSON, a redaction applies]"],
  [-32000, "[removed: not JSON, a redaction applies]"],
])(
  "an error %d whose text a redaction removes is named by its code where that is a standard one",
  (code, message) => {
    const paths = [[{ kind: "name", name: "ssn" }]] as const;
    const operation = { policy: "policies/test.yaml#0", verb: "redact", paths } as const;
    const transform = {
      tenant: "default",
      action: "tools/call:s/t",
      request: [],
      response: [operation],
    } as const;
    const error = { kind: "error", code, message: "task of 078-05-1120 is over" } as const;
    const ruled = redact(error, compileTransform(transform), {});
    expect(ruled).toMatchObject({ ok: true, answer: { kind: "error", code, message } });
  },
);
