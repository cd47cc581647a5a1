// Two runs of the suite, check by check: what the second does worse than the first, or not at all.
import type { Check, CheckStatus, SuiteResult } from "./suite.ts";

export interface Difference {
  readonly scenario: string;
  /** `id :: name`, with a number where a scenario makes the same check more than once. */
  readonly check: string;
  readonly before: CheckStatus;
  readonly after: CheckStatus | "missing";
  readonly why: string;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const RANK: Readonly<Record<CheckStatus, number>> = {
  SUCCESS: 3,
  INFO: 2,
  SKIPPED: 2,
  WARNING: 1,
  FAILURE: 0,
};

function byKey(checks: readonly Check[]): Map<string, Check> {
  const found = new Map<string, Check>();
  for (const check of checks) {
    const base = `${check.id} :: ${check.name}`;
    let key = base;
    for (let count = 2; found.has(key); count += 1) key = `${base} #${String(count)}`;
    found.set(key, check);
  }
  return found;
}

/** What is informative only (INFO, SKIPPED) in the first run may be missing in the second. */
export function worseThan(before: SuiteResult, after: SuiteResult): readonly Difference[] {
  const differences: Difference[] = [];
  for (const [scenario, checks] of before) {
    const others = byKey(after.get(scenario) ?? []);
    for (const [key, check] of byKey(checks)) {
      const other = others.get(key);
      const isWorse =
        other === undefined ? RANK[check.status] !== RANK.INFO : RANK[other.status] < RANK[check.status];
      if (isWorse)
        differences.push({
          scenario,
          check: key,
          before: check.status,
          after: other?.status ?? "missing",
          why: other?.errorMessage ?? noteOf(other) ?? firstFailure(after.get(scenario)),
        });
    }
  }
  return differences;
}

function noteOf(check: Check | undefined): string | undefined {
  const { note, message } = (check?.details ?? {}) as { note?: string; message?: string };
  return note ?? message;
}

function firstFailure(checks: readonly Check[] | undefined): string {
  if (checks === undefined) return "the scenario did not run";
  return checks.find((check) => check.status === "FAILURE")?.errorMessage ?? "the check was not made";
}

/** As the suite counts: informative checks are neither. */
export function count(checks: Iterable<Check> | undefined): Counts {
  const of = (...statuses: readonly CheckStatus[]): number =>
    [...(checks ?? [])].filter(({ status }) => statuses.includes(status)).length;
  return { passed: of("SUCCESS"), failed: of("FAILURE", "WARNING") };
}

export function total(result: SuiteResult): Counts {
  const counts = [...result.values()].map(count);
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** The run without the checks that cannot be reached, whose outcome says nothing. */
export function reachable(
  result: SuiteResult,
  isReachable: (place: { readonly scenario: string; readonly check: string }) => boolean,
): SuiteResult {
  return new Map(
    [...result].map(([scenario, checks]) => [
      scenario,
      [...byKey(checks)].flatMap(([check, found]) => (isReachable({ scenario, check }) ? [found] : [])),
    ]),
  );
}
