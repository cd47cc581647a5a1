// Connections to the origin of one upstream. The credential is added here, to every request and to nothing else:
// redirects are refused, so it never reaches another origin.
import { Pool, buildConnector } from "undici";
import type { Dispatcher } from "undici";
import type { EgressGuard } from "./egress.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";

export interface HttpPools {
  /** For exchanges that end. */
  readonly calls: Dispatcher;
  /** For streams that stay: a stream must not use up a call's connection. */
  readonly streams: Dispatcher;
  readonly destroy: () => Promise<void>;
}

function withHeaders(pool: Pool, headers: readonly string[]): Dispatcher {
  if (headers.length === 0) return pool;
  return pool.compose((dispatch) => (options, handler) => {
    const own = Array.isArray(options.headers) ? (options.headers as readonly string[]) : [];
    return dispatch({ ...options, headers: [...own, ...headers] }, handler);
  });
}

/** Names are resolved by the guard, which is asked about addresses as well: those are never resolved. */
function connectorOf(guard: EgressGuard | undefined): buildConnector.connector {
  const timeout = UPSTREAM_CAPS.connectTimeoutMs;
  if (guard === undefined) return buildConnector({ timeout });
  const connect = buildConnector({ timeout, lookup: guard.lookup });
  return (options, callback) => {
    try {
      guard.requireLiteral(options.hostname);
    } catch (fault) {
      callback(fault as Error, null);
      return;
    }
    connect(options, callback);
  };
}

/** @param headers flat name, value list that every request carries. @param guard absent = any address is reached. */
export function createHttpPools(origin: string, headers: readonly string[], guard?: EgressGuard): HttpPools {
  const connection = {
    pipelining: 1,
    connect: connectorOf(guard),
    keepAliveTimeout: UPSTREAM_CAPS.keepAliveTimeoutMs,
    // What a server proposes must not keep the socket of one that nobody calls.
    keepAliveMaxTimeout: UPSTREAM_CAPS.keepAliveTimeoutMs,
  };
  const calls = new Pool(origin, { ...connection, connections: UPSTREAM_CAPS.maxConnectionsPerOrigin });
  const streams = new Pool(origin, { ...connection, connections: UPSTREAM_CAPS.maxStreamsPerUpstream });
  return {
    calls: withHeaders(calls, headers),
    streams: withHeaders(streams, headers),
    destroy: async () => {
      await Promise.all([calls.destroy(), streams.destroy()]);
    },
  };
}
