// Runs one test: the cells of a matrix, or one call through the transforms.
import { createHmac } from "node:crypto";
import type { BundleContent, TransformEntry } from "#bundle";
import type {
  CallExpectation,
  MatrixTest,
  SourceSpan,
  TestCall,
  TestCase,
  TestPrincipal,
  TransformTest,
} from "#compiler";
import { isAegisError } from "#errors";
import type { Evaluator } from "#pdp";
import type { JsonObject } from "#std";
import { applyRequest, applyResponse, compileTransform } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import type { CoverageObserver } from "./coverage/coverage-recorder.ts";
import { decideCall } from "./decide-call.ts";
import type { CallVerdict } from "./decide-call.ts";
import { differences } from "./json-difference.ts";
import type { DecidingPolicy, TestFailure, TestResult } from "./suite-report.ts";

/** What every test of a run shares. */
export interface TestBench {
  readonly content: BundleContent;
  readonly evaluator: Evaluator;
  readonly signal: AbortSignal | undefined;
  /** Is told what is decided and transformed. */
  readonly coverage: CoverageObserver | undefined;
}

type Outcome = Pick<TestResult, "cells" | "failures">;

export async function runTest(bench: TestBench, test: TestCase): Promise<TestResult> {
  const { name, at, skip } = test;
  if (skip !== undefined) return { name, at, status: "skipped", skip, cells: 0, failures: [] };
  const { cells, failures } =
    test.kind === "matrix" ? await runMatrix(bench, test) : await runTransform(bench, test);
  return { name, at, status: failures.length === 0 ? "passed" : "failed", skip, cells, failures };
}

async function runMatrix(bench: TestBench, test: MatrixTest): Promise<Outcome> {
  const listed = new Map(test.allow.map(({ principal, call, at }) => [cellKey(principal, call), at]));
  const failures: TestFailure[] = [];
  let cells = 0;
  for (const principal of test.principals) {
    for (const call of test.calls) {
      cells += 1;
      const verdict = await decide(bench, principal, call);
      const allowedAt = listed.get(cellKey(principal.name, call.name));
      failures.push(...checkCell(bench, test, { principal, call, allowedAt, verdict }));
    }
  }
  return { cells, failures };
}

async function decide(bench: TestBench, principal: TestPrincipal, call: TestCall): Promise<CallVerdict> {
  const verdict = await decideCall(bench.evaluator, principal, call.action, call.arguments, bench.signal);
  bench.coverage?.decided(verdict);
  return verdict;
}

function cellKey(principal: string, call: string): string {
  return JSON.stringify([principal, call]);
}

interface Cell {
  readonly principal: TestPrincipal;
  readonly call: TestCall;
  /** The entry of `allow` that names the cell. */
  readonly allowedAt: SourceSpan | undefined;
  readonly verdict: CallVerdict;
}

function checkCell(bench: TestBench, test: MatrixTest, cell: Cell): readonly TestFailure[] {
  const { call, allowedAt, verdict } = cell;
  const policies = decidingPolicies(bench.content, verdict);
  const subject = subjectOf(cell.principal, call);
  const argumentFault = checkArguments(subject, call, verdict);
  if (argumentFault !== undefined) return [argumentFault];
  const failures: TestFailure[] = [];
  const expected = allowedAt === undefined ? "deny" : "allow";
  if (verdict.effect !== expected) {
    const why = allowedAt === undefined ? "deny, as no entry of allow lists it" : "allow";
    const at = allowedAt ?? test.at;
    failures.push({ kind: "failure", at, subject, expected: why, actual: describe(verdict), policies });
  }
  for (const expectation of test.expect) {
    const { call: name, principals } = expectation;
    if (name !== call.name || principals?.includes(cell.principal.name) === false) continue;
    failures.push(...checkExpectation(bench, cell, expectation, { subject, policies }));
  }
  return failures;
}

function checkExpectation(
  bench: TestBench,
  { verdict }: Cell,
  { at, reasons, exactly, errors, shadow, code }: CallExpectation,
  shown: Pick<TestFailure, "subject" | "policies">,
): readonly TestFailure[] {
  const failures: TestFailure[] = [];
  const fail = (expected: string, actual: string, policies = shown.policies): void => {
    failures.push({ kind: "failure", at, subject: shown.subject, expected, actual, policies });
  };
  const missing = (reasons ?? []).filter((id) => !verdict.reasons.includes(id));
  const further = exactly ? verdict.reasons.filter((id) => reasons?.includes(id) !== true) : [];
  if (missing.length > 0) fail(`${missing.join(", ")} among the reasons`, describe(verdict));
  if (further.length > 0) fail(`no reason but ${reasons?.join(", ") ?? ""}`, `also ${further.join(", ")}`);
  if (errors !== undefined && verdict.errors.length !== errors) {
    fail(count(errors), `${count(verdict.errors.length)}: ${describe(verdict)}`);
  }
  if (code !== undefined && codeOf(verdict) !== code) fail(`deny (${code})`, describe(verdict));
  // What no policy in shadow mode bears on would stay as it is.
  const would = { ...verdict, ...verdict.shadow };
  if (shadow !== undefined && would.effect !== shadow) {
    const by = decidingPolicies(bench.content, would);
    fail(`${shadow} in shadow mode`, `${describe(would)} in shadow mode`, by);
  }
  return failures;
}

/** What the client is told; undefined for an allowed call. */
function codeOf({ effect, refusal, errors }: CallVerdict): string | undefined {
  if (effect === "allow") return undefined;
  return refusal?.code ?? (errors.length > 0 ? "POLICY_ERROR" : "POLICY_DENIED");
}

function count(errors: number): string {
  return `${errors} evaluation error${errors === 1 ? "" : "s"}`;
}

function subjectOf(principal: TestPrincipal, call: TestCall): string {
  return `${principal.name} calls ${call.name}`;
}

const REFUSED_BEFORE_POLICY: ReadonlySet<string> = new Set([
  "ARGUMENTS_INVALID",
  "ARGUMENTS_NOT_REPRESENTABLE",
  "TARGET_UNKNOWN",
]);

/** A test whose arguments the pinned schema refuses proves nothing about policies, unless that is what it is for. */
function checkArguments(subject: string, call: TestCall, verdict: CallVerdict): TestFailure | undefined {
  const { refusal } = verdict;
  const isRefused = refusal !== undefined && REFUSED_BEFORE_POLICY.has(refusal.code);
  if (isRefused === call.invalid) return undefined;
  const base = { at: call.at, subject, policies: [] };
  if (call.invalid) {
    const expected = "a call that the gateway refuses before any policy (invalid: true)";
    return { kind: "failure", ...base, expected, actual: "the arguments are valid" };
  }
  const expected = "valid arguments (or invalid: true on the call)";
  return { kind: "error", ...base, expected, actual: describe(verdict) };
}

async function runTransform(bench: TestBench, test: TransformTest): Promise<Outcome> {
  const { principal, call, at } = test;
  const verdict = await decide(bench, principal, call);
  const subject = `${principal.name} calls ${call.target}`;
  const argumentFault = checkArguments(subject, call, verdict);
  if (argumentFault !== undefined) return { cells: 1, failures: [argumentFault] };
  const fail = (expected: string, actual: string): TestFailure => {
    const policies = decidingPolicies(bench.content, verdict);
    return { kind: "failure", at, subject, expected, actual, policies };
  };
  if (verdict.effect !== "allow") {
    return { cells: 1, failures: [fail("allow, as only allowed calls are transformed", describe(verdict))] };
  }
  const entry = bench.content.transforms.transforms.find(
    ({ tenant, action }) => tenant === principal.facts.tenant && action === call.action,
  );
  const compiled = entry === undefined ? undefined : compileTransform(entry);
  if (entry !== undefined) noteTransforms(bench, test, entry);
  const failures = [...checkRequest(test, compiled, fail), ...checkResponse(test, compiled, fail)];
  return { cells: 1, failures };
}

/** Hashes in tests are made with a key that everybody knows, so that they are the same everywhere. */
const TEST_KEYS: TransformOptions = {
  fingerprint: (tenant, text) => createHmac("sha256", `aegis test ${tenant}`).update(text).digest("hex"),
};

function noteTransforms({ coverage }: TestBench, test: TransformTest, entry: TransformEntry): void {
  if (test.expectRequest !== undefined) {
    coverage?.transformed(entry, "request", test.call.arguments, TEST_KEYS);
  }
  if (test.expectResponse !== undefined && test.upstream !== undefined) {
    coverage?.transformed(entry, "response", test.upstream, TEST_KEYS);
  }
}

type Fail = (expected: string, actual: string) => TestFailure;

function checkRequest(
  test: TransformTest,
  compiled: CompiledTransform | undefined,
  fail: Fail,
): readonly TestFailure[] {
  const { expectRequest, call } = test;
  if (expectRequest === undefined) return [];
  try {
    const sent = compiled === undefined ? call.arguments : applyRequest(compiled, call.arguments, TEST_KEYS);
    return compare("arguments", expectRequest, sent, fail);
  } catch (fault) {
    if (!isAegisError(fault)) throw fault;
    return [fail("transformed arguments", `${fault.code}: ${fault.message}`)];
  }
}

function checkResponse(
  test: TransformTest,
  compiled: CompiledTransform | undefined,
  fail: Fail,
): readonly TestFailure[] {
  const { expectResponse, upstream } = test;
  if (expectResponse === undefined || upstream === undefined) return [];
  if (compiled === undefined) return compare("result", expectResponse, upstream, fail);
  const outcome = applyResponse(compiled, upstream, TEST_KEYS);
  if (!outcome.ok) return [fail("a transformed result", `${outcome.code}: ${outcome.message}`)];
  return compare("result", expectResponse, outcome.value, fail);
}

function compare(what: string, expected: JsonObject, actual: JsonObject, fail: Fail): readonly TestFailure[] {
  return differences(expected, actual).map(({ path, expected: wanted, actual: found }) =>
    fail(`${what} ${path} = ${wanted}`, found),
  );
}

function decidingPolicies(content: BundleContent, verdict: CallVerdict): readonly DecidingPolicy[] {
  const ids = new Set([...verdict.reasons, ...verdict.errors.map(({ policy }) => policy)]);
  return [...ids].map((id) => {
    const source = Object.hasOwn(content.sources.policies, id) ? content.sources.policies[id] : undefined;
    if (source === undefined) return { id };
    return { id, file: source.file, line: source.line, column: source.column };
  });
}

function describe(verdict: CallVerdict): string {
  const { effect, reasons, errors, refusal } = verdict;
  if (refusal !== undefined) return `deny (${refusal.code}: ${refusal.detail})`;
  if (errors.length > 0) {
    const faults = errors.map(({ policy, message }) => `${policy}: ${message}`);
    return `deny (POLICY_ERROR: ${faults.join("; ")})`;
  }
  return reasons.length === 0 ? `${effect}, as no policy permits it` : effect;
}
