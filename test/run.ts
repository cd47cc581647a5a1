// The test command: lint, type check, every test, and what they need from the machine. The last line it prints is
// "N passed, N failed". Everything it cannot find it installs or fails with a remedy; nothing is skipped.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureSystemPrograms } from "./system-programs.ts";

const root = join(import.meta.dirname, "..");
const bin = join(root, "node_modules", ".bin");
/** How long Vitest may take to end once its report is written. */
const ENDING_MS = 60_000;
const WATCH_INTERVAL_MS = 1_000;
/** Many tests start processes from source: what one of them compiled the next need not. */
const compileCache = mkdtempSync(join(tmpdir(), "aegis-compile-cache-"));
const environment = {
  ...process.env,
  PATH: `${bin}:${process.env["PATH"] ?? ""}`,
  FORCE_COLOR: "0",
  NODE_COMPILE_CACHE: compileCache,
};

interface Tally {
  passed: number;
  failed: number;
}

interface Outcome {
  readonly title: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

/** A command whose output is kept, so that several can run side by side. */
async function step(title: string, command: string, args: readonly string[]): Promise<Outcome> {
  const startedMs = Date.now();
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: environment });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  const status = await new Promise<number | null>((resolve) => {
    child.on("error", (error) => {
      output.push(Buffer.from(`${error.message}\n`));
      resolve(null);
    });
    child.on("close", resolve);
  });
  const seconds = Math.round((Date.now() - startedMs) / 1_000);
  return { title, passed: status === 0, seconds, output: Buffer.concat(output).toString("utf8") };
}

function report({ title, passed, seconds, output }: Outcome, tally: Tally): void {
  process.stdout.write(`\n== ${title}\n${output}== ${title}: ${passed ? "ok" : "FAILED"} (${seconds} s)\n`);
  if (passed) tally.passed += 1;
  else tally.failed += 1;
}

/** Lint, format and types, two at a time. Before the tests: beside them, all would take longer than one after the other. */
async function checkSources(): Promise<readonly Outcome[]> {
  const run = (title: string, program: string, ...args: readonly string[]): Promise<Outcome> =>
    step(title, join(bin, program), args);
  const formatThenTypes = async (): Promise<readonly Outcome[]> => [
    await run("format", "prettier", "--check", "--log-level", "warn", "."),
    await run("types", "tsc", "-b"),
  ];
  const [lint, others] = await Promise.all([run("lint", "eslint", "."), formatThenTypes()]);
  return [lint, ...others];
}

async function runTests(tally: Tally): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "aegis-test-run-"));
  const counts = join(directory, "vitest.json");
  const args = [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${counts}`,
    ...process.argv.slice(2),
  ];
  process.stdout.write("\n== tests\n");
  const child = spawn(join(bin, "vitest"), args, { cwd: root, stdio: "inherit", env: environment });
  const status = await endOf(child, counts);
  const counted = readReport(counts);
  rmSync(directory, { recursive: true, force: true });
  tally.passed += counted.passed;
  tally.failed += counted.failed;
  // A suite that failed to load has no failed test to count.
  if (status !== 0 && counted.failed === 0) tally.failed += 1;
}

/** Processes that a failed test left behind can hold Vitest open for ever: it is ended when it has reported and stays. */
async function endOf(child: ChildProcess, reportPath: string): Promise<number | null> {
  let reportedMs: number | undefined;
  const watch = setInterval(() => {
    if (!existsSync(reportPath)) return;
    reportedMs ??= Date.now();
    if (Date.now() - reportedMs > ENDING_MS) child.kill("SIGKILL");
  }, WATCH_INTERVAL_MS);
  const status = await new Promise<number | null>((resolve) => {
    child.on("error", () => resolve(null));
    child.on("exit", resolve);
  });
  clearInterval(watch);
  return status;
}

function readReport(path: string): Tally {
  try {
    const report = JSON.parse(readFileSync(path, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    return { passed: report.numPassedTests, failed: report.numFailedTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

const tally: Tally = { passed: 0, failed: 0 };
ensureSystemPrograms();
report(await step("build", process.execPath, ["cli/build/build-artefacts.ts"]), tally);
for (const check of await checkSources()) report(check, tally);
await runTests(tally);
rmSync(compileCache, { recursive: true, force: true });
process.stdout.write(`\n${tally.passed} passed, ${tally.failed} failed\n`);
process.exitCode = tally.failed === 0 ? 0 : 1;
