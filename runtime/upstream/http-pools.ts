// Connections to the origin of one upstream. The credential is added here, to every request and to nothing else:
// redirects are refused, so it never reaches another origin.
import { Pool } from "undici";
import type { Dispatcher } from "undici";
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

/** @param headers flat name, value list that every request carries. */
export function createHttpPools(origin: string, headers: readonly string[]): HttpPools {
  const connection = {
    pipelining: 1,
    connect: { timeout: UPSTREAM_CAPS.connectTimeoutMs },
    keepAliveTimeout: UPSTREAM_CAPS.keepAliveTimeoutMs,
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
