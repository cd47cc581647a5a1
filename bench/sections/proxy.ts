// Arms a to d: the bare hop, the durable append alone, and the gateway in four configurations, interleaved in rounds so
// that a change in what else the machine does falls on all of them.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { appendOnlyArm } from "#audit";
import type { AppendOnlyResult } from "#audit";
import { pinServers } from "#compiler";
import type { PinContent } from "#compiler";
import type { DecisionEngine } from "#config";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import type { LoadReport } from "../load/target.ts";
import { cpuMicros } from "../machine.ts";
import { ECHO_SERVER, MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import { runLoad, startBareHop, startEcho } from "../servers/children.ts";
import { startMeasuredGateway } from "../servers/gateway.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";
import { benchCall, requireAnswer } from "./call.ts";
import type { BenchCall } from "./call.ts";
import { PROXY_ARMS } from "./proxy-arms.ts";
import type { ProxyArmName } from "./proxy-arms.ts";

export interface ProxySettings {
  readonly rounds: number;
  readonly connections: number;
  /** Of every arm before the first round: until the optimising compiler has seen enough. */
  readonly firstWarmUpMs: number;
  /** Before each measurement. */
  readonly warmUpMs: number;
  readonly saturationMs: number;
  readonly pacedMs: number;
}

export interface PacedResult {
  readonly ratePerSecond: number;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  /** Over the bare hop of the same round. */
  readonly addedP50Ms: Spread;
  readonly addedP99Ms: Spread;
  /** Requests due and never answered, over all rounds: above 0 the arm did not keep up. */
  readonly unanswered: number;
}

export interface ProxyArmResult {
  readonly perSecond: Spread;
  /** Over the bare hop of the same round. */
  readonly ratio: Spread;
  /** Processor time for each answered request at saturation: the server, and the audit writer beside it. */
  readonly serverCpuMicros: Spread;
  readonly writerCpuMicros: Spread;
  /** At half of what the bare hop carries. */
  readonly halfLoad: PacedResult;
  /** At half of what the slowest arm carries: a rate that no arm queues at. */
  readonly commonLoad: PacedResult;
  readonly failed: number;
}

export interface ProxyResult {
  readonly arms: Readonly<Record<ProxyArmName, ProxyArmResult>>;
  readonly fdatasync: { readonly recordsPerSecond: Spread; readonly p50Ms: Spread; readonly p99Ms: Spread };
  /** Calls the echo server counted, and answers the load processes counted, warm-up included on both sides. */
  readonly upstreamCalls: number;
}

interface Arm {
  readonly name: ProxyArmName;
  readonly url: string;
  readonly call: BenchCall;
  readonly pid: number;
  readonly writerPid: number | undefined;
  readonly stop: () => Promise<void>;
}

interface Sample {
  readonly saturated: LoadReport;
  readonly serverCpuMicros: number;
  readonly writerCpuMicros: number;
  readonly halfLoad: LoadReport;
  readonly commonLoad: LoadReport;
}

interface Rates {
  readonly halfLoad: number;
  readonly commonLoad: number;
}

/** About what the two records of a call take in the log. */
const RECORD_BYTES = 768;

export async function measureProxy(
  dir: string,
  gatewayEntry: string,
  settings: ProxySettings,
  progress: (text: string) => void,
): Promise<ProxyResult> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const echo = await startEcho();
    stops.push(echo.stop);
    const arms = await startArms(dir, gatewayEntry, echo.url, stops);
    for (const arm of arms) await requireAnswer(arm.url, arm.call);
    const rates = await warmUp(arms, settings);
    progress(`paced at ${rates.halfLoad}/s, half load of the bare hop, and at ${rates.commonLoad}/s`);
    const samples = new Map<ProxyArmName, Sample[]>(arms.map(({ name }) => [name, []]));
    const appends: AppendOnlyResult[] = [];
    for (let round = 0; round < settings.rounds; round++) {
      appends.push(await measureAppends(dir, round, settings));
      // The order turns with the round, so that no arm always comes after the same one.
      for (const [index] of arms.entries()) {
        const arm = arms[(index + round) % arms.length];
        if (arm === undefined) continue;
        const sample = await measureArm(arm, settings, rates);
        samples.get(arm.name)?.push(sample);
        progress(`round ${round + 1} ${describe(arm.name, sample)}`);
      }
    }
    return summarise(samples, appends, rates, await callsOf(echo.url));
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function describe(name: string, { saturated, halfLoad, commonLoad, serverCpuMicros }: Sample): string {
  const latency = ({ latency: found }: LoadReport): string =>
    found === undefined ? "" : `p50 ${found.p50Ms.toFixed(2)} p99 ${found.p99Ms.toFixed(2)} ms`;
  return `${name}: ${Math.round(saturated.perSecond)}/s, ${Math.round(serverCpuMicros)} µs processor; half load ${latency(halfLoad)}; common load ${latency(commonLoad)}`;
}

async function startArms(
  dir: string,
  entry: string,
  echoUrl: string,
  stops: (() => Promise<void>)[],
): Promise<readonly Arm[]> {
  const issuer = await createThrowawayIssuer();
  const echoPins = await pinEcho(echoUrl);
  const hop = await startBareHop(echoUrl);
  stops.push(hop.stop);
  const arms: Arm[] = [
    {
      name: "bare-hop",
      url: hop.url,
      call: await benchCall(issuer, hop.url),
      pid: hop.pid,
      writerPid: undefined,
      stop: hop.stop,
    },
  ];
  const minimal = benchRepo({ echoPins, ownPolicies: 1, loaded: false });
  const loaded = benchRepo({ echoPins, ownPolicies: MAX_OWN_POLICIES, loaded: true });
  const gateways: readonly [ProxyArmName, ReadonlyMap<string, string>, "batch" | "sync", DecisionEngine][] = [
    ["aegis-minimal", minimal, "batch", "interpreter"],
    ["aegis-loaded", loaded, "batch", "interpreter"],
    ["aegis-loaded-sync", loaded, "sync", "interpreter"],
    ["aegis-loaded-cedar", loaded, "batch", "cedar-wasm"],
  ];
  for (const [name, files, mode, engine] of gateways) {
    const gateway = await startMeasuredGateway({
      dir: join(dir, name),
      entry,
      files,
      issuer: issuer.overlay,
      echoUrl,
      audit: { mode },
      engine,
    });
    stops.push(gateway.stop);
    arms.push({
      name,
      url: gateway.url,
      call: await benchCall(issuer, gateway.url),
      pid: gateway.pid,
      writerPid: gateway.auditWriterPid,
      stop: gateway.stop,
    });
  }
  return arms;
}

/** The definitions of the running echo server. */
export async function pinEcho(url: string): Promise<PinContent> {
  const outcomes = await pinServers({
    servers: [{ id: ECHO_SERVER, transport: { type: "streamable-http", url } }],
    programs: new Map(),
    signal: AbortSignal.timeout(30_000),
  });
  const outcome = outcomes.get(ECHO_SERVER);
  if (outcome?.ok !== true)
    throw new Error(`the echo server cannot be pinned: ${outcome?.error ?? "no answer"}`);
  return outcome.value;
}

/** Warms every arm; what each carries afterwards sets the rates of the paced measurements. */
async function warmUp(arms: readonly Arm[], settings: ProxySettings): Promise<Rates> {
  const { connections, firstWarmUpMs, saturationMs } = settings;
  const carried: number[] = [];
  for (const arm of arms) {
    const target = { url: arm.url, ...arm.call, connections, warmUpMs: 0 };
    await runLoad({ ...target, durationMs: firstWarmUpMs });
    carried.push((await runLoad({ ...target, durationMs: saturationMs })).perSecond);
  }
  return { halfLoad: Math.round((carried[0] ?? 0) / 2), commonLoad: Math.round(Math.min(...carried) / 2) };
}

async function measureArm(arm: Arm, settings: ProxySettings, rates: Rates): Promise<Sample> {
  const { connections, warmUpMs, saturationMs, pacedMs } = settings;
  const target = { url: arm.url, ...arm.call, connections };
  await runLoad({ ...target, warmUpMs: 0, durationMs: warmUpMs });
  const before = cpuOf(arm);
  const saturated = await runLoad({ ...target, warmUpMs: 0, durationMs: saturationMs });
  const after = cpuOf(arm);
  const paced = (ratePerSecond: number): Promise<LoadReport> =>
    runLoad({ ...target, warmUpMs, durationMs: pacedMs, ratePerSecond });
  return {
    saturated,
    serverCpuMicros: (after.server - before.server) / saturated.answered,
    writerCpuMicros: (after.writer - before.writer) / saturated.answered,
    halfLoad: await paced(rates.halfLoad),
    commonLoad: await paced(rates.commonLoad),
  };
}

function cpuOf(arm: Arm): { readonly server: number; readonly writer: number } {
  return { server: cpuMicros(arm.pid), writer: arm.writerPid === undefined ? 0 : cpuMicros(arm.writerPid) };
}

async function measureAppends(
  dir: string,
  round: number,
  settings: ProxySettings,
): Promise<AppendOnlyResult> {
  const path = join(dir, `append-${String(round)}.log`);
  const { connections: inFlight, saturationMs: durationMs } = settings;
  const result = await appendOnlyArm({ path, recordBytes: RECORD_BYTES, inFlight, durationMs, sync: true });
  await rm(path, { force: true });
  return result;
}

async function callsOf(echoUrl: string): Promise<number> {
  const response = await fetch(new URL("/calls", echoUrl));
  return ((await response.json()) as { readonly total: number }).total;
}

function summarise(
  samples: ReadonlyMap<ProxyArmName, readonly Sample[]>,
  appends: readonly AppendOnlyResult[],
  rates: Rates,
  upstreamCalls: number,
): ProxyResult {
  const hops = samples.get("bare-hop") ?? [];
  const entries = PROXY_ARMS.map(
    (name) => [name, summariseArm(samples.get(name) ?? [], hops, rates)] as const,
  );
  return {
    arms: Object.fromEntries(entries) as Record<ProxyArmName, ProxyArmResult>,
    fdatasync: {
      recordsPerSecond: spreadOf(appends.map((arm) => arm.recordsPerSecond)),
      p50Ms: spreadOf(appends.map((arm) => arm.p50Ms)),
      p99Ms: spreadOf(appends.map((arm) => arm.p99Ms)),
    },
    upstreamCalls,
  };
}

type Read = (sample: Sample) => number;

/** A value of each round against that of the bare hop in the same round. */
function against(
  own: readonly Sample[],
  hops: readonly Sample[],
  read: Read,
  combine: (mine: number, hop: number) => number,
): Spread {
  return spreadOf(
    own.map((sample, round) => {
      const hop = hops[round];
      return combine(read(sample), hop === undefined ? Number.NaN : read(hop));
    }),
  );
}

function summariseArm(own: readonly Sample[], hops: readonly Sample[], rates: Rates): ProxyArmResult {
  const paced = (name: keyof Rates): PacedResult => {
    const p50: Read = (sample) => sample[name].latency?.p50Ms ?? Number.NaN;
    const p99: Read = (sample) => sample[name].latency?.p99Ms ?? Number.NaN;
    return {
      ratePerSecond: rates[name],
      p50Ms: spreadOf(own.map(p50)),
      p99Ms: spreadOf(own.map(p99)),
      addedP50Ms: against(own, hops, p50, (mine, hop) => mine - hop),
      addedP99Ms: against(own, hops, p99, (mine, hop) => mine - hop),
      unanswered: own.reduce((total, sample) => total + (sample[name].latency?.unanswered ?? 0), 0),
    };
  };
  return {
    perSecond: spreadOf(own.map(({ saturated }) => saturated.perSecond)),
    ratio: against(
      own,
      hops,
      ({ saturated }) => saturated.perSecond,
      (mine, hop) => mine / hop,
    ),
    serverCpuMicros: spreadOf(own.map(({ serverCpuMicros }) => serverCpuMicros)),
    writerCpuMicros: spreadOf(own.map(({ writerCpuMicros }) => writerCpuMicros)),
    halfLoad: paced("halfLoad"),
    commonLoad: paced("commonLoad"),
    failed: own.reduce(
      (total, { saturated, halfLoad, commonLoad }) =>
        total + saturated.failed + halfLoad.failed + commonLoad.failed,
      0,
    ),
  };
}
