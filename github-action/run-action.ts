// One run of the Action: check, test, plan; then annotations, summary, outputs and the exit code.
import { appendFile } from "node:fs/promises";
import { COMPILER_VERSION, compile, renderSarif, renderText } from "#compiler";
import type { CompileResult, Diagnostic } from "#compiler";
import { checkInvariants, violated } from "#plan";
import type { InvariantResult } from "#plan";
import { renderTestText, runSuites } from "#policy-test";
import type { SuiteReport } from "#policy-test";
import { ActionError } from "./action-error.ts";
import { readInputs } from "./inputs.ts";
import type { ActionInputs, Environment } from "./inputs.ts";
import { runPlan } from "./plan-step.ts";
import { EXIT, writeResult } from "./step-report.ts";
import type { StepReport } from "./step-report.ts";
import { outputFile } from "./step-outputs.ts";
import { MAX_SUMMARY_BYTES, checkSection, cutMarkdown, escapeMarkdown, testSection } from "./step-summary.ts";
import { annotationLine, annotationLines, logBlock } from "./workflow-commands.ts";
import type { Annotation } from "./workflow-commands.ts";

/** Runs the Action as `env` asks for; `log` takes what the runner shows and interprets. Never rejects. */
export async function runAction(env: Environment, log: (text: string) => void): Promise<number> {
  try {
    const inputs = readInputs(env);
    const reports = await runSteps(inputs, log);
    log(annotationLines(reports.flatMap((report) => report.annotations)));
    await writeRunnerFiles(env, reports);
    return reports.find((report) => report.exitCode !== EXIT.ok)?.exitCode ?? EXIT.ok;
  } catch (fault) {
    const message = fault instanceof Error ? fault.message : String(fault);
    const help = fault instanceof ActionError ? fault.help : undefined;
    const text = help === undefined ? message : `${message}\n${help}`;
    log(annotationLine({ level: "error", title: "Aegis", message: text }));
    await appendTo(env["GITHUB_STEP_SUMMARY"], `### Aegis: failed\n\n${escapeMarkdown(text)}\n`).catch(
      () => undefined,
    );
    return EXIT.error;
  }
}

async function runSteps(inputs: ActionInputs, log: (text: string) => void): Promise<readonly StepReport[]> {
  const { commands } = inputs;
  const head = await compile({ dir: inputs.projectDir });
  const reports = [await reportCheck(inputs, head, log)];
  if (head.bundle === undefined) return [...reports, notRun(inputs)];
  if (commands.has("test")) reports.push(await runTests(inputs, head, log));
  if (commands.has("plan")) reports.push(await runPlan(inputs, head, log));
  return reports;
}

// Findings are shown whatever was asked for: a repository that does not check has no tests and no plan.
async function reportCheck(
  inputs: ActionInputs,
  head: CompileResult,
  log: (text: string) => void,
): Promise<StepReport> {
  const { diagnostics, bundle } = head;
  log(logBlock("aegis check", renderText(diagnostics, { color: false, sourceOf: head.model.textOf })));
  const sarif = await writeResult(
    inputs,
    "aegis.sarif",
    renderSarif(diagnostics, COMPILER_VERSION, inputs.pathPrefix),
  );
  const warnings = diagnostics.filter((item) => item.severity === "warning").length;
  const tooMany = inputs.maxWarnings !== undefined && warnings > inputs.maxWarnings;
  const annotations = diagnostics.map((item) => annotationOf(item, inputs.pathPrefix));
  if (tooMany) {
    const message = `${warnings} warning${warnings === 1 ? "" : "s"}, at most ${inputs.maxWarnings} allowed`;
    annotations.unshift({ level: "error", title: "Aegis check", message });
  }
  return {
    annotations,
    sections: [checkSection(diagnostics, bundle?.digest)],
    outputs: new Map([
      ["digest", bundle?.digest ?? ""],
      ["sarif", sarif],
    ]),
    exitCode: bundle === undefined || tooMany ? EXIT.checkFailed : EXIT.ok,
  };
}

function annotationOf(item: Diagnostic, prefix: string): Annotation {
  const { code, severity, message, help, file, line, column, endLine, endColumn } = item;
  return {
    level: severity,
    title: code,
    message: help === undefined ? message : `${message}\n${help}`,
    file: prefix + file,
    line,
    column,
    ...(endLine === undefined ? {} : { endLine }),
    ...(endColumn === undefined ? {} : { endColumn }),
  };
}

function notRun(inputs: ActionInputs): StepReport {
  const skipped = (["test", "plan"] as const).filter((command) => inputs.commands.has(command));
  const sections = skipped.map((command) => `### ${command === "test" ? "Test" : "Plan"}: not run\n`);
  return { annotations: [], sections, outputs: new Map(), exitCode: EXIT.ok };
}

async function runTests(
  inputs: ActionInputs,
  head: CompileResult,
  log: (text: string) => void,
): Promise<StepReport> {
  const suites = await runSuites(head);
  const invariants = await checkInvariants(head, head.model.invariants);
  const report = invariants.length === 0 ? suites : { ...suites, invariants };
  log(logBlock("aegis test", renderTestText(report, { color: false })));
  const none = report.passed + report.failed + report.skipped === 0;
  return {
    annotations: [
      ...(none
        ? [{ level: "warning", title: "Aegis test", message: "the repository has no tests" } as const]
        : []),
      ...testAnnotations(report, inputs.pathPrefix),
      ...violated(invariants).map((invariant) => invariantAnnotation(invariant, inputs.pathPrefix)),
    ],
    sections: [testSection(report)],
    outputs: new Map([
      ["tests-passed", String(report.passed)],
      ["tests-failed", String(report.failed)],
    ]),
    exitCode: report.failed > 0 ? EXIT.testsFailed : violated(invariants).length > 0 ? EXIT.gate : EXIT.ok,
  };
}

function invariantAnnotation({ name, reason, at, violations }: InvariantResult, prefix: string): Annotation {
  return {
    level: "error",
    title: "INVARIANT_VIOLATED",
    message: `${name}: ${violations} calls break it${reason === undefined ? "" : ` (${reason})`}`,
    file: prefix + at.file,
    line: at.line,
    column: at.column,
  };
}

function testAnnotations(report: SuiteReport, prefix: string): readonly Annotation[] {
  return report.suites.flatMap((suite) =>
    suite.tests.flatMap((test) =>
      test.failures.map((failure) => ({
        level: "error" as const,
        title: failure.kind === "error" ? "TEST_ERROR" : "TEST_FAILED",
        message: `${test.name}: ${failure.subject}\nexpected ${failure.expected}\ndecided ${failure.actual}`,
        file: prefix + failure.at.file,
        line: failure.at.line,
        column: failure.at.column,
      })),
    ),
  );
}

async function writeRunnerFiles(env: Environment, reports: readonly StepReport[]): Promise<void> {
  const outputs = new Map(reports.flatMap((report) => [...report.outputs]));
  await appendTo(env["GITHUB_OUTPUT"], outputFile(outputs));
  const sections = ["## Aegis\n", ...reports.flatMap((report) => report.sections)];
  await appendTo(env["GITHUB_STEP_SUMMARY"], cutMarkdown(`${sections.join("\n")}\n`, MAX_SUMMARY_BYTES));
}

// Absent where the Action does not run on a GitHub runner.
async function appendTo(file: string | undefined, text: string): Promise<void> {
  if (file !== undefined && file !== "") await appendFile(file, text);
}
