// Caps of connections that carry many messages. Times are milliseconds, sizes bytes.

export interface ConnectionLimits {
  /** Of the process. */
  readonly maxConnections: number;
  readonly maxConnectionsPerPrincipal: number;
  /** Requests of one connection under way; more are refused. */
  readonly maxInFlight: number;
  /** Messages of one connection that were received and not read yet; then the connection is not read for a while. */
  readonly maxUnread: number;
  /** One incoming message. */
  readonly maxMessageBytes: number;
  /** Outgoing bytes that the client has not taken; above, notifications wait or are dropped. */
  readonly maxBufferedBytes: number;
  /** A connection that stays above for this long is cut. */
  readonly stallMs: number;
  /** Time between two signs of life; a WebSocket that has not answered the last one is cut. */
  readonly keepAliveMs: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  maxConnections: 4_096,
  maxConnectionsPerPrincipal: 16,
  maxInFlight: 64,
  maxUnread: 64,
  maxMessageBytes: 1_048_576,
  maxBufferedBytes: 262_144,
  stallMs: 30_000,
  keepAliveMs: 15_000,
};
