// Releases and what they bring to life: the updater, the active snapshot, and the upstream connections it names.
import type { AuditLog } from "#audit";
import { canonicalJson } from "#bundle";
import type { IssuerEntry, TrustedRoot } from "#bundle";
import type { Clock, JsonObject } from "#std";
import type { DecisionDifference } from "#pdp";
import { createPinVerifier, createRefreshBudget, createUpstreamFactory } from "#upstream";
import type { PinAlarm } from "#upstream";
import { createTokenVerifier } from "./authn/index.ts";
import type { TokenVerifier } from "./authn/index.ts";
import type { Bridge } from "./bridge/index.ts";
import type { ProcessConfig } from "./config/index.ts";
import type { AnswerPool } from "./large-answers/answer-pool.ts";
import { SYSTEM_TENANT } from "./pipeline/audit-records.ts";
import { createAskDesk, createAskLimits } from "./asks/index.ts";
import type { RateLimiter } from "./limits/index.ts";
import { createEventRouter } from "./sessions/event-router.ts";
import type { LegacySession, SessionTable } from "./sessions/session-table.ts";
import { buildSnapshot } from "./snapshot/build-snapshot.ts";
import { openReleaseSource } from "./snapshot/release-source.ts";
import { replayVectors } from "./snapshot/replay-vectors.ts";
import { createSnapshotHolder } from "./snapshot/snapshot-holder.ts";
import type { SnapshotHolder } from "./snapshot/snapshot-holder.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";
import { openStateStore } from "./snapshot/state-store.ts";
import { createUpdater } from "./snapshot/updater.ts";
import type { Updater } from "./snapshot/updater.ts";
import type { ListChanges } from "./streams/list-changes.ts";
import type { ResourceUpdates } from "./streams/resource-updates.ts";
import { createReleaseRecorder } from "./release-recorder.ts";
import type { Logger, Metrics } from "./telemetry/index.ts";
import { UpstreamBindings } from "./snapshot/bindings.ts";
import type { OpenTasks } from "./tasks/index.ts";

export interface ReleasePartOptions {
  readonly config: ProcessConfig;
  readonly root: TrustedRoot;
  readonly audit: AuditLog;
  readonly sessions: SessionTable;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** The counts that every call is charged to. */
  readonly limiter: RateLimiter;
  /** Reads what is too large to be read on this thread. */
  readonly largeAnswers: AnswerPool;
  readonly bridge: Bridge;
  readonly openTasks: OpenTasks;
  readonly updates: ResourceUpdates;
  readonly listChanges: ListChanges;
}

export interface ReleasePart {
  readonly holder: SnapshotHolder<Snapshot>;
  readonly updater: Updater;
  readonly bindings: UpstreamBindings;
  /** Releases the upstream channels of a legacy session that ended. */
  readonly endSession: (session: LegacySession) => void;
  /** Leaves all servers together `closeMs` to stop; default 6 s. Their processes are then left to the end of this one. */
  readonly stop: (closeMs?: number) => Promise<void>;
}

export function createReleasePart(options: ReleasePartOptions): ReleasePart {
  const { config, logger, metrics, clock, audit, sessions } = options;
  const fault = (what: string) => (cause: unknown) => logger.error(what, { fault: String(cause) });
  const holder = createSnapshotHolder<Snapshot>({
    dispose: (snapshot) => snapshot.dispose(),
    onFault: fault("snapshot fault"),
  });
  const record = (event: "alarm" | "bundle", body: JsonObject): void => {
    audit.append({ tenant: SYSTEM_TENANT, event, body }).catch(fault("audit fault"));
  };
  const bindings: UpstreamBindings = createBindings(options, holder, () => bindings, record);
  const createVerifier = verifierFactory();
  const onDifference = (difference: DecisionDifference): void => {
    metrics.decisionDifference();
    logger.error("decision engines disagree", { ...difference });
    const { action, mode } = difference;
    record("alarm", { code: "DECISION_DIFFERENCE", action, mode });
  };
  const source = openReleaseSource(config.release.source);
  const updater = createUpdater<Snapshot>({
    source,
    store: openStateStore(config.stateDir, config.release.channel),
    holder,
    root: options.root,
    channel: config.release.channel,
    // The configured sequence is one of the epoch it was written for: a raised epoch begins again at 1.
    floor: {
      epoch: config.release.minEpoch ?? options.root.document.epoch,
      sequence: config.release.minSequence,
    },
    build: (content, meta) =>
      buildSnapshot(content, meta, {
        engine: config.decisions.engine,
        bindings,
        createVerifier,
        onDifference,
      }),
    probe: (candidate, content, signal) => replayVectors(candidate.evaluator, content, signal),
    discard: (candidate) => candidate.dispose(),
    pollIntervalMs: config.release.pollIntervalMs,
    clock,
    onStatus: createReleaseRecorder(logger, metrics, record),
  });
  return {
    holder,
    updater,
    bindings,
    endSession: (session) => {
      const channel = {
        era: "legacy",
        session: session.id,
        protocolVersion: session.protocolVersion,
      } as const;
      for (const upstream of bindings.upstreams()) upstream.release(channel).catch(fault("release fault"));
    },
    stop: async (closeMs = CLOSE_MS) => {
      await updater.stop();
      await source.close();
      sessions.endAll();
      options.bridge.close();
      holder.clear();
      // What is released by a session, the bridge, a pin or a swap ends with its upstream, which waits for it.
      await within(closeMs, bindings.closeAll(), () => logger.warn("servers did not stop in time"));
    },
  };
}

/**
 * Bound of the end of all upstreams together. Above that of one: a process is killed after 1.5 s, and an HTTP server has
 * 5 s to take the end of its sessions.
 */
const CLOSE_MS = 6_000;

async function within(limitMs: number, done: Promise<void>, onLate: () => void): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    onLate();
    late.resolve();
  }, limitMs);
  try {
    await Promise.race([done, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Servers whose pins are read again ahead of time at once. A call that has to wait for them is not counted. */
const MAX_PIN_REFRESHES = 8;
const MAX_VIOLATION_LINES = 20;
const VIOLATION_WINDOW_MS = 1_000;

/** An upstream writes as many violations as it likes: all are counted, only the first of each second are logged. */
function violationLogGate(): (nowMs: number) => boolean {
  let windowStartMs = -Infinity;
  let lines = 0;
  return (nowMs) => {
    if (nowMs - windowStartMs >= VIOLATION_WINDOW_MS) {
      windowStartMs = nowMs;
      lines = 0;
    }
    lines += 1;
    return lines <= MAX_VIOLATION_LINES;
  };
}

/** A swap that leaves the issuers alone keeps their key sets and the verified tokens. */
function verifierFactory(): (issuers: readonly IssuerEntry[]) => TokenVerifier {
  let last: { readonly key: string; readonly verifier: TokenVerifier } | undefined;
  return (issuers) => {
    const key = canonicalJson(issuers);
    if (last?.key !== key) last = { key, verifier: createTokenVerifier(issuers) };
    return last.verifier;
  };
}

function createBindings(
  options: ReleasePartOptions,
  holder: SnapshotHolder<Snapshot>,
  self: () => UpstreamBindings,
  record: (event: "alarm", body: JsonObject) => void,
): UpstreamBindings {
  const { config, logger, metrics, clock, audit, sessions } = options;
  const mayLog = violationLogGate();
  const createUpstream = createUpstreamFactory({
    programs: config.programs,
    credentials: config.credentials,
    egress: config.egress ?? {},
    largeMessages: options.largeAnswers,
    events: createEventRouter({
      audit,
      asks: createAskDesk({
        ...{ audit, currentSnapshot: holder.current },
        limits: createAskLimits(options.limiter, clock),
      }),
      sessions,
      bindings: self,
      bridge: options.bridge,
      updates: options.updates,
      listChanges: options.listChanges,
      openTasks: options.openTasks,
      snapshot: holder.current,
      onNotification: (method, relayed) => metrics.notification(method, relayed),
      onViolation: (server, detail) => {
        metrics.protocolViolation(server);
        if (mayLog(clock.monotonicMs())) logger.warn("protocol violation", { server, detail });
      },
    }),
    onStderr: (server, text) => logger.debug("upstream stderr", { server, text }),
  });
  const onAlarm = (alarm: PinAlarm): void => {
    metrics.pinAlarm(alarm.server);
    logger.error("pin mismatch", { ...alarm });
    record("alarm", {
      code: "PIN_MISMATCH",
      ...alarm,
      approved: [...alarm.approved],
      live: alarm.live ?? null,
    });
  };
  const refreshes = createRefreshBudget(MAX_PIN_REFRESHES);
  return new UpstreamBindings({
    createUpstream,
    createVerifier: (entry, upstream) =>
      createPinVerifier({
        servers: [{ entry, upstream }],
        clock,
        refreshes,
        onAlarm,
        onRefreshFault: (server, detail) => logger.warn("pin refresh failed", { server, detail }),
      }),
    onCloseFault: (cause) => logger.error("upstream close fault", { fault: String(cause) }),
  });
}
