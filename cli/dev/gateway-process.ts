// The gateway as a process of its own, as it ships: under the flag that forbids code from strings.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProgramEntry } from "#upstream";
import { startReadyChild } from "./child-process.ts";
import type { ReadyChild } from "./child-process.ts";

export interface GatewayProcessOptions {
  /** Working directory: gateway.json, state and audit log go here. */
  readonly dir: string;
  readonly port: number;
  readonly channel: string;
  readonly channelDir: string;
  readonly rootPath: string;
  readonly rootSha256: string;
  readonly programs: Readonly<Record<string, ProgramEntry>>;
  readonly auditMode?: "sync" | "batch";
  readonly pollIntervalMs?: number;
  readonly logLevel?: string;
  /** Further members of gateway.json. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  readonly onLog?: (line: string) => void;
  readonly ownGroup?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly auditDir: string;
  readonly stateDir: string;
  readonly configPath: string;
  readonly child: ReadyChild<Listening>;
  /** POST /-/reload; the outcome document. */
  readonly reload: () => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

const RELOAD_TIMEOUT_MS = 60_000;
/** Above the 10 s that a gateway leaves to what is under way, and the time in which its servers stop after that. */
const STOP_MS = 20_000;

interface Listening {
  readonly port: number;
  readonly adminPort: number;
}

/**
 * What Node is told where a gateway is started, as the first line of `runtime/bin/aegis-gateway.js` says too. No code from
 * strings. The rest keeps the activation of a large bundle from holding up calls: the gateway may collect what is young
 * between two slices of it; and the old generation, in MiB, is not collected in the middle of it while it is small.
 */
export const GATEWAY_FLAGS: readonly string[] = [
  "--disallow-code-generation-from-strings",
  "--expose-gc",
  "--max-semi-space-size=16",
  "--initial-old-space-size=128",
];

/** The built gateway beside the built CLI, else the one of this checkout. */
export function gatewayEntry(): string {
  const built = join(import.meta.dirname, "gateway", "gateway.js");
  return existsSync(built) ? built : join(import.meta.dirname, "..", "..", "runtime", "main.ts");
}

/** Writes gateway.json and starts a gateway; resolves when it listens. */
export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const configPath = join(options.dir, "gateway.json");
  const stateDir = join(options.dir, "state");
  const auditDir = join(options.dir, "audit");
  const config = {
    listen: { host: "127.0.0.1", port: options.port },
    admin: { host: "127.0.0.1", port: 0 },
    release: {
      source: `dir:${options.channelDir}`,
      channel: options.channel,
      pollIntervalMs: options.pollIntervalMs ?? 1_000,
    },
    trust: { root: options.rootPath, rootSha256: options.rootSha256 },
    stateDir,
    audit: { dir: auditDir, mode: options.auditMode ?? "sync" },
    programs: options.programs,
    log: { level: options.logLevel ?? "info" },
    ...options.overrides,
  };
  await writeFile(configPath, `${JSON.stringify(config, null, 2)}\n`);
  const child = await startReadyChild<Listening>({
    command: process.execPath,
    args: [...GATEWAY_FLAGS, gatewayEntry(), "--config", configPath],
    readyOn: "stderr",
    parseReady: parseListening,
    onLine: (_stream, line) => options.onLog?.(line),
    ...(options.ownGroup === undefined ? {} : { ownGroup: options.ownGroup }),
    // Killed without it, the gateway would leave the processes of its servers behind.
    lastSignal: "SIGQUIT",
    signal: options.signal,
  });
  const adminUrl = `http://127.0.0.1:${child.ready.adminPort}`;
  return {
    url: `http://127.0.0.1:${child.ready.port}`,
    adminUrl,
    auditDir,
    stateDir,
    configPath,
    child,
    reload: async () => {
      const response = await fetch(`${adminUrl}/-/reload`, {
        method: "POST",
        signal: AbortSignal.timeout(RELOAD_TIMEOUT_MS),
      });
      return response.json();
    },
    stop: () => child.stop(STOP_MS),
  };
}

function parseListening(line: string): Listening | undefined {
  if (!line.includes('"listening"')) return undefined;
  const entry = JSON.parse(line) as { msg?: string; port?: number; adminPort?: number };
  if (entry.msg !== "listening" || entry.port === undefined || entry.adminPort === undefined)
    return undefined;
  return { port: entry.port, adminPort: entry.adminPort };
}
