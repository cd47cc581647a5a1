// From a registry entry to an upstream: the one place that knows which transports exist.
import { AegisError } from "#errors";
import type { Era, RemoteTransport, ServerId, TransportEntry } from "#bundle";
import { systemClock } from "#std";
import { credentialHeaders } from "./credential.ts";
import { createEgressGuard } from "./egress.ts";
import type { EgressGuard, EgressRules } from "./egress.ts";
import { createHttpPools } from "./http-pools.ts";
import { createHttpUpstream } from "./http-upstream.ts";
import type { LargeMessages } from "./large-message.ts";
import { createProcessBudget, processWire } from "./process-wire.ts";
import type { ProcessBudget } from "./process-wire.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { sseWire } from "./sse-wire.ts";
import type { ProgramEntry } from "./stdio-process.ts";
import type { UpstreamEvents } from "./upstream.ts";
import { webSocketWire } from "./websocket-wire.ts";
import { createWireUpstream } from "./wire-upstream.ts";
import type { Patience } from "./wire-liveness.ts";
import type { WireUpstreamOptions } from "./wire-upstream.ts";

export interface UpstreamTarget {
  readonly id: ServerId;
  /** Only the keys matter: which eras the server was pinned in. A `ServerEntry` fits. */
  readonly eras: Readonly<Partial<Record<Era, unknown>>>;
}

export interface UpstreamFactoryOptions {
  /** Logical program name to executable, from process configuration. */
  readonly programs: ReadonlyMap<string, ProgramEntry>;
  /** Logical credential name to secret, from process configuration; absent = none. */
  readonly credentials?: ReadonlyMap<string, string>;
  readonly events: UpstreamEvents;
  /** Text that a stdio server wrote to stderr. Untrusted. */
  readonly onStderr?: (server: ServerId, text: string) => void;
  /** Which addresses may be connected to; absent = any. */
  readonly egress?: EgressRules | undefined;
  readonly monotonicMs?: () => number;
  /** How long a connection or process that modern callers share stays open without a request; default 5 minutes. */
  readonly idleMs?: number;
  /** With a server behind a wire that says nothing; default `UPSTREAM_CAPS.patience`. */
  readonly patience?: Patience;
  readonly budget?: ProcessBudget;
  /** Reads large answers; absent = all are parsed on this thread. */
  readonly largeMessages?: LargeMessages;
}

export type UpstreamFactory = (target: UpstreamTarget, transport: TransportEntry) => ServerUpstream;

type Shared = Omit<WireUpstreamOptions, "open" | "dispose">;

function erasOf(target: UpstreamTarget): Era[] {
  return (["legacy", "modern"] as const).filter((era) => target.eras[era] !== undefined);
}

function httpUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`not an http URL: ${text}`);
  return url;
}

function remoteUpstream(
  shared: Shared,
  transport: RemoteTransport,
  credentials: ReadonlyMap<string, string>,
  guard: EgressGuard | undefined,
): ServerUpstream {
  const headers = credentialHeaders(transport, credentials);
  if (transport.type === "websocket")
    return createWireUpstream({ ...shared, open: webSocketWire(transport.url, headers, guard) });
  const url = httpUrl(transport.url);
  const pools = createHttpPools(url.origin, headers, guard);
  if (transport.type === "sse")
    return createWireUpstream({ ...shared, open: sseWire(url, pools), dispose: pools.destroy });
  const { server, eras, events } = shared;
  return createHttpUpstream({ server, eras, events, url, pools, largeMessages: shared.largeMessages });
}

/**
 * Makes the factory of one gateway: all stdio upstreams it creates share one process budget.
 * The factory throws {AegisError} UPSTREAM_UNAVAILABLE for a program or a credential that process configuration does not
 * map, and TypeError for a URL of another scheme. Nothing is connected or started before the first use.
 */
export function createUpstreamFactory(options: UpstreamFactoryOptions): UpstreamFactory {
  const budget = options.budget ?? createProcessBudget();
  const { events, programs } = options;
  const guard = options.egress === undefined ? undefined : createEgressGuard(options.egress);
  const monotonicMs = options.monotonicMs ?? systemClock.monotonicMs;
  return (target, transport) => {
    const { largeMessages } = options;
    const shared = {
      ...{ server: target.id, eras: erasOf(target), events, monotonicMs, largeMessages },
      ...{ idleMs: options.idleMs, patience: options.patience },
    };
    switch (transport.type) {
      case "streamable-http":
      case "sse":
      case "websocket":
        return remoteUpstream(shared, transport, options.credentials ?? new Map(), guard);
      case "stdio": {
        const program = programs.get(transport.program);
        if (program === undefined) {
          throw new AegisError(
            "UPSTREAM_UNAVAILABLE",
            `no executable is configured for program ${JSON.stringify(transport.program)}`,
          );
        }
        const { args } = transport;
        const onStderr = (text: string): void => options.onStderr?.(target.id, text);
        return createWireUpstream({ ...shared, open: processWire({ program, args, budget, onStderr }) });
      }
      default:
        throw new AegisError("UPSTREAM_UNAVAILABLE", "unknown transport type");
    }
  };
}
