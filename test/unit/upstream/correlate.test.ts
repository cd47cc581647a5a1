// The correlator: gateway ids and tokens, one settlement per request, and what it drops.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ServerMessage } from "#mcp";
import type { JsonObject } from "#std";
import { createCorrelator } from "../../../runtime/upstream/correlate.ts";
import type { Correlator } from "../../../runtime/upstream/correlate.ts";
import { UpstreamFault } from "../../../runtime/upstream/upstream-fault.ts";
import { MODERN, Recording, codeOf, legacyChannel, legacyRequest, modernRequest } from "./recording.ts";

function setUp(era: "modern" | "legacy" = "modern"): {
  recording: Recording;
  correlator: Correlator;
  answers: JsonObject[];
} {
  const recording = new Recording();
  const answers: JsonObject[] = [];
  const answer = (message: JsonObject): Promise<void> => {
    answers.push(message);
    return Promise.resolve();
  };
  const channel = era === "modern" ? MODERN : legacyChannel();
  const correlator = createCorrelator({ server: "s", channel, events: recording.events, answer });
  return { recording, correlator, answers };
}

const answerTo = (id: number | string, result: JsonObject = {}): ServerMessage => ({
  kind: "response",
  id,
  result,
});

describe("ids", () => {
  test("two callers never share an id, and answers in reverse order reach their own asker", async () => {
    const { correlator, recording } = setUp();
    const first = correlator.open(modernRequest("tools/list"), recording.observer);
    const second = correlator.open(modernRequest("tools/list"), recording.observer);
    expect(first.id).not.toBe(second.id);
    correlator.accept(answerTo(second.id, { for: "second" }));
    correlator.accept(answerTo(first.id, { for: "first" }));
    expect(await first.reply).toEqual({ kind: "result", result: { for: "first" } });
    expect(await second.reply).toEqual({ kind: "result", result: { for: "second" } });
    expect(recording.violations).toEqual([]);
  });

  test("a second answer is dropped and reported; the first stands", async () => {
    const { correlator, recording } = setUp();
    const pending = correlator.open(modernRequest("tools/list"), recording.observer);
    correlator.accept(answerTo(pending.id, { n: 1 }));
    correlator.accept(answerTo(pending.id, { n: 2 }));
    expect(await pending.reply).toEqual({ kind: "result", result: { n: 1 } });
    expect(recording.violations).toEqual(["an answer to an unknown or already answered id"]);
  });

  test.each([
    ["unknown id", (id: number) => answerTo(id + 1)],
    ["the id as a string", (id: number) => answerTo(String(id))],
    [
      "an error without an id",
      () => ({ kind: "response", id: null, error: { code: 1, message: "x" } }) as const,
    ],
  ])("%s settles nothing", (_name, message) => {
    const { correlator, recording } = setUp();
    const pending = correlator.open(modernRequest("tools/list"), recording.observer);
    correlator.accept(message(pending.id));
    expect(pending.settled()).toBe(false);
    expect(recording.violations).toHaveLength(1);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("an answer on another request's stream settles nothing", () => {
    const { correlator, recording } = setUp();
    const first = correlator.open(modernRequest("tools/list"), recording.observer);
    const second = correlator.open(modernRequest("tools/list"), recording.observer);
    correlator.accept(answerTo(first.id), second.id);
    expect([first.settled(), second.settled()]).toEqual([false, false]);
    expect(recording.violations).toEqual(["an answer on the stream of another request"]);
  });

  test("a late answer to an abandoned request is no violation, but only once", async () => {
    const { correlator, recording } = setUp();
    const pending = correlator.open(modernRequest("tools/list"), recording.observer);
    expect(pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "gone"))).toBe(true);
    expect(pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "again"))).toBe(false);
    correlator.accept(answerTo(pending.id));
    expect(recording.violations).toEqual([]);
    correlator.accept(answerTo(pending.id));
    expect(recording.violations).toHaveLength(1);
    expect(await codeOf(pending.reply)).toBe("EXCHANGE_ABORTED");
  });

  test("any order of answers, duplicates and strangers settles each request exactly once with its own answer", async () => {
    const steps = fc.array(fc.record({ index: fc.nat(5), stranger: fc.boolean() }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, async (order) => {
        const { correlator, recording } = setUp();
        const requests = Array.from({ length: 6 }, () =>
          correlator.open(modernRequest("tools/list"), recording.observer),
        );
        const answered = new Set<number>();
        let expectedViolations = 0;
        for (const { index, stranger } of order) {
          const id = requests[index]?.id ?? 0;
          if (stranger || answered.has(index)) expectedViolations++;
          if (!stranger) answered.add(index);
          correlator.accept(answerTo(stranger ? -1 - index : id, { index }));
        }
        expect(recording.violations).toHaveLength(expectedViolations);
        correlator.failAll(new UpstreamFault("UPSTREAM_UNAVAILABLE", "gone"));
        for (const [index, request] of requests.entries()) {
          if (answered.has(index)) expect(await request.reply).toEqual({ kind: "result", result: { index } });
          else expect(await codeOf(request.reply)).toBe("UPSTREAM_UNAVAILABLE");
        }
        expect(correlator.pendingCount()).toBe(0);
      }),
      { numRuns: 50, seed: 7 },
    );
  });
});

describe("progress", () => {
  const progress = (progressToken: string | number): ServerMessage => ({
    kind: "notification",
    method: "notifications/progress",
    params: { progressToken, progress: 1 },
  });

  test("the token that leaves is the gateway's, the one that comes back is the caller's", () => {
    const { correlator, recording } = setUp();
    const pending = correlator.open(
      modernRequest("tools/call", { name: "t" }, { progressToken: "mine" }),
      recording.observer,
    );
    expect((pending.wire["params"] as JsonObject)["_meta"]).toMatchObject({ progressToken: pending.id });
    correlator.accept(progress(pending.id), pending.id);
    expect(recording.notifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "mine", progress: 1 } },
    ]);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test.each([
    ["a token nobody has", () => 999_999, undefined],
    ["the caller's own token, guessed", () => "mine", undefined],
    ["another request's token on this stream", (other: number) => other, "own"],
  ])("%s crosses to nobody", (_name, token, scope) => {
    const { correlator, recording } = setUp();
    const other = correlator.open(
      modernRequest("tools/call", { name: "a" }, { progressToken: "mine" }),
      recording.observer,
    );
    const own = correlator.open(
      modernRequest("tools/call", { name: "b" }, { progressToken: "mine" }),
      recording.observer,
    );
    correlator.accept(progress(token(other.id)), scope === undefined ? undefined : own.id);
    expect(recording.notifications).toEqual([]);
    expect(recording.violations).toHaveLength(1);
    correlator.failAll(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("a caller that asked for none gets none", () => {
    const { correlator, recording } = setUp();
    const pending = correlator.open(modernRequest("tools/call", { name: "t" }), recording.observer);
    correlator.accept(progress(pending.id), pending.id);
    expect(recording.notifications).toEqual([]);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });
});

describe("messages the server starts", () => {
  const request = (id: number | string, method = "sampling/createMessage"): ServerMessage => ({
    kind: "request",
    id,
    method,
    params: {},
  });

  test("modern: a request is dropped and reported, never answered", () => {
    const { correlator, recording, answers } = setUp("modern");
    const pending = correlator.open(modernRequest("tools/call", { name: "t" }), recording.observer);
    correlator.accept(request("srv-1"), pending.id);
    expect(recording.serverRequests).toEqual([]);
    expect(answers).toEqual([]);
    expect(recording.violations).toEqual([
      "a server-initiated request (sampling/createMessage) in the modern era",
    ]);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("legacy: goes to the request on whose stream it came; the answer carries the server's id", async () => {
    const { correlator, recording, answers } = setUp("legacy");
    const pending = correlator.open(legacyRequest("tools/call", { name: "t" }), recording.observer);
    correlator.accept(request("srv-1"), pending.id);
    await expect
      .poll(() => answers)
      .toEqual([{ jsonrpc: "2.0", id: "srv-1", error: { code: -32601, message: "no" } }]);
    expect(recording.serverRequests).toHaveLength(1);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("legacy: ping is answered here; without a request under way the channel is asked", async () => {
    const { correlator, recording, answers } = setUp("legacy");
    correlator.accept(request(1, "ping"));
    correlator.accept(request(2));
    await expect.poll(() => answers.length).toBe(2);
    expect(answers).toContainEqual({ jsonrpc: "2.0", id: 1, result: {} });
    expect(recording.channelRequests).toHaveLength(1);
  });

  test("legacy: list_changed reaches the channel and not the call it came with", () => {
    const { correlator, recording } = setUp("legacy");
    const pending = correlator.open(legacyRequest("tools/call", { name: "t" }), recording.observer);
    correlator.accept(
      { kind: "notification", method: "notifications/tools/list_changed", params: undefined },
      pending.id,
    );
    expect(recording.notifications).toEqual([]);
    expect(recording.channelNotifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/tools/list_changed" },
    ]);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("a cancellation by the server ends nothing but a subscription", async () => {
    const { correlator, recording } = setUp("modern");
    const call = correlator.open(modernRequest("tools/call", { name: "t" }), recording.observer);
    const listen = correlator.open(
      { ...modernRequest("subscriptions/listen"), callerId: "L1" },
      recording.observer,
    );
    const cancelled = (requestId: number): ServerMessage => ({
      kind: "notification",
      method: "notifications/cancelled",
      params: { requestId },
    });
    correlator.accept(cancelled(call.id));
    expect(call.settled()).toBe(false);
    correlator.accept(cancelled(listen.id));
    expect(await codeOf(listen.reply)).toBe("UPSTREAM_UNAVAILABLE");
    expect(recording.violations).toHaveLength(1);
    call.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });

  test("modern: subscription ids are the caller's again, in notifications and in the final result", async () => {
    const { correlator, recording } = setUp("modern");
    const listen = correlator.open(
      { ...modernRequest("subscriptions/listen"), callerId: "L1" },
      recording.observer,
    );
    const own = { _meta: { "io.modelcontextprotocol/subscriptionId": listen.id } };
    correlator.accept({ kind: "notification", method: "notifications/tools/list_changed", params: own });
    correlator.accept(answerTo(listen.id, { resultType: "complete", ...own }));
    const callers = { _meta: { "io.modelcontextprotocol/subscriptionId": "L1" } };
    expect(recording.notifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/tools/list_changed", params: callers },
    ]);
    expect(await listen.reply).toEqual({ kind: "result", result: { resultType: "complete", ...callers } });
  });

  test("an observer that throws harms nobody", () => {
    const { correlator, recording } = setUp("legacy");
    const broken = {
      onNotification: (): void => {
        throw new Error("boom");
      },
      onServerRequest: () => Promise.reject(new Error("boom")),
    };
    const pending = correlator.open(legacyRequest("tools/call", { name: "t" }), broken);
    correlator.accept({ kind: "notification", method: "notifications/message", params: {} }, pending.id);
    expect(recording.violations).toEqual(["a message could not be handed on: Error: boom"]);
    expect(pending.settled()).toBe(false);
    pending.fail(new UpstreamFault("EXCHANGE_ABORTED", "end of test"));
  });
});
