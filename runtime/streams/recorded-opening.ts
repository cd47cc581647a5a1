// What outlives its request (a stream, a connection) stands in the log twice: when it is opened, and when it has ended.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import type { ErrorCode } from "#errors";
import type { Clock } from "#std";
import { decisionRecord, resultRecord } from "../pipeline/audit-records.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Authenticated } from "../pipeline/exchange.ts";

export interface OpeningOptions {
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** The record of an end could not be written; there is nobody left to tell. */
  readonly onFault: (fault: unknown) => void;
}

/**
 * Records the end; `code` where it was refused after all. Only the first call does. Resolves also where the record could
 * not be written.
 */
export type Conclude = (code: ErrorCode | null) => Promise<void>;

/**
 * Records that `exchange` may open something, or do what `stage` names.
 * @returns what must be called once: an opening without an end would stay open in the log for good
 * @throws {AegisError} the codes of `AuditLog.append`, EXCHANGE_ABORTED where the caller has gone meanwhile; then nothing
 *   is open
 */
export async function recordOpening(
  exchange: Authenticated,
  stage: string,
  options: OpeningOptions,
): Promise<Conclude> {
  const { id, route, startedMonotonicMs } = exchange;
  const { tenant } = route.entry;
  const body = decisionRecord(exchange, { effect: "allow", policies: [], stage }, options.audit);
  const conclude = concludeOf({ id, tenant, startedMonotonicMs }, options);
  const recording = options.audit
    .append({ tenant, event: "decision", body })
    .then(() => void learn(exchange, { conclude }));
  learn(exchange, { recording });
  await recording;
  if (exchange.control.signal.aborted)
    throw new AegisError("EXCHANGE_ABORTED", "nobody waits for it any more");
  return conclude;
}

/** Without the exchange, which would keep its release for as long as the stream or connection is open. */
function concludeOf(
  {
    id,
    tenant,
    startedMonotonicMs,
  }: Pick<Authenticated, "id" | "startedMonotonicMs"> & Pick<Authenticated["route"]["entry"], "tenant">,
  { audit, clock, onFault }: OpeningOptions,
): Conclude {
  const record = async (code: ErrorCode | null): Promise<void> => {
    const body = resultRecord(
      { id },
      {
        outcome: code === null ? "accepted" : "denied",
        code,
        durationMs: clock.monotonicMs() - startedMonotonicMs,
        transformed: 0,
      },
    );
    try {
      await audit.append({ tenant, event: "result", body });
    } catch (fault) {
      onFault(fault);
    }
  };
  let recorded: Promise<void> | undefined;
  return (code) => (recorded ??= record(code));
}
