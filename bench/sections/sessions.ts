// Sessions with open streams, and connections that do nothing: what they cost the gateway, and what a healthy client
// feels of them. The same client without them is measured in the same run, in turn.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import type { LoadReport } from "../load/target.ts";
import { residentBytes } from "../machine.ts";
import { MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import { holdConnections, runLoad, startEcho } from "../servers/children.ts";
import { STALL_PROBE, readStall, startMeasuredGateway } from "../servers/gateway.ts";
import type { MeasuredGateway } from "../servers/gateway.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";
import { benchCall, requireAnswer } from "./call.ts";
import type { BenchCall } from "./call.ts";
import { pinEcho } from "./proxy.ts";

export interface SessionsSettings {
  readonly sessions: number;
  readonly idle: number;
  readonly slow: number;
  readonly rounds: number;
  readonly pacedMs: number;
}

export interface SessionsResult {
  readonly sessions: number;
  readonly rssBeforeBytes: number;
  readonly rssWithBytes: number;
  /** Longest delay of the event loop while calls flow: without sessions, and with them open. */
  readonly stallBeforeMs: Spread;
  readonly stallWithMs: Spread;
  readonly crowd: CrowdResult;
}

/** A healthy client beside connections that do nothing or not enough. */
export interface CrowdResult {
  readonly idle: number;
  readonly slow: number;
  readonly callsPerSecond: number;
  readonly p50AloneMs: Spread;
  readonly p50CrowdedMs: Spread;
  readonly p99AloneMs: Spread;
  readonly p99CrowdedMs: Spread;
  /** Of the medians: crowded to alone. */
  readonly p50Ratio: number;
  readonly p99Ratio: number;
  /** Slow connections that the gateway cut meanwhile. */
  readonly cut: number;
  readonly failed: number;
}

const CALLS_PER_SECOND = 100;
const SETTLE_MS = 1_000;
const WARM_UP_MS = 1_000;
const LIMITS = {
  maxConnections: 50_000,
  maxSessions: 50_000,
  maxSessionsPerPrincipal: 10_000,
  maxStreams: 50_000,
  maxStreamsPerPrincipal: 10_000,
};

interface Bench {
  readonly gateway: MeasuredGateway;
  readonly call: BenchCall;
  readonly stallFile: string;
  readonly settings: SessionsSettings;
  readonly progress: (text: string) => void;
}

export async function measureSessions(
  dir: string,
  entry: string,
  settings: SessionsSettings,
  progress: (text: string) => void,
): Promise<SessionsResult> {
  const echo = await startEcho();
  const stallFile = join(dir, "sessions-stall.json");
  try {
    const issuer = await createThrowawayIssuer();
    const gateway = await startMeasuredGateway({
      dir: join(dir, "sessions"),
      entry,
      files: benchRepo({ echoPins: await pinEcho(echo.url), ownPolicies: MAX_OWN_POLICIES, loaded: true }),
      issuer: issuer.overlay,
      echoUrl: echo.url,
      audit: { mode: "batch" },
      limits: LIMITS,
      nodeFlags: [`--import=${STALL_PROBE}`],
      env: { AEGIS_STALL_FILE: stallFile },
    });
    try {
      const call = await benchCall(issuer, gateway.url);
      await requireAnswer(gateway.url, call);
      const bench = { gateway, call, stallFile, settings, progress };
      await paced(bench);
      const open = await measureOpenStreams(bench);
      return { ...open, crowd: await measureCrowd(bench) };
    } finally {
      await gateway.stop();
    }
  } finally {
    await echo.stop();
  }
}

async function measureOpenStreams(bench: Bench): Promise<Omit<SessionsResult, "crowd">> {
  const { gateway, call, settings, stallFile, progress } = bench;
  const { sessions, rounds } = settings;
  const stallBeforeMs: number[] = [];
  const stallWithMs: number[] = [];
  const watch = async (stalls: number[]): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await readStall(gateway, stallFile);
      await paced(bench);
      stalls.push(await readStall(gateway, stallFile));
    }
  };
  await watch(stallBeforeMs);
  const rssBeforeBytes = residentBytes(gateway.pid);
  const { authorization = "" } = call.headers;
  const none = { url: gateway.url, headers: { authorization }, idle: 0, slow: 0 };
  const held = await holdConnections({ ...none, sessions });
  try {
    await pause(SETTLE_MS);
    await watch(stallWithMs);
    const rssWithBytes = residentBytes(gateway.pid);
    progress(`${sessions} sessions: ${Math.round((rssWithBytes - rssBeforeBytes) / 1e6)} MB more`);
    return {
      sessions,
      rssBeforeBytes,
      rssWithBytes,
      stallBeforeMs: spreadOf(stallBeforeMs),
      stallWithMs: spreadOf(stallWithMs),
    };
  } finally {
    await held.release();
  }
}

async function measureCrowd(bench: Bench): Promise<CrowdResult> {
  const { gateway, settings, progress } = bench;
  const { idle, slow, rounds } = settings;
  const alone: LoadReport[] = [];
  const crowded: LoadReport[] = [];
  let cut = 0;
  for (let round = 0; round < rounds; round++) {
    alone.push(await paced(bench));
    const held = await holdConnections({ url: gateway.url, headers: {}, sessions: 0, idle, slow });
    await pause(SETTLE_MS);
    try {
      crowded.push(await paced(bench));
    } finally {
      cut += (await held.release()).reopened;
    }
    await pause(SETTLE_MS);
    progress(`crowd ${round + 1}: p99 ${p99(alone.at(-1))} ms alone, ${p99(crowded.at(-1))} ms crowded`);
  }
  const spread = (reports: readonly LoadReport[], name: "p50Ms" | "p99Ms"): Spread =>
    spreadOf(reports.map(({ latency }) => latency?.[name] ?? Number.NaN));
  const [p50AloneMs, p50CrowdedMs] = [spread(alone, "p50Ms"), spread(crowded, "p50Ms")];
  const [p99AloneMs, p99CrowdedMs] = [spread(alone, "p99Ms"), spread(crowded, "p99Ms")];
  return {
    idle,
    slow,
    callsPerSecond: CALLS_PER_SECOND,
    p50AloneMs,
    p50CrowdedMs,
    p99AloneMs,
    p99CrowdedMs,
    p50Ratio: p50CrowdedMs.median / p50AloneMs.median,
    p99Ratio: p99CrowdedMs.median / p99AloneMs.median,
    cut,
    failed: [...alone, ...crowded].reduce((sum, { failed }) => sum + failed, 0),
  };
}

function p99(report: LoadReport | undefined): string {
  return (report?.latency?.p99Ms ?? Number.NaN).toFixed(2);
}

function paced({ gateway, call, settings }: Bench): Promise<LoadReport> {
  return runLoad({
    url: gateway.url,
    ...call,
    connections: 16,
    warmUpMs: WARM_UP_MS,
    durationMs: settings.pacedMs,
    ratePerSecond: CALLS_PER_SECOND,
  });
}
