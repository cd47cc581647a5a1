// Runs the official conformance suite as a process and reads what it found: checks by scenario.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const SUITE = join(ROOT, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
const RUN_TIMEOUT_MS = 240_000;

export type CheckStatus = "SUCCESS" | "FAILURE" | "WARNING" | "INFO" | "SKIPPED";

export interface Check {
  readonly id: string;
  readonly name: string;
  readonly status: CheckStatus;
  readonly errorMessage?: string;
  readonly details?: unknown;
}

/** Checks of one run by scenario, in the order in which the suite made them. */
export type SuiteResult = ReadonlyMap<string, readonly Check[]>;

export type Revision = "2025-06-18" | "2025-11-25" | "2026-07-28";

/** The scenarios that a revision requires, with those the suite runs beside them. 2025-06-18 has no such list. */
function scenariosOf(revision: Revision): readonly string[] {
  return revision === "2025-06-18"
    ? ["--suite", "all", "--spec-version", revision]
    : ["--requirements", revision];
}

export function runServerSuite(url: string, revision: Revision): Promise<SuiteResult> {
  return runSuite(["server", "--url", url, ...scenariosOf(revision)], "server-");
}

/** One scenario against a server, also one that no revision requires. */
export function runServerScenario(url: string, revision: Revision, scenario: string): Promise<SuiteResult> {
  const args = ["server", "--url", url, "--scenario", scenario, "--spec-version", revision, "--force"];
  return runSuite(args, "server-");
}

/** One scenario against a client: `command` is started with the URL of the suite's server at its end. */
export function runClientScenario(
  command: string,
  revision: Revision,
  scenario: string,
): Promise<SuiteResult> {
  const args = ["client", "--command", command, "--scenario", scenario, "--spec-version", revision];
  return runSuite(args, "");
}

async function runSuite(args: readonly string[], prefix: string): Promise<SuiteResult> {
  const dir = await mkdtemp(join(tmpdir(), "aegis-conformance-"));
  try {
    const output = await runProcess([SUITE, ...args, "-o", dir]);
    const result = await readResults(dir, prefix);
    if (result.size === 0) throw new Error(`the suite wrote no result: ${args.join(" ")}\n${output}`);
    return result;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function runProcess(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: RUN_TIMEOUT_MS,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    // The exit code counts scenarios that a revision scores; what is wanted here are the checks.
    child.once("close", () => resolve(output));
  });
}

async function readResults(dir: string, prefix: string): Promise<SuiteResult> {
  const result = new Map<string, readonly Check[]>();
  const entries = await readdir(dir, { recursive: true });
  for (const entry of entries.filter((name) => name.endsWith("checks.json")).sort()) {
    const scenario = entry.slice(prefix.length).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z\/checks\.json$/u, "");
    result.set(scenario, JSON.parse(await readFile(join(dir, entry), "utf8")) as readonly Check[]);
  }
  return result;
}
