// The test command: lint, type check, every test, and what they need from the machine. The last line it prints is
// "N passed, N failed". Everything it cannot find it installs or fails with a remedy; nothing is skipped.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureSystemPrograms } from "./system-programs.ts";

const root = join(import.meta.dirname, "..");
const bin = join(root, "node_modules", ".bin");
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

/** A command whose output is shown when it ends, so that several can run side by side. */
async function step(title: string, command: string, args: readonly string[], tally: Tally): Promise<void> {
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
  process.stdout.write(`\n== ${title}\n${Buffer.concat(output).toString("utf8")}`);
  process.stdout.write(`== ${title}: ${status === 0 ? "ok" : "FAILED"} (${seconds} s)\n`);
  if (status === 0) tally.passed += 1;
  else tally.failed += 1;
}

function runTests(tally: Tally): void {
  const directory = mkdtempSync(join(tmpdir(), "aegis-test-run-"));
  const report = join(directory, "vitest.json");
  const args = [
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ];
  process.stdout.write("\n== tests\n");
  const { status } = spawnSync(join(bin, "vitest"), args, { cwd: root, stdio: "inherit", env: environment });
  const counted = readReport(report);
  rmSync(directory, { recursive: true, force: true });
  tally.passed += counted.passed;
  tally.failed += counted.failed;
  // A suite that failed to load has no failed test to count.
  if (status !== 0 && counted.failed === 0) tally.failed += 1;
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
await step("build", process.execPath, ["cli/build/build-artefacts.ts"], tally);
await Promise.all([
  step("lint", join(bin, "eslint"), ["."], tally),
  step("format", join(bin, "prettier"), ["--check", "--log-level", "warn", "."], tally).then(() =>
    step("types", join(bin, "tsc"), ["-b"], tally),
  ),
]);
runTests(tally);
rmSync(compileCache, { recursive: true, force: true });
process.stdout.write(`\n${tally.passed} passed, ${tally.failed} failed\n`);
process.exitCode = tally.failed === 0 ? 0 : 1;
