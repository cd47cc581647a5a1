// What a leg comes to, in the same words on standard output and in docs/conformance.md.
import type { ClientOutcome } from "./client-legs.ts";
import { reachable, total } from "./compare.ts";
import type { Difference } from "./compare.ts";
import { CLIENT_UNREACHABLE, isReachable } from "./legs.ts";
import type { Unreachable } from "./legs.ts";
import type { LegOutcome, ServerRun } from "./server-legs.ts";
import type { Check, SuiteResult } from "./suite.ts";

/** Every check of the direct run is in one of the last four. */
export interface Tally {
  readonly direct: number;
  /** Through the gateway. */
  readonly passed: number;
  /** Failed or warned directly too. */
  readonly failedInBoth: number;
  /** Passed directly, and cannot be reached through a gateway. */
  readonly excepted: number;
  readonly worse: number;
}

interface Compared {
  readonly direct: SuiteResult;
  readonly governed: SuiteResult;
  readonly unreachable: readonly Unreachable[];
  readonly differences: readonly Difference[];
}

const isBad = ({ status }: Pick<Check, "status">): boolean => status === "FAILURE" || status === "WARNING";

function tally({ direct, governed, unreachable, differences }: Compared): Tally {
  const isPlace = (place: Pick<Difference, "scenario" | "check">): boolean => isReachable(unreachable, place);
  const through = total(reachable(governed, isPlace));
  const worseAndThere = differences.filter(({ after }) => after !== "missing" && isBad({ status: after }));
  return {
    direct: total(direct).passed,
    passed: through.passed,
    failedInBoth: through.failed - worseAndThere.length,
    excepted: total(direct).passed - total(reachable(direct, isPlace)).passed,
    worse: differences.length,
  };
}

export function serverTally(run: ServerRun, { leg, result, differences }: LegOutcome): Tally {
  const direct: SuiteResult = run.baselines.get(leg.baseline) ?? new Map();
  return tally({ direct, governed: result, unreachable: leg.unreachable, differences });
}

export function clientTally({ scenario, direct, governed, differences }: ClientOutcome): Tally {
  const unreachable = CLIENT_UNREACHABLE.filter((entry) => entry.scenario === scenario);
  return tally({ direct, governed, unreachable, differences });
}

export function sum(tallies: readonly Tally[]): Tally {
  const of = (name: keyof Tally): number => tallies.reduce((all, one) => all + one[name], 0);
  const [direct, passed, failedInBoth] = [of("direct"), of("passed"), of("failedInBoth")];
  return { direct, passed, failedInBoth, excepted: of("excepted"), worse: of("worse") };
}

export const WORDS: Readonly<Record<keyof Tally, string>> = {
  direct: "passed directly",
  passed: "passed through the gateway",
  failedInBoth: "failed in both",
  excepted: "excepted",
  worse: "worse",
};

export const NAMES = ["direct", "passed", "failedInBoth", "excepted", "worse"] as const;

export const tallyLine = (one: Tally): string =>
  NAMES.map((name) => `${String(one[name])} ${WORDS[name]}`).join(", ");

/** What is behind the numbers: names of the checks that failed, exceptions with their reasons, and what is worse. */
export function findings(
  governed: SuiteResult,
  unreachable: readonly Unreachable[],
  differences: readonly Difference[],
): readonly string[] {
  const failed = [...governed].flatMap(([scenario, checks]) =>
    checks
      .filter((check) => isBad(check) && isReachable(unreachable, { scenario, check: check.id }))
      .map(
        ({ id, name, errorMessage = "" }) =>
          `failed: ${scenario} / ${id} :: ${name}: ${errorMessage.slice(0, 200)}`,
      ),
  );
  return [
    ...failed,
    ...unreachable.map(
      ({ scenario, check = "every check", why }) => `excepted: ${scenario} / ${check}: ${why}`,
    ),
    ...differences.map(
      ({ scenario, check, before, after, why }) =>
        `worse: ${scenario} / ${check}: ${before} -> ${after}: ${why.slice(0, 300)}`,
    ),
  ];
}
