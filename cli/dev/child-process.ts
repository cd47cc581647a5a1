// Child processes of the development commands: started with a ready line, stopped in order, never left behind.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface ReadyChild<T> {
  readonly ready: T;
  readonly process: ChildProcess;
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves once the process has ended. */
  readonly stop: (graceMs?: number) => Promise<void>;
  /** Resolves with the exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
}

export interface ReadyChildOptions<T> {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Stream that carries the ready line. */
  readonly readyOn: "stdout" | "stderr";
  /** The value of the ready line, or undefined for any other line. */
  readonly parseReady: (line: string) => T | undefined;
  readonly onLine?: (stream: "stdout" | "stderr", line: string) => void;
  readonly timeoutMs?: number;
  /** A process group of its own: Ctrl-C at the terminal reaches only this process, which stops the child in order. */
  readonly ownGroup?: boolean;
  /** Aborted = the start is given up and the child ended. */
  readonly signal?: AbortSignal | undefined;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 10_000;
const KEPT_LINES = 20;

const running = new Set<ChildProcess>();

/** The last net: whatever ends this process early, no child stays. */
function endLeftovers(): void {
  for (const child of running) child.kill("SIGKILL");
}

function trackUntilExit(child: ChildProcess): void {
  if (running.size === 0) process.once("exit", endLeftovers);
  running.add(child);
  child.once("exit", () => {
    running.delete(child);
    if (running.size === 0) process.off("exit", endLeftovers);
  });
}

/** Starts a process and waits for its ready line. Rejects with its last output where it ends or stays silent. */
export async function startReadyChild<T>(options: ReadyChildOptions<T>): Promise<ReadyChild<T>> {
  const child = spawn(options.command, [...options.args], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: options.ownGroup ?? false,
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (child.pid !== undefined) trackUntilExit(child);
  const recent: string[] = [];
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => resolve(code));
    child.once("error", () => resolve(null));
  });
  const ready = new Promise<T>((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new Error(`${options.args.join(" ")} ${why}\n${recent.join("\n")}`));
    const timer = setTimeout(() => fail("was not ready in time"), options.timeoutMs ?? READY_TIMEOUT_MS);
    const listen = (name: "stdout" | "stderr", stream: Readable): void => {
      createInterface({ input: stream }).on("line", (line) => {
        recent.push(line);
        if (recent.length > KEPT_LINES) recent.shift();
        options.onLine?.(name, line);
        const value = name === options.readyOn ? options.parseReady(line) : undefined;
        if (value === undefined) return;
        clearTimeout(timer);
        resolve(value);
      });
    };
    listen("stdout", child.stdout);
    listen("stderr", child.stderr);
    options.signal?.addEventListener("abort", () => fail("was not waited for"), { once: true });
    if (options.signal?.aborted === true) fail("was not waited for");
    child.once("error", (fault) => fail(`could not be started: ${fault.message}`));
    void ended.then((code) => {
      clearTimeout(timer);
      fail(`ended with ${String(code)} before it was ready`);
    });
  });
  const stop = async (graceMs = STOP_GRACE_MS): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
    await ended;
    clearTimeout(timer);
  };
  try {
    return { ready: await ready, process: child, stop, ended };
  } catch (fault) {
    await stop(options.signal?.aborted === true ? STOP_GRACE_MS : 0);
    throw fault;
  }
}
