// The option --replay: recorded calls, decided on both sides of a plan.
import { resolve } from "node:path";
import { showHidden } from "#compiler";
import type { PlanInput } from "#plan";
import { AuditMissing, AuditTampered, replayLogs } from "#replay";
import type { ReplayOutcome } from "#replay";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";

/** A log of millions of records takes minutes. */
const REPLAY_TIMEOUT_MS = 60 * 60_000;

/** Undefined where no log is named, or a side does not compile. Throws CliError: exit 6 for a log that was tampered with. */
export async function replayRecorded(
  logs: readonly string[],
  base: PlanInput,
  head: PlanInput,
  io: CliIo,
): Promise<ReplayOutcome | undefined> {
  if (logs.length === 0 || base.bundle === undefined || head.bundle === undefined) return undefined;
  const paths = logs.map((log) => resolve(io.cwd, log));
  try {
    const signal = AbortSignal.timeout(REPLAY_TIMEOUT_MS);
    const { warnings, ...outcome } = await replayLogs(base.bundle, head.bundle, paths, signal);
    for (const warning of warnings) io.err(`warning: ${showHidden(warning)}\n`);
    return outcome;
  } catch (fault) {
    throw auditFault(fault);
  }
}

/** What a log that cannot be used means to whoever named it. */
export function auditFault(fault: unknown): unknown {
  if (fault instanceof AuditTampered)
    return new CliError(fault.message, {
      exitCode: EXIT.trust,
      help: "aegis audit verify tells more; nothing of it was used",
      cause: fault,
    });
  if (fault instanceof AuditMissing)
    return new CliError(fault.message, {
      help: "name the audit directory of a gateway, or one of its segments",
      cause: fault,
    });
  const { code, path } = fault as { readonly code?: unknown; readonly path?: unknown };
  if (code === "ENOENT" || code === "EACCES")
    return new CliError(`the audit log ${String(path)} cannot be read`, {
      help: "name the audit directory of a gateway, or one of its segments",
      cause: fault,
    });
  return fault;
}
