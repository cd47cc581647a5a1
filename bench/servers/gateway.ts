// A gateway under measurement: the built artefact as a process of its own, on a directory, a root of trust and a
// release of its own.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { compile, memoryWorkspace } from "#compiler";
import type { OverlayIssuer } from "#compiler";
import type { DecisionEngine } from "#config";
import { startReadyChild } from "../../cli/dev/child-process.ts";
import { GATEWAY_FLAGS } from "../../cli/dev/gateway-process.ts";
import { freePort } from "../../cli/dev/free-port.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { ThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import { childrenOf } from "../machine.ts";
import { BENCH_ENVIRONMENT, ECHO_SERVER } from "../repo/bench-repo.ts";

export interface GatewayOptions {
  /** Made by the caller, removed by the caller. */
  readonly dir: string;
  /** Built gateway, e.g. `dist/bench/gateway/gateway.js`. */
  readonly entry: string;
  readonly files: ReadonlyMap<string, string>;
  readonly issuer: OverlayIssuer;
  readonly echoUrl: string;
  readonly audit: Readonly<Record<string, unknown>>;
  /** The interpreter where absent. */
  readonly engine?: DecisionEngine;
  /** Members of `limits` in gateway.json. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Further flags of Node, such as a profiler's. */
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface MeasuredGateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  readonly auditWriterPid: number | undefined;
  /** From the start of the process to the line that says it listens with an active release. */
  readonly startMs: number;
  /** Signs and publishes another repository; the gateway does not look before it is told to. */
  readonly publish: (files: ReadonlyMap<string, string>) => Promise<void>;
  /** `POST /-/reload`; the outcome document. */
  readonly reload: () => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

interface Listening {
  readonly port: number;
  readonly adminPort: number;
  /** Outcome of the first attempt to activate a release. */
  readonly release: string;
}

/** Longer than any measurement: a release is taken over when the bench says so. */
const POLL_INTERVAL_MS = 3_600_000;
const RELOAD_TIMEOUT_MS = 60_000;
/** For `--import`: watches the gateway's event loop; `AEGIS_STALL_FILE` says where it writes what it saw. */
export const STALL_PROBE = pathToFileURL(join(import.meta.dirname, "stall-probe.ts")).href;

/** Compiles, releases, starts. Rejects where the repository does not compile or the release is not activated. */
export async function startMeasuredGateway(options: GatewayOptions): Promise<MeasuredGateway> {
  const { dir } = options;
  await mkdir(dir, { recursive: true });
  const trust = await createThrowawayTrust(dir, BENCH_ENVIRONMENT);
  const port = await freePort();
  const publish = async (files: ReadonlyMap<string, string>): Promise<void> => {
    await trust.release(await compileFor(files, options, port));
  };
  await publish(options.files);
  const configPath = join(dir, "gateway.json");
  await writeFile(configPath, JSON.stringify(configOf(options, trust, port)));
  const startedMs = performance.now();
  const child = await startReadyChild<Listening>({
    command: process.execPath,
    args: [...GATEWAY_FLAGS, ...(options.nodeFlags ?? []), options.entry, "--config", configPath],
    ...(options.env === undefined
      ? {}
      : { env: { ...process.env, ...options.env } as Record<string, string> }),
    readyOn: "stderr",
    parseReady: parseListening,
  });
  const startMs = performance.now() - startedMs;
  const { pid } = child.process;
  if (pid === undefined || child.ready.release !== "activated") {
    await child.stop();
    throw new Error(`the gateway did not activate its release: ${child.ready.release}`);
  }
  const adminUrl = `http://127.0.0.1:${String(child.ready.adminPort)}`;
  return {
    url: `http://127.0.0.1:${String(child.ready.port)}/${ECHO_SERVER}/mcp`,
    adminUrl,
    pid,
    auditWriterPid: childrenOf(pid)[0],
    startMs,
    publish,
    reload: async () => {
      const response = await fetch(`${adminUrl}/-/reload`, {
        method: "POST",
        signal: AbortSignal.timeout(RELOAD_TIMEOUT_MS),
      });
      return response.json();
    },
    stop: () => child.stop(),
  };
}

async function compileFor(
  files: ReadonlyMap<string, string>,
  options: GatewayOptions,
  port: number,
): Promise<Uint8Array> {
  const { bundle, diagnostics } = await compile({
    dir: "",
    workspace: memoryWorkspace(files),
    overlay: {
      environment: BENCH_ENVIRONMENT,
      publicUrl: `http://127.0.0.1:${String(port)}`,
      issuers: [options.issuer],
      transports: { [ECHO_SERVER]: { type: "streamable-http", url: options.echoUrl } },
    },
  });
  if (bundle === undefined) {
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    throw new Error(`the bench repository does not compile: ${JSON.stringify(errors.slice(0, 3))}`);
  }
  return bundle.bytes;
}

function configOf(options: GatewayOptions, trust: ThrowawayTrust, port: number): object {
  return {
    listen: { host: "127.0.0.1", port },
    admin: { host: "127.0.0.1", port: 0 },
    release: {
      source: `dir:${trust.channelDir}`,
      channel: BENCH_ENVIRONMENT,
      pollIntervalMs: POLL_INTERVAL_MS,
    },
    trust: { root: trust.rootPath, rootSha256: trust.rootSha256 },
    stateDir: join(options.dir, "state"),
    audit: { dir: join(options.dir, "audit"), ...options.audit },
    log: { level: "info" },
    ...(options.engine === undefined ? {} : { decisions: { engine: options.engine } }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  };
}

function parseListening(line: string): Listening | undefined {
  if (!line.includes('"listening"')) return undefined;
  const { port, adminPort, release } = JSON.parse(line) as Listening;
  return { port, adminPort, release };
}

/** Longest delay of the event loop since it was last asked, in milliseconds. */
export async function readStall(gateway: Pick<MeasuredGateway, "pid">, file: string): Promise<number> {
  await rm(file, { force: true });
  process.kill(gateway.pid, "SIGUSR2");
  for (let attempt = 0; attempt < 500; attempt++) {
    await pause(10);
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("}")) return (JSON.parse(text) as { readonly maxMs: number }).maxMs;
  }
  throw new Error("the gateway did not write its event loop's delay");
}
