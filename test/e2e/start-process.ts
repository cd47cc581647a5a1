// `npm start` and `aegis dev` as processes: what they print, what they paste, and what they leave behind.
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileCache } from "../compile-cache.ts";
import { TEMPLATE_DIR } from "./world.ts";

export const ROOT = join(import.meta.dirname, "..", "..");

export interface StartedProcess {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Milliseconds from the start to the first byte on standard output. */
  readonly firstOutputMs: () => number | undefined;
  /** Resolves with the output once it has the text; rejects where the process ends before. */
  readonly until: (text: string | RegExp, from?: number) => Promise<string>;
  readonly signal: (name: NodeJS.Signals) => void;
  readonly ended: Promise<number | null>;
}

export interface StartPlace {
  /** HOME and TMPDIR lie in it; both are empty at first. */
  readonly dir: string;
  /** A copy of the template that may be edited. */
  readonly repo: string;
  readonly start: (script: string, args: readonly string[]) => StartedProcess;
  /** Command lines of processes that were started here and still live. */
  readonly livingProcesses: () => Promise<readonly string[]>;
  /** What is in TMPDIR. */
  readonly temporaryFiles: () => Promise<readonly string[]>;
  readonly remove: () => Promise<void>;
}

export async function startPlace(): Promise<StartPlace> {
  const dir = await mkdtemp(join(tmpdir(), "aegis-start-test-"));
  const home = join(dir, "home");
  const temporary = join(dir, "tmp");
  const repo = join(dir, "repo");
  await mkdir(home);
  await mkdir(temporary);
  await cp(TEMPLATE_DIR, repo, { recursive: true });
  const started: StartedProcess[] = [];
  const env = {
    PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`,
    HOME: home,
    TMPDIR: temporary,
    ...compileCache(),
  };
  return {
    dir,
    repo,
    start: (script, args) => {
      const one = startProcess(script, args, env);
      started.push(one);
      return one;
    },
    livingProcesses: () => processesWith(temporary),
    temporaryFiles: () => readdir(temporary),
    remove: async () => {
      for (const one of started) one.signal("SIGKILL");
      await Promise.all(started.map((one) => one.ended));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function startProcess(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): StartedProcess {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    cwd: ROOT,
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let firstMs: number | undefined;
  const text = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      if (name === "stdout") firstMs ??= performance.now() - startedMs;
      text[name] += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  return {
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    firstOutputMs: () => firstMs,
    until: (wanted, from = 0) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const all = `${text.stdout}\n${text.stderr}`;
          const rest = from === 0 ? all : text.stderr.slice(from);
          if (!(typeof wanted === "string" ? rest.includes(wanted) : wanted.test(rest))) return;
          listeners.delete(look);
          resolve(rest);
        };
        listeners.add(look);
        void ended.then((code) =>
          reject(
            new Error(`ended with ${String(code)} before ${String(wanted)}:\n${text.stdout}\n${text.stderr}`),
          ),
        );
        look();
      }),
    signal: (name) => void child.kill(name),
    ended,
  };
}

/** Every process inherits TMPDIR, and stdio servers get a path below it. */
async function processesWith(marker: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/u.test(name))) {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const [command, environment] = await Promise.all([read("cmdline"), read("environ")]);
    if (command.includes(marker) || environment.includes(marker)) found.push(command.replaceAll("\0", " "));
  }
  return found;
}
