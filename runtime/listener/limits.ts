// Caps of a listener. Times are milliseconds, sizes bytes.

export interface ListenerLimits {
  /** Request line and headers. */
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How often the two above are enforced. */
  readonly connectionsCheckMs: number;
  /** Idle time before a kept-alive connection is closed. */
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** What is read and thrown away of a body that nobody wants, before the connection is cut. */
  readonly maxDiscardedBytes: number;
  /** Unread bytes of one stream. */
  readonly maxStreamBufferBytes: number;
  /** A stream whose unread bytes stay over the cap for this long is cut. */
  readonly streamStallMs: number;
  readonly streamKeepAliveMs: number;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  maxHeaderBytes: 16_384,
  maxHeaderCount: 100,
  headersTimeoutMs: 10_000,
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
