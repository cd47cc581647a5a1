// What the pipeline asks of an upstream MCP server, whatever its transport and era.
import type { Era, ServerId } from "#bundle";
import type { RequestId } from "#mcp";
import type { JsonObject, JsonValue } from "#std";

/**
 * Which conversation a message belongs to. A modern conversation is stateless and shared by all callers. A legacy one
 * is a session of its own for each downstream session, and for stdio a process of its own.
 */
export type ChannelKey =
  | { readonly era: "modern" }
  | {
      readonly era: "legacy";
      readonly session: string;
      readonly protocolVersion: string;
      /** What `initialize` declares when the channel is opened; absent = the gateway itself, with no capability. */
      readonly client?: DeclaredClient;
    };

export type LegacyChannelKey = Extract<ChannelKey, { readonly era: "legacy" }>;

/** A client as an upstream is told of it. */
export interface DeclaredClient {
  /** Already narrowed to what the gateway governs for this caller: they are the only basis for what a server may ask. */
  readonly capabilities: JsonObject;
  /** The client's own words, unauthenticated; absent = the gateway's. */
  readonly info?: JsonObject | undefined;
  /** The gateway itself, where it reads what the server shows: there is nobody to ask, so every ask is refused at once. */
  readonly isReader?: true;
}

export interface OutboundRequest {
  readonly method: string;
  /** Forwarded as given, but for `id` and `_meta.progressToken`, which the upstream layer replaces and maps back. */
  readonly params: JsonObject | undefined;
  /** Modern HTTP only: `Mcp-Param-*` headers of this message, by header name without the prefix. */
  readonly paramHeaders: Readonly<Record<string, JsonValue>>;
  /** The caller's own id: given for `subscriptions/listen`, it is what subscription ids are mapped back to. */
  readonly callerId?: RequestId;
}

export type UpstreamReply =
  | { readonly kind: "result"; readonly result: JsonObject }
  | {
      readonly kind: "error";
      readonly error: { readonly code: number; readonly message: string; readonly data?: JsonValue };
    };

/** Called for messages the upstream sends while a request is under way. Must not throw. */
export interface ExchangeObserver {
  /** A notification that belongs to this request; its progressToken is the caller's again. */
  readonly onNotification: (notification: JsonObject) => void;
  /**
   * A server-initiated request (legacy). The answer is sent upstream as it stands, without the id. `withdrawn` aborts
   * where the server takes its request back or the channel is gone.
   */
  readonly onServerRequest: (request: JsonObject, withdrawn: AbortSignal) => Promise<UpstreamReply>;
  /**
   * What to wait for before more is handed on, where the caller reads slowly; undefined = nothing. A server that has a
   * stream for the request is then read no further; on a shared connection nobody is made to wait for another.
   */
  readonly pressure?: (() => Promise<void> | undefined) | undefined;
  /**
   * The server ended the request's stream before its answer and is polled after the delay (MCP 2025-11-25, Streamable
   * HTTP: sending messages to the server).
   */
  readonly onPolled?: ((delayMs: number) => void) | undefined;
  /** A large message is in and is being read, on a stream of the request's own: from now on it is not the server that is slow. */
  readonly onReceived?: (() => void) | undefined;
}

/** Events of a channel that belong to no request. Must not throw. */
export interface UpstreamEvents {
  /**
   * Legacy: every notification that belongs to no request, and every `list_changed` and `resources/updated` whatever
   * stream it came on. Modern: `list_changed` and `resources/updated` as well, for whoever keeps pins fresh; the
   * subscriber gets them through its own observer.
   */
  readonly onNotification: (server: ServerId, channel: ChannelKey, notification: JsonObject) => void;
  readonly onServerRequest: (
    server: ServerId,
    channel: ChannelKey,
    request: JsonObject,
    withdrawn: AbortSignal,
  ) => Promise<UpstreamReply>;
  /** The channel is gone (process exit, session ended by the server). */
  readonly onClosed: (server: ServerId, channel: ChannelKey, reason: string) => void;
  /** Something a peer must not do and that was dropped: unknown id, second answer, malformed message. */
  readonly onProtocolViolation: (server: ServerId, detail: string) => void;
}

export interface RequestLimits {
  readonly maxResponseBytes: number;
  /**
   * Called, before the reply settles, with an answer that was not parsed because it is large: the whole message, known
   * to be well-formed. Of the reply only the kind and an error's code are then meaningful. Absent = everything is parsed.
   */
  readonly onLarge?: (message: Uint8Array) => void;
}

export interface Upstream {
  readonly server: ServerId;
  /**
   * Sends one request, opening the channel where needed, and settles exactly once.
   * Aborting `signal` cancels upstream (stream close or `notifications/cancelled`) and rejects.
   * @throws {AegisError} UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT, UPSTREAM_PROTOCOL, RESULT_TOO_LARGE, EXCHANGE_ABORTED
   */
  readonly request: (
    channel: ChannelKey,
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ) => Promise<UpstreamReply>;
  /** Sends a client notification such as `notifications/roots/list_changed` on an open channel; no-op where closed. */
  readonly notify: (channel: ChannelKey, notification: JsonObject, signal: AbortSignal) => Promise<void>;
  /** Ends a legacy channel (DELETE, process stop). */
  readonly release: (channel: ChannelKey) => Promise<void>;
  readonly close: () => Promise<void>;
  /** For /status. */
  readonly describe: () => {
    readonly server: ServerId;
    readonly eras: readonly Era[];
    readonly openChannels: number;
  };
}
