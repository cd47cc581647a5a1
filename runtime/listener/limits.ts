// Caps of a listener. Times are milliseconds, sizes bytes.

export interface ListenerLimits {
  /** Request line and headers. */
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
  /**
   * From the opening of a connection to the end of its first headers. Later ones have half as long again, from their first
   * byte. Where thousands are late together, ending them takes up to a few seconds more.
   */
  readonly headersTimeoutMs: number;
  /** How often first requests are looked for that are late. */
  readonly firstRequestCheckMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How often bodies and later headers are looked at: each time costs 0.2 µs for every connection. */
  readonly connectionsCheckMs: number;
  /** Idle time before a kept-alive connection is closed. */
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** What is read and thrown away of a body that nobody wants, before the connection is cut. */
  readonly maxDiscardedBytes: number;
  /** Unread bytes of one stream. */
  readonly maxStreamBufferBytes: number;
  /** Cut are a stream whose unread bytes stay over the cap for this long, and an answer of which nothing was taken in it. */
  readonly streamStallMs: number;
  readonly streamKeepAliveMs: number;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  maxHeaderBytes: 16_384,
  maxHeaderCount: 100,
  headersTimeoutMs: 10_000,
  firstRequestCheckMs: 100,
  requestTimeoutMs: 30_000,
  connectionsCheckMs: 1_000,
  keepAliveMs: 65_000,
  maxConnections: 10_000,
  maxConnectionsPerAddress: 1_024,
  maxDiscardedBytes: 1_048_576,
  maxStreamBufferBytes: 262_144,
  streamStallMs: 30_000,
  streamKeepAliveMs: 15_000,
};
