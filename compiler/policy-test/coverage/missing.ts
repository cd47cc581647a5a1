// What no test reached, in words that say which test is missing.
import type { SourceSpan } from "#compiler";
import { shareOf } from "./coverage-report.ts";
import type { ClauseCoverage, CoverageReport, LeafCoverage, PolicyCoverage } from "./coverage-report.ts";
import { linePath } from "./policy-terms.ts";

/** One thing that tests left out. */
export interface MissingOutcome {
  /** `clause`: counts for `--min-coverage`. */
  readonly kind: "clause" | "leaf" | "transform";
  /** Absent for a definition, which stands in no document. */
  readonly at?: SourceSpan;
  /** The clause, the definition or the line as its author wrote it. */
  readonly text: string;
  /** e.g. `never false`; several sides are joined by `, `. */
  readonly missing: string;
}

/** Everything that is missing: clauses, then definitions, then lines of `transforms`. */
export function missingOf(coverage: CoverageReport): readonly MissingOutcome[] {
  return [
    ...coverage.byPolicy.flatMap((policy) =>
      policy.clauses.flatMap((clause): readonly MissingOutcome[] => {
        const missing = missingSides(policy, clause);
        return missing === undefined ? [] : [{ kind: "clause", at: clause.at, text: clause.text, missing }];
      }),
    ),
    ...coverage.byLeaf.flatMap((leaf): readonly MissingOutcome[] => {
      const missing = missingDecisions(leaf);
      return missing === undefined ? [] : [{ kind: "leaf", text: `${leaf.server}/${leaf.name}`, missing }];
    }),
    ...coverage.byTransform.flatMap(({ policy, at, applied }): readonly MissingOutcome[] => {
      const text = linePath(policy);
      return applied > 0 ? [] : [{ kind: "transform", at, text, missing: "never changed anything" }];
    }),
  ];
}

function missingSides(policy: PolicyCoverage, clause: ClauseCoverage): string | undefined {
  const { whenTrue, whenFalse } = clause;
  const { covered, total } = shareOf([whenTrue, whenFalse]);
  if (covered === total) return undefined;
  if (policy.satisfied + policy.notSatisfied + policy.errored === 0) return "no call asks this policy";
  const [isTrue, isFalse] = wordsFor(policy, clause);
  const sides = [...(whenTrue === 0 ? [isTrue] : []), ...(whenFalse === 0 ? [isFalse] : [])];
  return sides.length === 2 && clause.errors === 0 && !hasOwnWords(policy, clause)
    ? "never reached"
    : `${sides.join(", ")}${clause.errors > 0 ? ` (${clause.errors} errors)` : ""}`;
}

function hasOwnWords(policy: PolicyCoverage, { kind }: ClauseCoverage): boolean {
  return !policy.authored && kind !== "always";
}

/** Authors of YAML wrote a list or a limit, no expression that is true or false. */
function wordsFor(policy: PolicyCoverage, { kind }: ClauseCoverage): readonly [string, string] {
  if (kind === "always") return ["never applied", ""];
  if (policy.authored) return ["never true", "never false"];
  if (kind === "scope") return ["no caller has the role", "no caller lacks the role"];
  const applies = policy.effect === "forbid" ? "refuses no call" : "permits no call";
  const passes = policy.effect === "forbid" ? "lets no call pass" : "leaves no call out";
  return kind === "unless" ? [passes, applies] : [applies, passes];
}

function missingDecisions({ allowed, denied }: LeafCoverage): string | undefined {
  if (allowed === 0 && denied === 0) return "never called";
  if (allowed === 0) return "never allowed";
  return denied === 0 ? "never denied" : undefined;
}
