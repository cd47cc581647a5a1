// Runs `aegis check` as a process of its own and measures it.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostileRepository } from "./planting.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const SAMPLE_MS = 20;
/** USER_HZ is 100 on Linux. */
const MS_PER_TICK = 10;
/** What no hostile repository may take, on a machine that does nothing else. */
export const MOST_CPU_MS = 10_000;
export const MOST_BYTES = 1024 ** 3;
/** After this a process is killed, however busy the machine is. */
const KILL_AFTER_MS = 90_000;

export interface MeasuredCheck {
  /** Undefined where the process was killed, by a signal or because it took too long. */
  readonly exitCode: number | undefined;
  readonly elapsedMs: number;
  /** Processor time that samples saw, of all its threads: what it would take on a machine that does nothing else. */
  readonly cpuMs: number;
  /** Most resident memory that a sample saw. */
  readonly peakBytes: number;
  readonly codes: ReadonlySet<string>;
  readonly stdout: string;
  readonly stderr: string;
}

/** Lays the attack over a copy of the template, and checks it. */
export async function measureCheck(repository: HostileRepository): Promise<MeasuredCheck> {
  const dir = mkdtempSync(join(tmpdir(), "aegis-hostile-"));
  try {
    cpSync(join(ROOT, "policy-repo-template"), dir, { recursive: true });
    repository.plant(dir);
    return await runCheck(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 2 });
  }
}

async function runCheck(dir: string): Promise<MeasuredCheck> {
  const startedMs = performance.now();
  const child = spawn(
    process.execPath,
    [process.env["AEGIS_CLI"] ?? join(ROOT, "cli/main.ts"), "check", dir, "--format", "json"],
    {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: KILL_AFTER_MS,
      killSignal: "SIGKILL",
    },
  );
  let peakBytes = 0;
  let cpuMs = 0;
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid));
    cpuMs = Math.max(cpuMs, processorMs(child.pid));
  }, SAMPLE_MS);
  const [stdout, stderr, exitCode] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number | undefined>((resolve) => child.once("close", (code) => resolve(code ?? undefined))),
  ]);
  clearInterval(sampler);
  const elapsedMs = performance.now() - startedMs;
  return { exitCode, elapsedMs, cpuMs, peakBytes, codes: codesIn(stdout), stdout, stderr };
}

/** High-water mark of a process, as Linux counts it; 0 once it has ended. */
function residentBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/mu.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** User and system time of a process, as Linux counts them; 0 once it has ended. */
function processorMs(pid: number | undefined): number {
  try {
    const fields =
      readFileSync(`/proc/${String(pid)}/stat`, "utf8")
        .split(") ")[1]
        ?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return 0;
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function codesIn(stdout: string): ReadonlySet<string> {
  try {
    const { diagnostics } = JSON.parse(stdout) as {
      readonly diagnostics: readonly { readonly code: string }[];
    };
    return new Set(diagnostics.map(({ code }) => code));
  } catch {
    return new Set();
  }
}

/** What is wrong with an outcome: nothing where the attack ended in a diagnostic, or in none, in time and in memory. */
export function faultsOf({ code, refused }: HostileRepository, measured: MeasuredCheck): readonly string[] {
  const { exitCode, cpuMs, peakBytes, codes, stdout, stderr } = measured;
  const isAnswered =
    refused === true
      ? exitCode === 1 && /^error: /u.test(stderr)
      : (exitCode === 0 || exitCode === 3) && stdout !== "";
  return [
    ...(isAnswered ? [] : [`exit ${String(exitCode)}: ${stderr.slice(-500)}`]),
    ...(cpuMs <= MOST_CPU_MS ? [] : [`${String(cpuMs)} ms of processor time`]),
    ...(peakBytes <= MOST_BYTES ? [] : [`${String(Math.round(peakBytes / 1024 ** 2))} MiB`]),
    ...(code === undefined || codes.has(code) ? [] : [`no ${code} among ${[...codes].join(", ")}`]),
  ];
}
