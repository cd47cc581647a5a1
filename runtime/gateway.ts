// The composition root of the gateway: makes every part, connects them, and owns their start and their end.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { createAuditProcess, openCheckpointFile } from "#audit";
import type { AuditProcessLog } from "#audit";
import { openPinnedRoot } from "#bundle";
import { SEALING_KEY_MIN_BYTES, createSealer } from "#sealing";
import { systemClock } from "#std";
import type { Clock } from "#std";
import { createBridge } from "./bridge/index.ts";
import type { Bridge } from "./bridge/index.ts";
import type { ProcessConfig } from "./config/index.ts";
import { createExchangeHandler } from "./exchange-handler.ts";
import type { ExchangeHandler } from "./exchange-handler.ts";
import { createAdminHandlers } from "./gateway-status.ts";
import { startAdminListener } from "./listener/index.ts";
import type { HttpListener, StdioEnd, TransportRules } from "./listener/index.ts";
import { openCertificate, startListeners } from "./listeners.ts";
import type { Listeners, LocalServerOptions } from "./listeners.ts";
import { createAnswerPool } from "./large-answers/answer-pool.ts";
import type { AnswerPool } from "./large-answers/answer-pool.ts";
import { createRateLimiter } from "./limits/index.ts";
import type { RateLimiter } from "./limits/index.ts";
import {
  buildListenerPipeline,
  buildRequestPipeline,
  buildSessionPipeline,
} from "./pipeline/request-pipeline.ts";
import { buildResponsePipeline } from "./pipeline/response-pipeline.ts";
import type { ExchangeRunner } from "./pipeline/run-exchange.ts";
import { createReleasePart } from "./release-part.ts";
import type { ReleasePart } from "./release-part.ts";
import { challengeFor } from "./authn/index.ts";
import { reauthoriseSessions } from "./sessions/event-router.ts";
import { SessionTable } from "./sessions/session-table.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";
import type { UpdateOutcome } from "./snapshot/update-status.ts";
import { createStages } from "./stages/create-stages.ts";
import { createStreams } from "./streams/create-streams.ts";
import type { Streams } from "./streams/create-streams.ts";
import { noteLogLevel } from "./streams/log-level.ts";
import { createSessionVerbStage } from "./stages/session-verbs.ts";
import type { Stages } from "./stages/stages.ts";
import { OpenTasks, TASK_CAPS } from "./tasks/index.ts";
import type { Logger, Metrics } from "./telemetry/index.ts";

export interface GatewayOptions {
  readonly config: ProcessConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** Wraps the stages before they are put in order: the seam of the fault tests. */
  readonly wrapStages?: (stages: Stages) => Stages;
  /** Longest an exchange may take before its route's own deadline is known; default 30 s. */
  readonly admissionDeadlineMs?: number;
  /** Serves one client on standard input and output instead of opening the MCP port. */
  readonly local?: LocalServerOptions;
}

export interface Gateway {
  /** Empty, and the ports 0, where there is no such listener. */
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  /** Why the local server has ended; absent where there is none. */
  readonly localEnded?: Promise<StdioEnd>;
  /** Process id of the audit writer. */
  readonly auditWriterPid: () => number | undefined;
  /** Outcome of the first attempt to activate a release. */
  readonly firstRelease: UpdateOutcome;
  readonly reload: () => Promise<UpdateOutcome>;
  /**
   * Stops accepting, lets exchanges under way finish for at most `graceMs` and then servers stop for at most `closeMs`,
   * default 6 s, seals the audit log.
   */
  readonly stop: (graceMs: number, closeMs?: number) => Promise<void>;
}

const SWEEP_INTERVAL_MS = 1_000;
const UNRECORDED_INTERVAL_MS = 1_000;

/** Everything but the ways in. */
interface Core {
  readonly clock: Clock;
  readonly audit: AuditProcessLog;
  readonly sessions: SessionTable;
  readonly bridge: Bridge;
  readonly streams: Streams;
  readonly largeAnswers: AnswerPool;
  readonly release: ReleasePart;
  readonly runner: ExchangeRunner & { readonly stages: Stages };
  readonly handler: ExchangeHandler;
  readonly sweepStreams: () => void;
}

/**
 * Starts a gateway. It listens even where no release could be activated yet, and denies everything until one is.
 * @throws {TrustError} for a root that is not the pinned one; AuditStartError where the log cannot be opened;
 *   LocalStartError where a local server's token is not accepted; an Error that names the file where a certificate cannot
 *   be used
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, logger, metrics, local } = options;
  const tls = await openCertificate(config, local, options.clock ?? systemClock);
  const core = await createCore(options);
  const { clock, audit, sessions, release, runner, handler } = core;
  const { holder, updater } = release;
  const firstRelease = await updater.start();
  logger.info("release", { outcome: firstRelease });
  const listeners = await startListeners({
    ...{ config, logger, metrics, clock, handler, runner, sessions, audit },
    snapshot: holder.current,
    ...{ local, tls },
  }).catch(async (fault: unknown) => {
    // Nothing was served; what the refusal left in the log is sealed.
    core.largeAnswers.dispose();
    await release.stop();
    await audit.close();
    throw fault;
  });
  holder.onSwap((next) => listeners.onSwap(next));
  const reload = async (): Promise<UpdateOutcome> => {
    await listeners.reloadTls();
    return updater.reload();
  };
  let draining = false;
  const isAdmin = local === undefined || config.stdio?.admin === true;
  const admin = isAdmin
    ? await startAdmin(options, { ...core, listeners, reload, isDraining: () => draining })
    : undefined;
  const sweep = setInterval(() => {
    sessions.sweep();
    listeners.sweep();
    core.sweepStreams();
  }, SWEEP_INTERVAL_MS);
  return {
    host: listeners.host,
    port: listeners.port,
    adminPort: admin?.port ?? 0,
    ...(listeners.ended === undefined ? {} : { localEnded: listeners.ended }),
    auditWriterPid: audit.writerPid,
    firstRelease,
    reload,
    stop: async (graceMs, closeMs) => {
      draining = true;
      clearInterval(sweep);
      await drain({ ...core, listeners, admin, graceMs, closeMs });
    },
  };
}

async function createCore(options: GatewayOptions): Promise<Core> {
  const { config, logger, metrics, clock = systemClock } = options;
  const root = await openPinnedRoot(await readFile(config.trust.root), config.trust.rootSha256);
  const audit = await openAudit(config, logger);
  const sessions = new SessionTable(
    { ...config.limits, idleMs: config.limits.sessionIdleMs, answerStreams: config.streams },
    clock,
    (session) => release.endSession(session),
  );
  const streams = createStreams({
    limits: config.limits,
    ...{ audit, sessions, clock },
    snapshot: () => release.holder.current(),
    onNotification: (method, relayed) => metrics.notification(method, relayed),
    onFault: (server, detail) => logger.warn("subscription fault", { server, detail }),
  });
  const largeAnswers = createAnswerPool();
  const bridge = createBridge();
  const openTasks = new OpenTasks(TASK_CAPS, clock.nowMs);
  const limiter = createRateLimiter();
  const release: ReleasePart = createReleasePart({
    ...{ config, root, audit, sessions, logger, metrics, clock, limiter },
    ...{ largeAnswers, bridge, openTasks, updates: streams.updates, listChanges: streams.listChanges },
  });
  const { holder } = release;
  const runner = createRunner(options, {
    ...{ audit, sessions, clock, limiter, largeAnswers, bridge, streams, openTasks },
    currentSnapshot: holder.current,
  });
  const stages = runner.stages;
  const handler = createExchangeHandler({
    holder,
    runner,
    sessionVerbs: buildSessionPipeline(
      stages,
      createSessionVerbStage({
        sessions,
        limit: streams.limit,
        audit,
        clock,
        onFault: (fault) => logger.error("audit fault", { fault: String(fault) }),
      }),
    ),
    listenerOnly: buildListenerPipeline(stages),
    audit,
    clock,
    maxInFlight: config.limits.maxInFlight,
    ...(options.admissionDeadlineMs === undefined
      ? {}
      : { admissionDeadlineMs: options.admissionDeadlineMs }),
  });
  const sweepStreams = (): void => {
    streams.sweep().catch((fault: unknown) => logger.error("stream fault", { fault: String(fault) }));
  };
  holder.onSwap((next, previous) => {
    bridge.onSwap();
    reauthoriseSessions(sessions, next, previous);
    sweepStreams();
  });
  return { clock, audit, sessions, bridge, streams, largeAnswers, release, runner, handler, sweepStreams };
}

async function openAudit(config: ProcessConfig, logger: Logger): Promise<AuditProcessLog> {
  const { dir, mode, checkpointFile } = config.audit;
  const onFault = (fault: string): void => logger.error("checkpoint not kept", { fault });
  const checkpoints =
    checkpointFile === undefined ? undefined : await openCheckpointFile({ path: checkpointFile, onFault });
  const log = await createAuditProcess({
    dir,
    stateDir: config.stateDir,
    logId: `${hostname()}/${config.release.channel}`,
    mode,
    // `batch` acknowledges what no process death can lose; a power failure can lose its last 5 ms. `sync` loses nothing.
    batchAcknowledgement: "written",
    ...(checkpoints === undefined ? {} : { onCheckpoint: checkpoints.keep }),
    onFault: (fault) => logger.error("audit log not writable", { fault }),
    onRecovered: () => logger.info("audit log writable again"),
  });
  if (checkpoints === undefined) return log;
  return {
    ...log,
    close: async () => {
      // The last checkpoint is the one that covers the seal.
      await log.close().finally(checkpoints.close);
    },
  };
}

interface AdminParts extends Core {
  readonly listeners: Listeners;
  readonly reload: () => Promise<UpdateOutcome>;
  readonly isDraining: () => boolean;
}

function startAdmin(options: GatewayOptions, parts: AdminParts): Promise<HttpListener> {
  const { config, logger, metrics } = options;
  const { release, audit, sessions, clock, listeners, reload, isDraining } = parts;
  const { updater, holder, bindings } = release;
  metrics.watchAudit(audit);
  return startAdminListener({
    host: config.admin.host,
    port: config.admin.port,
    handlers: createAdminHandlers({
      updater,
      holder,
      audit,
      sessions,
      streams: parts.streams,
      bridge: parts.bridge,
      listeners,
      reload,
      bindings,
      metrics,
      isDraining,
      nowMs: clock.nowMs,
    }),
    onFault: (fault) => logger.error("admin fault", { fault: String(fault) }),
  });
}

interface RunnerParts {
  readonly audit: AuditProcessLog;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly limiter: RateLimiter;
  readonly largeAnswers: AnswerPool;
  readonly bridge: Bridge;
  readonly streams: Streams;
  readonly openTasks: OpenTasks;
  readonly currentSnapshot: () => Snapshot | undefined;
}

function createRunner(
  options: GatewayOptions,
  { audit, sessions, clock, limiter, largeAnswers, bridge, streams, openTasks, currentSnapshot }: RunnerParts,
): ExchangeRunner & { readonly stages: Stages } {
  const { config, metrics } = options;
  const reportUnrecorded = unrecordedReporter(options.logger, clock);
  const made = createStages({
    transport: transportRules(config),
    sessions,
    limiter,
    audit,
    clock,
    maxRequestBytes: config.limits.maxRequestBytes,
    sealer: createSealer({
      key: config.sealingKey ?? randomBytes(SEALING_KEY_MIN_BYTES),
      nowMs: clock.nowMs,
    }),
    onNotification: (method, relayed) => metrics.notification(method, relayed),
    onUpstream: (server, outcome, durationMs) => metrics.upstream(server, outcome, durationMs),
    onShadow: (result) => metrics.shadowDecision(result),
    largeAnswers,
    ...{ bridge, streams, openTasks, currentSnapshot },
  });
  const stages = options.wrapStages?.(made) ?? made;
  return {
    stages,
    request: buildRequestPipeline(stages),
    response: buildResponsePipeline(stages),
    audit,
    clock,
    challengeFor: (exchange, denial) => {
      if (exchange.route === undefined || !denial.code.startsWith("AUTHN_")) return undefined;
      return challengeFor(exchange.route.entry, denial.code);
    },
    onStage: (name, durationMs) => metrics.stage(name, durationMs),
    onEnd: (exchange, denial) => {
      const { answer } = exchange;
      if (denial !== undefined && exchange.principal !== undefined && answer?.kind === "result")
        bridge.discard(exchange.principal.bindingKey, answer.asked ?? answer.result);
      if (denial?.code === "AUDIT_UNAVAILABLE") reportUnrecorded(denial.detail);
      noteLogLevel(exchange);
      if (exchange.session !== undefined && exchange.message?.kind === "request") {
        exchange.session.inFlight.delete(exchange.message.id);
      }
      metrics.exchange({
        route: exchange.route?.entry.path ?? "(none)",
        method: exchange.method?.method ?? "(none)",
        outcome: denial === undefined ? "answered" : "denied",
        code: denial?.code ?? "OK",
        durationMs: clock.monotonicMs() - exchange.startedMonotonicMs,
      });
    },
  };
}

/** What cannot be recorded must be told somewhere else; under load one line a second says it. */
function unrecordedReporter(logger: Logger, clock: Clock): (detail: string) => void {
  let nextMs = 0;
  let untold = 0;
  return (detail) => {
    const nowMs = clock.monotonicMs();
    untold += 1;
    if (nowMs < nextMs) return;
    logger.error("not recorded", { detail, exchanges: untold });
    nextMs = nowMs + UNRECORDED_INTERVAL_MS;
    untold = 0;
  };
}

/** Loopback names of the listening port unless the operator lists the public ones. */
function transportRules(config: ProcessConfig): TransportRules {
  const own = config.listen.host.includes(":") ? `[${config.listen.host}]:*` : `${config.listen.host}:*`;
  return {
    allowedHosts: config.listen.allowedHosts ?? ["127.0.0.1:*", "localhost:*", "[::1]:*", own],
    allowedOrigins: config.listen.allowedOrigins ?? [],
  };
}

interface Draining extends Core {
  readonly listeners: Listeners;
  readonly admin: HttpListener | undefined;
  readonly graceMs: number;
  readonly closeMs: number | undefined;
}

/** Streams end first, so that only exchanges hold the listener open; the log closes last, after the last record. */
async function drain(parts: Draining): Promise<void> {
  const closed = parts.listeners.close(parts.graceMs);
  parts.streams.endStreams();
  await closed;
  parts.sessions.endAll();
  parts.streams.close();
  parts.largeAnswers.dispose();
  await parts.release.stop(parts.closeMs);
  await parts.admin?.close(0);
  await parts.audit.close();
}
