// Starts the demo MCP servers and reads their call counters, which prove what really reached them.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TransportEntry } from "#bundle";
import type { ProgramEntry } from "#upstream";
import { startReadyChild } from "../dev/child-process.ts";
import type { ReadyChild } from "../dev/child-process.ts";

interface ServerReady {
  readonly url: string;
  readonly admin: string;
}

export type DemoServerId = "sql-prod" | "jira" | "finance-restricted";

export interface DemoServers {
  /** Where the HTTP servers listen, for the overlay of the development environment. */
  readonly transports: Readonly<Record<string, TransportEntry>>;
  /** What the logical programs of the template run. */
  readonly programs: Readonly<Record<string, ProgramEntry>>;
  /** Calls that reached a server since it started. */
  readonly calls: (server: DemoServerId) => Promise<number>;
  /** Changes the description of `jira.search` on the live server without telling anyone; null = the first text. */
  readonly changeDescription: (description: string | null) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const CONTROL_TIMEOUT_MS = 10_000;
const SERVERS_DIR = join(import.meta.dirname, "servers");

export interface DemoServersOptions {
  readonly ownGroup?: boolean;
  readonly signal?: AbortSignal;
}

/** `dir` takes the call log of the stdio server. */
export async function startDemoServers(dir: string, options: DemoServersOptions = {}): Promise<DemoServers> {
  const started = await Promise.allSettled([startServer("sql-prod", options), startServer("jira", options)]);
  const [sql, jira] = started.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : undefined));
  const stop = async (): Promise<void> => {
    await Promise.all([sql?.stop(), jira?.stop()]);
  };
  const failed = started.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined || sql === undefined || jira === undefined) {
    await stop();
    throw failed?.reason;
  }
  const callsFile = join(dir, "finance-calls.jsonl");
  const finance: ProgramEntry = {
    command: process.execPath,
    args: [join(SERVERS_DIR, "finance-restricted.ts"), "--calls-file", callsFile],
  };
  return {
    transports: {
      "sql-prod": { type: "streamable-http", url: sql.ready.url },
      jira: { type: "streamable-http", url: jira.ready.url },
    },
    programs: { "finance-restricted": finance },
    calls: (server) =>
      server === "finance-restricted"
        ? countLines(callsFile)
        : readCounter((server === "jira" ? jira : sql).ready),
    changeDescription: async (description) => {
      const response = await fetch(`${jira.ready.admin}/tools/jira.search/description`, {
        method: "POST",
        body: JSON.stringify({ description }),
        signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS),
      });
      if (!response.ok) throw new Error(`the demo server refused the change: ${response.status}`);
    },
    stop,
  };
}

function startServer(name: string, options: DemoServersOptions): Promise<ReadyChild<ServerReady>> {
  return startReadyChild<ServerReady>({
    command: process.execPath,
    args: [join(SERVERS_DIR, `${name}.ts`), "--port", "0"],
    readyOn: "stdout",
    ...options,
    parseReady: (line) => (line.startsWith("{") ? (JSON.parse(line) as ServerReady) : undefined),
  });
}

async function readCounter(server: ServerReady): Promise<number> {
  const response = await fetch(`${server.admin}/calls`, { signal: AbortSignal.timeout(CONTROL_TIMEOUT_MS) });
  return ((await response.json()) as { total: number }).total;
}

async function countLines(file: string): Promise<number> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "").length;
  } catch {
    return 0;
  }
}
