// Arm f, second part: cold start and idle size of a gateway, and the activation of a big bundle while calls flow.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { residentBytes } from "../machine.ts";
import { MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import { runLoad, startEcho } from "../servers/children.ts";
import { STALL_PROBE, readStall, startMeasuredGateway } from "../servers/gateway.ts";
import type { MeasuredGateway } from "../servers/gateway.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";
import { benchCall, requireAnswer } from "./call.ts";
import { pinEcho } from "./proxy.ts";

export interface LifecycleSettings {
  readonly tools: number;
  readonly policies: number;
  readonly starts: number;
  readonly activations: number;
}

export interface LifecycleResult {
  /** Start of the process to listening with an active release. */
  readonly coldStartMs: Spread;
  readonly idleRssBytes: Spread;
  /** Of the audit writer, a process of its own. */
  readonly writerIdleRssBytes: Spread;
  readonly activation: ActivationResult;
}

export interface ActivationResult {
  readonly tools: number;
  readonly policies: number;
  /** `POST /-/reload` to its answer, with calls flowing. */
  readonly activationMs: Spread;
  /** Longest delay of the event loop while it was activated, and in as long a time without an activation. */
  readonly stallMs: Spread;
  readonly stallWithoutMs: Spread;
  readonly callsPerSecond: number;
  readonly answered: number;
  /** Answers that were no result, broken connections, and calls that were never answered. */
  readonly dropped: number;
}

const IDLE_MS = 3_000;
const CALLS_PER_SECOND = 100;
const SETTLE_MS = 2_000;

export async function measureLifecycle(
  dir: string,
  entry: string,
  settings: LifecycleSettings,
  progress: (text: string) => void,
): Promise<LifecycleResult> {
  const echo = await startEcho();
  try {
    const issuer = await createThrowawayIssuer();
    const echoPins = await pinEcho(echo.url);
    const small = benchRepo({ echoPins, ownPolicies: MAX_OWN_POLICIES, loaded: true });
    const shared = {
      entry,
      files: small,
      issuer: issuer.overlay,
      echoUrl: echo.url,
      audit: { mode: "sync" },
    };
    const startsMs: number[] = [];
    const sizes: number[] = [];
    const writerSizes: number[] = [];
    for (let round = 0; round < settings.starts; round++) {
      const home = join(dir, `start-${String(round)}`);
      const gateway = await startMeasuredGateway({ ...shared, dir: home });
      await pause(IDLE_MS);
      startsMs.push(gateway.startMs);
      sizes.push(residentBytes(gateway.pid));
      if (gateway.auditWriterPid !== undefined) writerSizes.push(residentBytes(gateway.auditWriterPid));
      await gateway.stop();
      await rm(home, { recursive: true, force: true });
      progress(
        `start ${round + 1}: ${Math.round(gateway.startMs)} ms, ${Math.round((sizes.at(-1) ?? 0) / 1e6)} MB`,
      );
    }
    const stallFile = join(dir, "stall.json");
    const gateway = await startMeasuredGateway({
      ...shared,
      dir: join(dir, "activation"),
      nodeFlags: [`--import=${STALL_PROBE}`],
      env: { AEGIS_STALL_FILE: stallFile },
    });
    try {
      const call = await benchCall(issuer, gateway.url);
      await requireAnswer(gateway.url, call);
      const big = benchRepo({
        echoPins,
        ownPolicies: MAX_OWN_POLICIES,
        loaded: true,
        otherTools: settings.tools - 1,
        otherPolicies: settings.policies - MAX_OWN_POLICIES,
      });
      const activation = await measureActivations(gateway, {
        call,
        small,
        big,
        stallFile,
        settings,
        progress,
      });
      return {
        coldStartMs: spreadOf(startsMs),
        idleRssBytes: spreadOf(sizes),
        writerIdleRssBytes: spreadOf(writerSizes),
        activation,
      };
    } finally {
      await gateway.stop();
    }
  } finally {
    await echo.stop();
  }
}

interface ActivationInput {
  readonly call: Awaited<ReturnType<typeof benchCall>>;
  readonly small: ReadonlyMap<string, string>;
  readonly big: ReadonlyMap<string, string>;
  readonly stallFile: string;
  readonly settings: LifecycleSettings;
  readonly progress: (text: string) => void;
}

async function measureActivations(
  gateway: MeasuredGateway,
  input: ActivationInput,
): Promise<ActivationResult> {
  const { settings, progress, call } = input;
  const takenMs: number[] = [];
  const stallsMs: number[] = [];
  const quietMs: number[] = [];
  let answered = 0;
  let dropped = 0;
  for (let round = 0; round < settings.activations; round++) {
    await gateway.publish(input.big);
    const load = runLoad({
      url: gateway.url,
      ...call,
      connections: 16,
      warmUpMs: 0,
      durationMs: 4 * SETTLE_MS,
      ratePerSecond: CALLS_PER_SECOND,
    });
    await pause(SETTLE_MS);
    await readStall(gateway, input.stallFile);
    const startedMs = performance.now();
    const outcome = await gateway.reload();
    takenMs.push(performance.now() - startedMs);
    if (!JSON.stringify(outcome).includes('"activated"'))
      throw new Error(`not activated: ${JSON.stringify(outcome)}`);
    stallsMs.push(await readStall(gateway, input.stallFile));
    await pause(takenMs.at(-1) ?? 0);
    quietMs.push(await readStall(gateway, input.stallFile));
    const report = await load;
    answered += report.answered;
    dropped += report.failed + (report.latency?.unanswered ?? 0);
    progress(
      `activation ${round + 1}: ${Math.round(takenMs.at(-1) ?? 0)} ms, stall ${(stallsMs.at(-1) ?? 0).toFixed(1)} ms`,
    );
    await gateway.publish(input.small);
    await gateway.reload();
  }
  return {
    tools: settings.tools,
    policies: settings.policies,
    activationMs: spreadOf(takenMs),
    stallMs: spreadOf(stallsMs),
    stallWithoutMs: spreadOf(quietMs),
    callsPerSecond: CALLS_PER_SECOND,
    answered,
    dropped,
  };
}
