// What the updater did, told once: to the log, the metrics and the audit log.
import type { JsonObject } from "#std";
import type { Rejection, UpdaterStatus } from "./snapshot/update-status.ts";
import type { Logger, Metrics } from "./telemetry/index.ts";

/** Rejections in a row that are told apart; further ones are told each time. */
const MAX_TOLD = 100;

/**
 * Every activation leaves a record, and every rejection the first time: what is refused stays in the channel and is
 * refused again with each poll. An attempt that succeeds ends the memory.
 */
export function createReleaseRecorder(
  logger: Pick<Logger, "info" | "error">,
  metrics: Pick<Metrics, "activeRelease" | "releaseRejected">,
  record: (event: "bundle", body: JsonObject) => void,
): (status: UpdaterStatus) => void {
  let seenSequence: string | undefined;
  const told = new Set<string>();
  return ({ active, lastRejection, failures }) => {
    const sequence = active === undefined ? undefined : `${active.epoch}/${active.sequence}`;
    if (active !== undefined && sequence !== seenSequence) {
      seenSequence = sequence;
      metrics.activeRelease(active.digest, active.sequence);
      logger.info("release activated", { digest: active.digest, sequence: active.sequence });
      const { digest, epoch, channel } = active;
      record("bundle", { outcome: "activated", digest, sequence: active.sequence, epoch, channel });
    }
    if (failures === 0) told.clear();
    else if (lastRejection !== undefined && !told.has(identityOf(lastRejection))) {
      if (told.size < MAX_TOLD) told.add(identityOf(lastRejection));
      metrics.releaseRejected(lastRejection.code);
      logger.error("release rejected", { ...lastRejection });
      const { code, detail } = lastRejection;
      record("bundle", { outcome: "rejected", code, detail });
    }
  };
}

/** The same bytes refused for the same reason; without a statement, what was said. */
function identityOf({ code, detail, statement }: Rejection): string {
  return `${code} ${statement ?? detail}`;
}
