// Child processes of the development commands: started with a ready line, stopped in order, never left behind.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface ReadyChild<T> {
  readonly ready: T;
  readonly process: ChildProcess;
  /** SIGTERM, after `graceMs` the child's `lastSignal`, then SIGKILL. Resolves once the process has ended. */
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
  /** What makes a child that has children of its own end at once, and them with it: it is sent shortly before SIGKILL. */
  readonly lastSignal?: NodeJS.Signals;
  /** Aborted = the start is given up and the child ended. */
  readonly signal?: AbortSignal | undefined;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 10_000;
const KEPT_LINES = 20;

/** Between the last signal and SIGKILL. */
const LAST_MOMENT_MS = 500;

const running = new Map<ChildProcess, NodeJS.Signals | undefined>();

/** The last net: whatever ends this process early, no child stays. */
function endLeftovers(): void {
  const told = [...running].filter(([child, signal]) => signal !== undefined && child.kill(signal));
  // Nothing asynchronous happens any more in a process that exits.
  if (told.length > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_MOMENT_MS);
  for (const child of running.keys()) child.kill("SIGKILL");
}

function trackUntilExit(child: ChildProcess, lastSignal: NodeJS.Signals | undefined): void {
  if (running.size === 0) process.once("exit", endLeftovers);
  running.set(child, lastSignal);
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
  if (child.pid !== undefined) trackUntilExit(child, options.lastSignal);
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
    const { lastSignal } = options;
    child.kill("SIGTERM");
    const last = lastSignal === undefined ? undefined : setTimeout(() => child.kill(lastSignal), graceMs);
    const moreMs = lastSignal === undefined ? 0 : LAST_MOMENT_MS;
    const kill = setTimeout(() => child.kill("SIGKILL"), graceMs + moreMs);
    await ended;
    clearTimeout(last);
    clearTimeout(kill);
  };
  try {
    return { ready: await ready, process: child, stop, ended };
  } catch (fault) {
    await stop(options.signal?.aborted === true ? STOP_GRACE_MS : 0);
    throw fault;
  }
}
