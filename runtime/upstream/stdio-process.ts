// One child process that speaks newline-delimited JSON (MCP stdio transport). No shell, an environment that the
// operator wrote, caps on lines and queued bytes, and a stop that always ends: stdin closed, SIGTERM, SIGKILL.
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { endGroup, keepGroup, signalGroup } from "./process-group.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault } from "./upstream-fault.ts";

/** An executable the operator allows. It comes from process configuration, never from a bundle. */
export interface ProgramEntry {
  /** Absolute path, or a name looked up in the PATH of `env`. */
  readonly command: string;
  /** Arguments before those of the registry entry. */
  readonly args?: readonly string[];
  /** Whole environment of the process, but for PATH, HOME, LANG and TMPDIR, which are inherited where not given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly limits?: ProgramLimits;
}

/** What one process may use; the operating system enforces it (setrlimit(2)). */
export interface ProgramLimits {
  /** Private memory (RLIMIT_DATA). */
  readonly memoryBytes?: number;
  /** File descriptors (RLIMIT_NOFILE). */
  readonly openFiles?: number;
  /** Processor time over its whole life (RLIMIT_CPU). */
  readonly cpuSeconds?: number;
}

/** Of util-linux. Where it is absent a program with limits cannot be run, rather than run without them. */
const PRLIMIT = "/usr/bin/prlimit";
/** What it exits with where the program is no executable, or not there. */
const NOT_EXECUTED: ReadonlySet<number> = new Set([126, 127]);

export interface ProcessEvents {
  readonly onLine: (line: Buffer) => void;
  /** A line over the cap was met; the process is being stopped. */
  readonly onOversizedLine: () => void;
  readonly onStderr: (text: string) => void;
  /** Called once, whatever the reason, also where the process could not be started. */
  readonly onExit: (reason: string) => void;
}

export interface StdioProcess {
  /** Queues one message line. @throws {UpstreamFault} UPSTREAM_UNAVAILABLE where the process is gone or reads too slowly. */
  readonly write: (line: string) => void;
  /** Resolves when the process is gone. */
  readonly stop: () => Promise<void>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const INHERITED = ["PATH", "HOME", "LANG", "TMPDIR"] as const;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** Text of one stderr chunk that is handed to the logger. */
const MAX_STDERR_CHARS = 4_096;

/** prlimit sets the limits of its own process and then becomes the program. */
function commandLine(
  { command, args: own = [], limits }: ProgramEntry,
  args: readonly string[],
): readonly [string, ...string[]] {
  const set = [
    limits?.memoryBytes === undefined ? undefined : `--data=${String(limits.memoryBytes)}`,
    limits?.openFiles === undefined ? undefined : `--nofile=${String(limits.openFiles)}`,
    limits?.cpuSeconds === undefined ? undefined : `--cpu=${String(limits.cpuSeconds)}`,
  ].filter((option) => option !== undefined);
  return set.length === 0 ? [command, ...own, ...args] : [PRLIMIT, ...set, "--", command, ...own, ...args];
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** ENOENT of spawn(2) names the executable, whatever it is that is not there. */
function whyNotRun({ cwd, limits = {} }: ProgramEntry, error: Error): string {
  if (cwd !== undefined && !isDirectory(cwd)) return `its cwd ${cwd} is not there, or no directory`;
  if (Object.keys(limits).length > 0 && !existsSync(PRLIMIT))
    return `its limits need ${PRLIMIT} of util-linux, which is not there`;
  return error.message;
}

/** For the reason of an end: what ends at a limit ends by a signal, or a code of its own, that does not say so. */
function underLimits({ command, limits = {} }: ProgramEntry, code: number | null): string {
  const set = Object.entries(limits).map(([name, value]) => `${name} ${String(value)}`);
  if (set.length === 0) return "";
  if (code !== null && NOT_EXECUTED.has(code)) return `, as where prlimit cannot run ${command}`;
  const why = "which may be too low for it, or above those of the gateway itself";
  return `; it ran under limits of gateway.json, ${why}: ${set.join(", ")}`;
}

function environmentOf(program: ProgramEntry): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...program.env };
}

/** False for what a process writes to stderr beyond its share of a second: it is read, so that it does not block, and dropped. */
function stderrGate(): (bytes: number) => boolean {
  let windowStartMs = -Infinity;
  let heardBytes = 0;
  return (bytes) => {
    const nowMs = performance.now();
    if (nowMs - windowStartMs >= 1_000) {
      windowStartMs = nowMs;
      heardBytes = 0;
    }
    heardBytes += bytes;
    return heardBytes <= UPSTREAM_CAPS.maxStderrBytesPerSecond;
  };
}

/** Cuts a byte stream into lines. Holds at most `maxLineBytes` of an unfinished line. */
class LineCutter {
  readonly #onLine: (line: Buffer) => void;
  readonly #maxLineBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (line: Buffer) => void, maxLineBytes: number) {
    this.#onLine = onLine;
    this.#maxLineBytes = maxLineBytes;
  }

  /** False once a line is longer than the cap. */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (!this.#keep(chunk.subarray(start, end))) return false;
      this.#emit();
      start = end + 1;
    }
    return this.#keep(chunk.subarray(start));
  }

  #keep(part: Buffer): boolean {
    this.#bytes += part.byteLength;
    if (this.#bytes > this.#maxLineBytes) {
      this.#parts = [];
      return false;
    }
    if (part.byteLength > 0) this.#parts.push(part);
    return true;
  }

  #emit(): void {
    const [first] = this.#parts;
    const whole = this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    const line = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
    if (line.byteLength > 0) this.#onLine(line);
  }
}

/** @throws {UpstreamFault} UPSTREAM_UNAVAILABLE where spawn(2) fails in a way that Node throws instead of telling later */
function spawnGroup(program: ProgramEntry, command: string, args: readonly string[]): Child {
  try {
    return spawn(command, args, {
      shell: false,
      // A group of its own, so that SIGKILL reaches what a wrapper started and a terminal's Ctrl-C does not.
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: environmentOf(program),
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    });
  } catch (fault) {
    const why = whyNotRun(program, fault instanceof Error ? fault : new Error(String(fault)));
    throw new UpstreamFault("UPSTREAM_UNAVAILABLE", `the process could not be run: ${why}`, {
      unsent: true,
      cause: fault,
    });
  }
}

class ChildStdioProcess implements StdioProcess {
  readonly #child: Child;
  readonly #events: ProcessEvents;
  readonly #exited = Promise.withResolvers<void>();
  #gone = false;
  #stopping: Promise<void> | undefined;

  constructor(program: ProgramEntry, args: readonly string[], events: ProcessEvents) {
    this.#events = events;
    const [command, ...given] = commandLine(program, args);
    this.#child = spawnGroup(program, command, given);
    if (this.#child.pid !== undefined) keepGroup(this.#child.pid);
    const cutter = new LineCutter(events.onLine, UPSTREAM_CAPS.maxLineBytes);
    this.#child.stdout.on("data", (chunk: Buffer) => {
      if (this.#stopping !== undefined || cutter.push(chunk)) return;
      events.onOversizedLine();
      void this.stop();
    });
    const isHeard = stderrGate();
    this.#child.stderr.on("data", (chunk: Buffer) => {
      if (isHeard(chunk.byteLength)) events.onStderr(chunk.toString("utf8").slice(0, MAX_STDERR_CHARS));
    });
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr])
      stream.on("error", () => undefined);
    this.#child.on("error", (error) =>
      this.#finish(`the process could not be run: ${whyNotRun(program, error)}`),
    );
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      const isByItself = code !== 0 && this.#stopping === undefined;
      const how = `the process ended (${signal ?? `exit code ${String(code)}`})`;
      this.#finish(isByItself ? `${how}${underLimits(program, code)}` : how);
    };
    this.#child.on("close", ended);
    // A grandchild may hold the pipes open; the exit of the process itself is what counts.
    this.#child.on("exit", (code, signal) => {
      setTimeout(ended, UPSTREAM_CAPS.stopGraceMs, code, signal).unref();
    });
  }

  readonly write = (line: string): void => {
    const { stdin } = this.#child;
    if (this.#gone || this.#stopping !== undefined || stdin.destroyed) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the process is gone", { unsent: true, gone: true });
    }
    if (stdin.writableLength + line.length > UPSTREAM_CAPS.maxStdinQueueBytes) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the process does not read its input", {
        unsent: true,
      });
    }
    stdin.write(`${line}\n`);
  };

  readonly stop = (): Promise<void> => {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  };

  async #stop(): Promise<void> {
    this.#child.stdin.end();
    if (await this.#goneWithin(UPSTREAM_CAPS.stopGraceMs)) return;
    this.#signal("SIGTERM");
    if (await this.#goneWithin(UPSTREAM_CAPS.killGraceMs)) return;
    this.#signal("SIGKILL");
    await this.#exited.promise;
  }

  async #goneWithin(waitMs: number): Promise<boolean> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, waitMs);
    await Promise.race([this.#exited.promise, late.promise]);
    clearTimeout(timer);
    return this.#gone;
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#child.pid !== undefined && !this.#gone) signalGroup(this.#child.pid, signal);
  }

  #finish(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#child.pid !== undefined) endGroup(this.#child.pid);
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy();
    this.#exited.resolve();
    this.#events.onExit(reason);
  }
}

/** Starts a process. Failure to start is reported through `onExit`. @param args arguments of the registry entry. */
export function startProcess(
  program: ProgramEntry,
  args: readonly string[],
  events: ProcessEvents,
): StdioProcess {
  return new ChildStdioProcess(program, args, events);
}
