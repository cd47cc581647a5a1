// How messages reach the gateway: the MCP port with its certificate, its WebSocket and HTTP+SSE connections, or standard
// input and output. One of the two, never both.
import { setTimeout } from "node:timers/promises";
import type { AuditLog } from "#audit";
import type { Clock } from "#std";
import type { ProcessConfig } from "./config/index.ts";
import { createConnections } from "./connections.ts";
import type { Connections } from "./connections.ts";
import { createHttpEntrance, createMessageEntrance } from "./entrance.ts";
import type { ExchangeHandler } from "./exchange-handler.ts";
import {
  DEFAULT_CONNECTION_LIMITS,
  createClientAddress,
  createTokenSource,
  openTlsMaterial,
  startHttpListener,
} from "./listener/index.ts";
import type {
  ConnectionLimits,
  HttpListener,
  StdioConnection,
  StdioEnd,
  StdioStreams,
  TlsMaterial,
  TlsReload,
  TlsStatus,
} from "./listener/index.ts";
import { buildSessionPipeline } from "./pipeline/request-pipeline.ts";
import type { ExchangeRunner } from "./pipeline/run-exchange.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";
import type { Stages } from "./stages/stages.ts";
import type { Logger, Metrics } from "./telemetry/index.ts";

/** A local server for one client. */
export interface LocalServerOptions {
  /** Path of the route, as in the release. */
  readonly routePath: string;
  readonly streams: StdioStreams;
}

export interface ListenersOptions {
  readonly config: ProcessConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly handler: ExchangeHandler;
  readonly runner: ExchangeRunner & { readonly stages: Stages };
  readonly sessions: SessionTable;
  readonly audit: AuditLog;
  readonly snapshot: () => Snapshot | undefined;
  /** Absent = the MCP port is opened. */
  readonly local?: LocalServerOptions | undefined;
  /** Of the MCP port, as `openCertificate` gives it. */
  readonly tls: TlsMaterial | undefined;
}

export interface Listeners {
  /** Empty and 0 where there is no port. */
  readonly host: string;
  readonly port: number;
  /** Why the local server has ended; absent where there is none. */
  readonly ended?: Promise<StdioEnd>;
  readonly connectionCount: () => number;
  readonly tlsStatus: () => TlsStatus | undefined;
  /** Reads the certificate again; undefined without one. */
  readonly reloadTls: () => Promise<TlsReload | undefined>;
  readonly sweep: () => void;
  readonly onSwap: (next: Snapshot | undefined) => void;
  /** Takes no more messages and lets those under way be answered. */
  readonly close: (graceMs: number) => Promise<void>;
}

const CERTIFICATE_POLL_MS = 2_000;

/**
 * The certificate of the MCP port; undefined where there is none. It is part of what is configured, so it is read before
 * anything starts.
 * @throws {Error} that names the file where it cannot be used
 */
export async function openCertificate(
  { listen }: ProcessConfig,
  local: LocalServerOptions | undefined,
  { nowMs }: Clock,
): Promise<TlsMaterial | undefined> {
  return listen.tls === undefined || local !== undefined ? undefined : openTlsMaterial(listen.tls, nowMs);
}

/**
 * Opens the port, or the local server.
 * @throws {LocalStartError} where the token of a local server is not accepted
 */
export async function startListeners(options: ListenersOptions): Promise<Listeners> {
  const { config, handler, runner, sessions, audit, clock, logger, snapshot, tls } = options;
  const pipelineTo = (
    last: Parameters<typeof buildSessionPipeline>[1],
  ): ReturnType<typeof buildSessionPipeline> => buildSessionPipeline(runner.stages, last);
  const { maxRequestBytes } = config.limits;
  const message = createMessageEntrance({ handler, runner, pipelineTo, sessions, maxRequestBytes });
  const limits = connectionLimits(config);
  const connections = createConnections({
    ...{ run: handler.run, handle: message, runner, pipelineTo, sessions, audit, clock, limits },
    onFault: (fault) => logger.error("connection fault", { fault: String(fault) }),
  });
  const common = {
    connectionCount: connections.count,
    sweep: connections.sweep,
    onSwap: connections.reauthorise,
  };
  if (options.local !== undefined) return openLocal(options, options.local, connections, common);
  const certificate = watchCertificate(tls, options);
  if (tls === undefined) warnOfPlainText(config.listen.host, logger);
  const listener = await startHttpListener({
    host: config.listen.host,
    port: config.listen.port,
    handle: createHttpEntrance(message, connections, snapshot),
    upgrade: { handle: connections.upgrade, maxMessageBytes: limits.maxMessageBytes },
    ...(tls === undefined ? {} : { tls }),
    limits: {
      maxConnections: config.limits.maxConnections,
      maxStreamBufferBytes: config.limits.maxStreamBufferBytes,
      streamStallMs: config.limits.streamStallMs,
    },
    clientAddress: createClientAddress(config.listen.trustedProxies ?? []),
    onFault: (fault) => logger.error("listener fault", { fault: String(fault) }),
  });
  return {
    ...common,
    host: listener.host,
    port: listener.port,
    tlsStatus: () => tls?.status(),
    reloadTls: certificate.reload,
    close: async (graceMs) => {
      certificate.stop();
      await closeAll(connections, listener, graceMs);
    },
  };
}

function connectionLimits({ limits }: ProcessConfig): ConnectionLimits {
  return {
    ...DEFAULT_CONNECTION_LIMITS,
    maxConnections: Math.min(DEFAULT_CONNECTION_LIMITS.maxConnections, limits.maxConnections),
    maxMessageBytes: limits.maxRequestBytes,
    maxBufferedBytes: limits.maxStreamBufferBytes,
    stallMs: limits.streamStallMs,
  };
}

async function openLocal(
  { config, logger }: ListenersOptions,
  { routePath, streams }: LocalServerOptions,
  connections: Connections,
  common: Pick<Listeners, "connectionCount" | "sweep" | "onSwap">,
): Promise<Listeners> {
  const { stdio } = config;
  if (stdio === undefined) throw new Error("stdio.token is not configured: a local server needs a token");
  const token = createTokenSource(stdio.token, (reason) => logger.error("token refused", { reason }));
  const local: StdioConnection = await connections.local(streams, routePath, token);
  return {
    ...common,
    host: "",
    port: 0,
    ended: local.ended,
    tlsStatus: () => undefined,
    reloadTls: () => Promise.resolve(undefined),
    close: async (graceMs) => {
      await connections.drain(graceMs);
      // What was written is to leave the process, though not for ever.
      await Promise.race([local.ended, setTimeout(graceMs, undefined, { ref: false })]);
    },
  };
}

/** WebSockets and event streams end first, so that the port is free of them when it is closed. */
async function closeAll(connections: Connections, listener: HttpListener, graceMs: number): Promise<void> {
  const drained = connections.drain(graceMs);
  await Promise.all([drained, listener.close(graceMs)]);
}

function watchCertificate(
  tls: TlsMaterial | undefined,
  { logger, metrics }: ListenersOptions,
): { readonly reload: () => Promise<TlsReload | undefined>; readonly stop: () => void } {
  if (tls === undefined) return { reload: () => Promise.resolve(undefined), stop: () => undefined };
  const report = (outcome: TlsReload): TlsReload => {
    if (outcome.kind === "unchanged") return outcome;
    metrics.certificate(outcome.kind);
    if (outcome.kind === "activated") logger.info("certificate", { ...tls.status() });
    else logger.error("certificate refused; the former one stays", { reason: outcome.reason });
    return outcome;
  };
  const { expiresAt } = tls.status();
  logger.info("certificate", { expiresAt });
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void tls
      .reloadIfChanged()
      .then(report)
      .finally(() => (isBusy = false));
  }, CERTIFICATE_POLL_MS);
  timer.unref();
  return { reload: async () => report(await tls.reload()), stop: () => clearInterval(timer) };
}

function warnOfPlainText(host: string, logger: Logger): void {
  if (host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/u.test(host)) return;
  logger.warn("listening without TLS beyond this machine: tokens are readable on the way", { host });
}
