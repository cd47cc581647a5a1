// Runs one exchange from first byte to reply: request stages, response stages, and for every denial exactly one audit
// record and exactly one reply.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import type { Clock } from "#std";
import type { InboundHttp } from "../listener/inbound.ts";
import { SYSTEM_TENANT, decisionRecord, resultRecord } from "./audit-records.ts";
import type { Answered, Concluded, Exchange, Reached } from "./exchange.ts";
import { faultToDenial, settleBefore } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { sendAnswer, sendDenial } from "./reply.ts";
import type { ReplyChannel } from "./reply-channel.ts";
import type { Denial } from "./verdict.ts";

/** Longest a reply waits for the record of a denial. */
export const DENIAL_RECORD_TIMEOUT_MS = 5_000;

export interface ExchangeRunner {
  readonly request: Pipeline<Exchange, Answered>;
  readonly response: Pipeline<Answered, Concluded>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly challengeFor: (exchange: Reached, denial: Denial) => string | undefined;
  readonly onStage: (name: string, durationMs: number) => void;
  readonly onEnd: (exchange: Reached, denial: Denial | undefined) => void;
}

export async function runExchange(runner: ExchangeRunner, exchange: Exchange): Promise<void> {
  const { signal } = exchange.control;
  const asked = await runner.request.run(exchange, signal, runner.onStage);
  if (asked.kind === "denial") {
    await refuse(runner, asked.reached as Reached, asked.denial, asked.stage);
    return;
  }
  const answered = await runner.response.run(asked.exchange, signal, runner.onStage);
  if (answered.kind === "denial") {
    await refuse(runner, answered.reached as Reached, answered.denial, answered.stage);
    return;
  }
  sendAnswer(answered.exchange.reply, answered.exchange.answer);
  runner.onEnd(answered.exchange, undefined);
}

/** Records a denial and replies with it. A denial that cannot be recorded is still a denial, under another code. */
export async function refuse(
  runner: Pick<ExchangeRunner, "audit" | "clock" | "challengeFor" | "onEnd">,
  exchange: Reached,
  denial: Denial,
  stage: string,
): Promise<void> {
  let final = denial;
  try {
    await settleBefore(
      recordDenial(runner, exchange, denial, stage),
      AbortSignal.timeout(DENIAL_RECORD_TIMEOUT_MS),
    );
  } catch (fault) {
    const cause = faultToDenial("record", fault);
    final = {
      code: "AUDIT_UNAVAILABLE",
      detail: `${denial.code} (${denial.detail}) could not be recorded: ${cause.detail}`,
    };
  }
  addressRefusal(exchange.reply, exchange.inbound);
  sendDenial(exchange.reply, final, {
    decisionId: exchange.id,
    challenge: runner.challengeFor(exchange, final),
  });
  runner.onEnd(exchange, final);
}

/** On a connection with others a refusal must say which message it is for, even where that was not read. */
export function addressRefusal(reply: ReplyChannel, inbound: InboundHttp): void {
  if (!reply.messagesOnly || reply.address.id !== null || !reply.address.expectsAnswer) return;
  const { shared } = inbound;
  const id = shared?.readId();
  if (id !== undefined) reply.addressTo({ ...reply.address, id });
  else if (shared?.isNotification() === true) reply.addressTo({ ...reply.address, expectsAnswer: false });
}

/** The record of a refusal: a decision, or the result of what was allowed before. @throws {AegisError} AUDIT_UNAVAILABLE */
export async function recordDenial(
  runner: Pick<ExchangeRunner, "audit" | "clock">,
  exchange: Reached,
  denial: Denial,
  stage: string,
): Promise<void> {
  const { audit, clock } = runner;
  // The caller may have gone while the decision was being written.
  if (exchange.recording !== undefined) await exchange.recording.catch(() => undefined);
  if (await isResultRecorded(exchange)) return;
  if (exchange.conclude !== undefined) return exchange.conclude(denial.code);
  if (exchange.receipt !== undefined) {
    const body = resultRecord(exchange, {
      outcome: "denied",
      code: denial.code,
      detail: `${stage}: ${denial.detail}`,
      durationMs: clock.monotonicMs() - exchange.startedMonotonicMs,
      transformed: 0,
    });
    await audit.append({ tenant: exchange.route?.entry.tenant ?? SYSTEM_TENANT, event: "result", body });
    return;
  }
  const policies = denial.data?.["policies"];
  const body = decisionRecord(
    exchange,
    {
      effect: "deny",
      policies: Array.isArray(policies) ? policies.filter((id) => typeof id === "string") : [],
      code: denial.code,
      detail: denial.detail,
      stage,
      ...(denial.shadow === undefined ? {} : { shadow: denial.shadow }),
    },
    audit,
  );
  const authenticated = exchange.principal !== undefined && exchange.route !== undefined;
  await audit.append({
    tenant: authenticated ? exchange.route.entry.tenant : SYSTEM_TENANT,
    event: authenticated ? "decision" : "auth",
    body,
  });
}

/** What the server answered is the result of the call, also where the caller had gone before it was written. */
function isResultRecorded({ recordingResult }: Exchange): Promise<boolean> | boolean {
  if (recordingResult === undefined) return false;
  return recordingResult.then(
    () => true,
    () => false,
  );
}

/** A fault that escaped every stage: a bug, answered as one. */
export function escapedFault(fault: unknown): Denial {
  return faultToDenial(
    "gateway",
    fault instanceof Error ? fault : new AegisError("STAGE_FAULT", String(fault)),
  );
}
