// The course of `npm start` and `aegis dev`: compile, test, sign, serve; then follow the repository and swap.
import { basename } from "node:path";
import { renderText } from "#compiler";
import type { CompileResult, Diagnostic } from "#compiler";
import { renderTestText, runSuites } from "#policy-test";
import type { SuiteReport } from "#policy-test";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { paint, textOptions } from "../output/io.ts";
import { describeChanges } from "./decision-changes.ts";
import { isSound, prepareDevProject } from "./dev-server.ts";
import type { DevServer, DevServerOptions, DevUpdate, SoundResult } from "./dev-server.ts";
import { plural, step } from "./progress.ts";
import { showNewConnections } from "./show-connections.ts";
import { watchDocuments } from "./watch-files.ts";

export interface DevRun {
  readonly server: DevServer;
  /** Of the first release. */
  readonly tests: SuiteReport;
  /** Swaps on every save until the signal of the options is aborted. */
  readonly follow: () => Promise<void>;
}

const SHOWN_DIGEST_CHARS = 12;

/** @throws {CliError} with exit code 3 where the repository does not compile; its diagnostics are written by then */
export async function startDevRun(options: DevServerOptions, io: CliIo): Promise<DevRun> {
  const { signal } = options;
  const project = await step(io, "throw-away signing key and token issuer", () => prepareDevProject(options));
  signal.throwIfAborted();
  const compiled = await step(io, `compiled ${basename(options.dir)}`, project.compile, summarize);
  showDiagnostics(compiled, io);
  if (!isSound(compiled)) {
    throw new CliError("the repository does not compile, so there is nothing to serve", {
      exitCode: EXIT.checkFailed,
    });
  }
  requirePrograms(compiled, options);
  signal.throwIfAborted();
  const tests = await step(io, "policy tests", () => runSuites(compiled, { signal }), summarizeTests);
  showFailedTests(tests, io);
  signal.throwIfAborted();
  const sequence = await step(
    io,
    "built and signed",
    () => project.release(compiled),
    (value) => `sha256 ${compiled.bundle.digest.slice(0, SHOWN_DIGEST_CHARS)}…, release ${value}`,
  );
  signal.throwIfAborted();
  const server = await step(
    io,
    "gateway",
    () => project.serve(compiled),
    ({ gateway }) => `${gateway.url} serves release ${sequence} (process ${gateway.child.process.pid ?? 0})`,
  );
  const follow = (): Promise<void> =>
    watchDocuments({
      dir: options.dir,
      signal,
      since: project.documentState(),
      onChange: async () => {
        io.err("\n");
        const endpoints = server.endpoints();
        await report(await server.update(), server.active(), io, signal);
        await showNewConnections(server, endpoints, io);
      },
    });
  return { server, tests, follow };
}

/** Says in the words of the command line what the gateway would refuse the release for. */
function requirePrograms({ bundle }: SoundResult, { environment, programs }: DevServerOptions): void {
  const missing = bundle.content.registry.servers.flatMap(({ id, transports }) => {
    const transport = transports[environment];
    const isMissing = transport?.type === "stdio" && !Object.hasOwn(programs, transport.program);
    return isMissing ? [`${id} (program ${transport.program})`] : [];
  });
  if (missing.length === 0) return;
  throw new CliError(`nothing says what these stdio servers run: ${missing.join(", ")}`, {
    help: 'name a file with --programs: {"programs": {"<program>": {"command": "node", "args": ["server.js"]}}}',
  });
}

function summarize(result: CompileResult): string {
  const count = (severity: string): number =>
    result.diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (errors > 0) return `${plural(errors, "error")}, ${plural(warnings, "warning")}`;
  const content = result.content;
  const parts = [
    plural(Object.keys(content?.sources.policies ?? {}).length, "rule"),
    `${content?.policies.slices.length ?? 0} tools, resources and prompts`,
  ];
  if (warnings > 0) parts.push(plural(warnings, "warning"));
  return parts.join(", ");
}

function summarizeTests(report: SuiteReport): string {
  const failed = report.failed === 0 ? "" : `, ${report.failed} FAILED`;
  return `${report.passed} passed${failed} (${plural(report.cells, "decision")})`;
}

/** What the active release was shown with already is left out. */
function showDiagnostics(result: CompileResult, io: CliIo, active?: CompileResult): void {
  const key = ({ code, file, message }: Diagnostic): string => JSON.stringify([code, file, message]);
  const shown = new Set(active?.diagnostics.map(key));
  const fresh = result.diagnostics.filter((diagnostic) => !shown.has(key(diagnostic)));
  if (fresh.length === 0) return;
  const text = renderText(fresh, { ...textOptions(io), sourceOf: result.model.textOf });
  io.err(`\n${text.trimEnd()}\n\n`);
}

function showFailedTests(report: SuiteReport, io: CliIo): void {
  if (report.failed > 0) io.err(renderTestText(report, { color: io.colorErr }));
}

async function report(update: DevUpdate, active: SoundResult, io: CliIo, signal: AbortSignal): Promise<void> {
  const say = (style: "green" | "red" | "yellow", word: string, text: string): void =>
    io.err(`${paint(io.colorErr, style, word)}  ${text}\n`);
  switch (update.kind) {
    case "broken":
      showDiagnostics(update.result, io, active);
      say("red", "not swapped", "the active release stays in force; save again when it is repaired");
      return;
    case "unchanged":
      say("green", "saved", "the bundle is the same: nothing to swap");
      return;
    case "refused":
      say("red", "not swapped", `the gateway refused the release: ${update.detail}`);
      return;
    case "activated": {
      const { result, previous, sequence, swapMs } = update;
      showDiagnostics(result, io, previous);
      say(
        "green",
        "swapped",
        `release ${sequence} is active, ${Math.round(swapMs)} ms after it was compiled: ${summarize(result)}`,
      );
      for (const line of await describeChanges(previous, result, { color: io.colorErr, signal }))
        io.err(line === "" ? "\n" : `  ${line}\n`);
      await retest(result, io, signal);
    }
  }
}

async function retest(result: SoundResult, io: CliIo, signal: AbortSignal): Promise<void> {
  const tests = await runSuites(result, { signal });
  const style = tests.failed === 0 ? "green" : "yellow";
  io.err(`  ${paint(io.colorErr, style, `policy tests: ${summarizeTests(tests)}`)}\n`);
  showFailedTests(tests, io);
}
