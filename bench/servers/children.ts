// The small servers around the measured one, and load processes: each its own process, found by its ready line.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startReadyChild } from "../../cli/dev/child-process.ts";
import type { HoldReport, HoldTarget } from "../load/hold-target.ts";
import type { LoadReport, LoadTarget } from "../load/target.ts";

export interface SmallServer {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

const here = import.meta.dirname;
const ECHO = join(here, "..", "..", "test", "servers", "echo.ts");
const BARE_HOP = join(here, "bare-hop.ts");
const SATURATE = join(here, "..", "load", "saturate.ts");
const PACED = join(here, "..", "load", "paced.ts");
const HOLD = join(here, "..", "load", "hold.ts");
const STOP_GRACE_MS = 2_000;

export function startEcho(): Promise<SmallServer> {
  return startSmallServer([ECHO]);
}

export function startBareHop(upstreamUrl: string): Promise<SmallServer> {
  return startSmallServer([BARE_HOP, upstreamUrl]);
}

async function startSmallServer(args: readonly string[]): Promise<SmallServer> {
  const child = await startReadyChild<string>({
    command: process.execPath,
    args: [...args],
    readyOn: "stdout",
    parseReady: (line) =>
      line.startsWith("{") ? (JSON.parse(line) as { readonly url: string }).url : undefined,
  });
  const { pid } = child.process;
  if (pid === undefined) throw new Error("a server has no process id");
  return { url: child.ready, pid, stop: () => child.stop(STOP_GRACE_MS) };
}

/** Runs one load process to its end. A rate makes it paced, without one it saturates. */
export async function runLoad(target: LoadTarget): Promise<LoadReport> {
  const script = target.ratePerSecond === undefined ? SATURATE : PACED;
  return JSON.parse(await runScript(script, [JSON.stringify(target)])) as LoadReport;
}

export interface HeldConnections {
  /** Closes all of them. */
  readonly release: () => Promise<HoldReport>;
}

/** Resolves when all of them are open. */
export async function holdConnections(target: HoldTarget): Promise<HeldConnections> {
  const child = spawn(process.execPath, [HOLD, JSON.stringify(target)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).done === true) throw new Error("connections could not be opened");
  return {
    release: async () => {
      child.stdin.end();
      const { value } = (await lines.next()) as { readonly value: string };
      await ended;
      return JSON.parse(value) as HoldReport;
    },
  };
}

/** Runs a script in a process of its own; its standard output. Rejects unless it exits with 0. */
export function runScript(
  script: string,
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeFlags, script, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString("utf8"));
      else reject(new Error(`${script} ended with ${String(code)}`));
    });
  });
}
