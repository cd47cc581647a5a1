// Door #policy-test: what a repository's own tests say, decided by the gateway's evaluator.
export { decideCall } from "./decide-call.ts";
export type { CallRefusal, CallVerdict, Caller } from "./decide-call.ts";
export { percentOf } from "./coverage/coverage-report.ts";
export type {
  ClauseCoverage,
  CoverageReport,
  FileCoverage,
  LeafCoverage,
  PolicyCoverage,
  Share,
  TransformCoverage,
} from "./coverage/coverage-report.ts";
export { missingOf } from "./coverage/missing.ts";
export type { MissingOutcome } from "./coverage/missing.ts";
export { renderCoverageText } from "./coverage/render-coverage.ts";
export { renderLcov } from "./coverage/render-lcov.ts";
export { differences } from "./json-difference.ts";
export { runSuites } from "./run-suites.ts";
export type { RunSuitesOptions } from "./run-suites.ts";
export {
  TEST_REPORT_FORMAT_VERSION,
  renderTestJson,
  renderTestJunit,
  renderTestText,
} from "./render-report.ts";
export type { TestTextOptions } from "./render-report.ts";
export type { DecidingPolicy, SuiteReport, SuiteResult, TestFailure, TestResult } from "./suite-report.ts";
