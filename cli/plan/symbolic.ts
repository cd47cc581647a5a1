// The option --symbolic: what a solver proves of a plan, or finds.
import type { Plan, PlanChange, PlanInput } from "#plan";
import { SOLVER_PACKAGE, SolverUnavailable, proveNoNewPermits, withSymbolic } from "#symbolic";
import { CliError } from "../output/cli-error.ts";
import type { CliIo } from "../output/io.ts";

const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 600;

export interface SymbolicRequest {
  readonly symbolic?: true;
  /** Seconds for one question, as written. */
  readonly symbolicTimeout?: string;
}

/** The plan as it is where no proof is asked for. Throws CliError where the solver is not installed. */
export async function provePlan(
  plan: Plan,
  base: PlanInput,
  head: PlanInput,
  request: SymbolicRequest,
  io: CliIo,
): Promise<Plan> {
  if (request.symbolic !== true) return plan;
  const queryTimeoutMs = secondsOf(request.symbolicTimeout) * 1_000;
  const found = plan.changes.filter((change): change is Exclude<PlanChange, { evidence: "structural" }> => {
    return change.evidence !== "structural";
  });
  try {
    const result = await proveNoNewPermits(base, head, {
      found,
      queryTimeoutMs,
      onProgress: (done, total) => {
        if (io.showProgress)
          io.err(`\rasking the solver: ${String(done)} of ${String(total)}${done === total ? "\n" : ""}`);
      },
    });
    return withSymbolic(plan, result, base, head);
  } catch (fault) {
    if (!(fault instanceof SolverUnavailable)) throw fault;
    throw new CliError(`--symbolic: ${fault.message}`, {
      help: `npm install ${SOLVER_PACKAGE}, beside the package of aegis`,
      cause: fault,
    });
  }
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = /^[0-9]{1,3}$/u.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_SECONDS) return seconds;
  throw new CliError(`--symbolic-timeout ${JSON.stringify(text)} is no number of seconds`, {
    help: `1 to ${String(MAX_SECONDS)}`,
  });
}
