// A caller who goes while the decision is being written: one id has one decision in the log, and one end.
import { describe, expect, it } from "vitest";
import { AegisError } from "#errors";
import type { AuditEvent, AuditLog, AuditReceipt } from "#audit";
import { systemClock } from "#std";
import { newExchange } from "../../../runtime/pipeline/exchange.ts";
import type { Authenticated, Reached, Redacted, Transformed } from "../../../runtime/pipeline/exchange.ts";
import { pipeline } from "../../../runtime/pipeline/pipeline.ts";
import type { Stage } from "../../../runtime/pipeline/pipeline.ts";
import { ReplyChannel } from "../../../runtime/pipeline/reply-channel.ts";
import { refuse } from "../../../runtime/pipeline/run-exchange.ts";
import { proceed } from "../../../runtime/pipeline/verdict.ts";
import { createRecordResultStage } from "../../../runtime/stages/record-result.ts";
import { createRecordStage } from "../../../runtime/stages/record.ts";
import { recordOpening } from "../../../runtime/streams/recorded-opening.ts";

const RECEIPT = {} as AuditReceipt;

/** Holds the first record back until it is told what becomes of it; later ones are written at once. */
function heldLog(): {
  audit: AuditLog;
  written: readonly AuditEvent[];
  settle: (fault?: AegisError) => void;
} {
  const written: AuditEvent[] = [];
  const first = Promise.withResolvers<AuditReceipt>();
  let appended = 0;
  let held: AuditEvent | undefined;
  const append = (event: AuditEvent): Promise<AuditReceipt> => {
    if (appended++ === 0) {
      held = event;
      return first.promise;
    }
    written.push(event);
    return Promise.resolve(RECEIPT);
  };
  const audit = { append, fingerprint: () => "" } as unknown as AuditLog;
  const settle = (fault?: AegisError): void => {
    if (fault !== undefined) return first.reject(fault);
    if (held !== undefined) written.push(held);
    first.resolve(RECEIPT);
  };
  return { audit, written, settle };
}

function exchangeOf(signal: AbortSignal): Authenticated {
  const http = {
    json: () => undefined,
    empty: () => undefined,
    openStream: () => undefined,
    committed: false,
  };
  const exchange = newExchange({
    id: "one",
    receivedAtMs: 0,
    startedMonotonicMs: 0,
    inbound: { remoteAddress: "127.0.0.1", shared: undefined } as never,
    reply: new ReplyChannel(http as never, () => false),
    control: { signal } as never,
    snapshot: { digest: "d", sequence: 1, channel: "c", facts: undefined } as never,
  });
  return Object.assign(exchange, {
    route: { entry: { tenant: "acme", path: "/m" }, servers: [] } as never,
    method: { audit: "record" } as never,
    principal: { issuer: "i", subject: "s", facts: { id: "s", roles: [] } } as never,
  }) as unknown as Authenticated;
}

/** Aborts while the first record of `stage` is held back, refuses, then lets the record go the given way. */
async function abandon(
  make: (audit: AuditLog) => Stage<never, object>,
  fault?: AegisError,
): Promise<readonly string[]> {
  const { audit, written, settle } = heldLog();
  const caller = new AbortController();
  const exchange = exchangeOf(caller.signal);
  const running = pipeline<never>()
    .stage(make(audit))
    .build()
    .run(exchange as never, caller.signal, () => undefined);
  caller.abort(new AegisError("EXCHANGE_ABORTED", "the caller closed the connection"));
  const outcome = await running;
  if (outcome.kind !== "denial") throw new Error("it was not given up");
  const runner = { audit, clock: systemClock, challengeFor: () => undefined, onEnd: () => undefined };
  const refused = refuse(runner, outcome.reached as Reached, outcome.denial, outcome.stage);
  settle(fault);
  await refused;
  return written.map(({ event, body }) => `${event} ${String(body["effect"] ?? body["outcome"])}`);
}

const record = (audit: AuditLog): Stage<never, object> =>
  createRecordStage(audit) as Stage<Transformed, object> as unknown as Stage<never, object>;

const opening =
  (last: (conclude: (code: null) => Promise<void>) => void) =>
  (audit: AuditLog): Stage<never, object> => ({
    name: "open",
    run: async (exchange: Authenticated) => {
      const options = { audit, clock: systemClock, onFault: () => undefined };
      last(await recordOpening(exchange, "open", options));
      return proceed(exchange);
    },
  });

/** A call that was sent and answered, on its way to the caller. */
const recordResult = (audit: AuditLog): Stage<never, object> => {
  const stage = createRecordResultStage(audit, systemClock);
  return {
    name: stage.name,
    run: (exchange: Authenticated, signal) => {
      const answered = { receipt: RECEIPT, answer: { kind: "accepted" }, transformed: 0 };
      return stage.run(Object.assign(exchange, answered) as unknown as Redacted, signal);
    },
  };
};

describe("a caller who goes while the result is written", () => {
  it("leaves one result, which is what the server answered", async () => {
    expect(await abandon(recordResult)).toEqual(["result accepted"]);
  });

  it("leaves the refusal where the result could not be written", async () => {
    const fault = new AegisError("AUDIT_UNAVAILABLE", "planted");
    expect(await abandon(recordResult, fault)).toEqual(["result denied"]);
  });
});

describe("a caller who goes while the decision is written", () => {
  it("leaves one decision and how it ended", async () => {
    expect(await abandon(record)).toEqual(["decision allow", "result denied"]);
  });

  it("leaves one decision where the first could not be written", async () => {
    const fault = new AegisError("AUDIT_UNAVAILABLE", "planted");
    expect(await abandon(record, fault)).toEqual(["decision deny"]);
    expect(
      await abandon(
        opening(() => undefined),
        fault,
      ),
    ).toEqual(["decision deny"]);
  });

  it("opens nothing, and leaves one decision and one end", async () => {
    let opened = 0;
    expect(await abandon(opening(() => (opened += 1)))).toEqual(["decision allow", "result denied"]);
    expect(opened).toBe(0);
  });
});

it("an opening that fails after it was recorded has one end", async () => {
  const { audit, written, settle } = heldLog();
  const exchange = exchangeOf(new AbortController().signal);
  settle();
  const options = { audit, clock: systemClock, onFault: () => undefined };
  const conclude = await recordOpening(exchange, "open", options);
  await conclude("STREAM_LIMIT");
  const runner = { ...options, challengeFor: () => undefined, onEnd: () => undefined };
  await refuse(runner, exchange as unknown as Reached, { code: "STREAM_LIMIT", detail: "too many" }, "open");
  expect(written.map(({ event, body }) => [event, body["code"]])).toEqual([["result", "STREAM_LIMIT"]]);
});
