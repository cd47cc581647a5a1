// One connection that carries the messages of a whole channel, whatever it is made of: the pipes of a process, a
// WebSocket, or the event stream and the POSTs of HTTP+SSE.

export interface WireEvents {
  /** One JSON-RPC message, not yet parsed. */
  readonly onMessage: (message: Uint8Array | string) => void;
  /** The peer sent something larger than the transport's cap; the wire is being closed. */
  readonly onOversized: () => void;
  /** The peer broke the rules of the transport. */
  readonly onViolation: (detail: string) => void;
  /** Called once, whatever the reason, also where the connection could not be made. */
  readonly onClosed: (reason: string) => void;
}

export interface Wire {
  /** Settles when messages can be sent. Rejects with an UpstreamFault where the connection could not be made. */
  readonly opened: Promise<void>;
  /**
   * Sends one message. Resolves when the transport took it; rejects with an UpstreamFault UPSTREAM_UNAVAILABLE where it
   * did not.
   */
  readonly send: (text: string) => Promise<void>;
  /** Resolves when the connection is gone. */
  readonly stop: () => Promise<void>;
}

/** Opens a wire. @throws {UpstreamFault} UPSTREAM_UNAVAILABLE, unsent, where none may be opened now. */
export type OpenWire = (events: WireEvents) => Wire;
