// The result of running test suites, as data.
import type { Digest } from "#bundle";
import type { InvariantResult, SourceSpan } from "#compiler";
import type { CoverageReport } from "./coverage/coverage-report.ts";

/** A policy that took part in a decision, and where it is written. */
export interface DecidingPolicy {
  readonly id: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** One expectation that did not hold. */
export interface TestFailure {
  /** `error`: the test itself is wrong, e.g. arguments that the pinned schema refuses. */
  readonly kind: "failure" | "error";
  readonly at: SourceSpan;
  /** What was looked at, e.g. `developer calls drop`. */
  readonly subject: string;
  readonly expected: string;
  readonly actual: string;
  /** The policies that decided, and those that could not be evaluated. */
  readonly policies: readonly DecidingPolicy[];
}

export interface TestResult {
  readonly name: string;
  readonly at: SourceSpan;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it is skipped. */
  readonly skip: string | undefined;
  /** Calls that were decided. */
  readonly cells: number;
  readonly failures: readonly TestFailure[];
}

export interface SuiteResult {
  readonly file: string;
  readonly name: string;
  readonly tests: readonly TestResult[];
}

export interface SuiteReport {
  /** The bundle that was tested. */
  readonly digest: Digest;
  /** Suites with at least one selected test. */
  readonly suites: readonly SuiteResult[];
  /** Numbers of tests. */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Calls that were decided in all tests. */
  readonly cells: number;
  /** Present where the repository has invariants. */
  readonly invariants?: readonly InvariantResult[];
  /** Present where it was asked for. */
  readonly coverage?: CoverageReport;
}
