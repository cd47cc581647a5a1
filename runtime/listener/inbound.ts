// What the listener hands over for each HTTP request, and the one way to answer it.
import type { ClientMessage, HeaderView, RequestId } from "#mcp";

/** How a message reached the gateway. Only `http` mirrors parts of a message in headers. */
export type InboundTransport = "http" | "sse" | "websocket" | "stdio";

/** One message with where it came from. A message on a shared connection is given the headers of that connection. */
export interface InboundHttp {
  readonly transport: InboundTransport;
  readonly method: string;
  /** Request target exactly as received; may hold secrets in its query, so it is never logged. */
  readonly rawTarget: string;
  /** `rawTarget` up to the query. Compared as it stands: not decoded, not normalised. */
  readonly path: string;
  readonly httpVersion: string;
  readonly headers: HeaderView;
  /** The client's address; behind trusted proxies the one they name. Empty where it is not known. */
  readonly remoteAddress: string;
  /**
   * Reads the whole body, once.
   * @throws {AegisError} MESSAGE_TOO_LARGE, EXCHANGE_ABORTED (client gone, or `signal` without an AegisError as reason)
   */
  readonly readBody: (maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
  /** Told once when the client goes away before the response has ended; at once where it has. Must not throw. */
  readonly onClosed: (listener: () => void) => void;
  /** The same as a signal, which costs more. */
  readonly closed: AbortSignal;
  readonly reply: HttpReply;
  /** Present on a connection that carries many messages. */
  readonly shared?: SharedMessage;
}

/** What a message has to do with the others on its connection. */
export interface SharedMessage {
  /**
   * Told once, when the message has been read: from then on `cancel` ends it and its answer goes to the connection.
   * @throws {AegisError} MESSAGE_INVALID where its id is in use on the connection, OVERLOADED
   */
  readonly admitted: (message: ClientMessage, cancel: () => void) => void;
  /** Ends the request with this id, if one is under way on the connection; nothing more is sent for it. */
  readonly cancelRequest: (id: RequestId) => void;
  /** The id of a request that was refused before it was read: its answer must carry it. */
  readonly readId: () => RequestId | undefined;
  /** True for a notification that was refused before it was read: nothing may be sent for it. */
  readonly isNotification: () => boolean;
}

export type ResponseHeaders = Readonly<Record<string, string>>;

/** Exactly one of the three may be called, once; a second call is a bug and throws. Nothing is sent to a client that has gone. */
export interface HttpReply {
  /** `content-type` is application/json unless `headers` says otherwise. */
  readonly json: (status: number, body: string | Uint8Array, headers?: ResponseHeaders) => void;
  readonly empty: (status: number, headers?: ResponseHeaders) => void;
  /** 200 `text/event-stream`. `opening` is sent first, as it stands: whole events of the stream's own. */
  readonly openStream: (headers?: ResponseHeaders, opening?: string) => SseStream;
  readonly committed: boolean;
  /** True where only messages go back and no response: a status tells the client nothing, every request needs a message. */
  readonly messagesOnly?: boolean;
}

/** Server-sent events: one JSON-RPC message in one `data:` line each. */
export interface SseStream {
  /**
   * Queues one message. False where it was not queued: the stream has ended, or the client leaves more than the
   * buffer cap unread. A client that does not catch up within the stall time is cut. An event id is written where the
   * connection has events.
   */
  readonly send: (json: string, eventId?: string) => boolean;
  /** A keep-alive comment; skipped while earlier data is unread. */
  readonly comment: () => void;
  /** Resolves once `send` would be accepted, or at once where the stream has ended. Rejects when `signal` aborts. */
  readonly drained: (signal: AbortSignal) => Promise<void>;
  /**
   * Ends the stream, after `finalJson` where given: the answer itself is queued even to a reader that is behind. Bytes
   * are one line already.
   */
  readonly end: (finalJson?: string | Uint8Array, eventId?: string) => void;
  /** An event without a message: a position to resume from, and how long to wait before. Absent where there are no events. */
  readonly mark?: (position: EventMark) => void;
  /** Ends the connection alone, where the stream outlives it and its client knows how to come back; absent elsewhere. */
  readonly letGo?: (retryMs: number) => void;
  /** Whether the client leaves more than the buffer cap unread; absent where that is not known. */
  readonly isFull?: () => boolean;
  /** Aborts when the stream has ended, whoever ended it. */
  readonly closed: AbortSignal;
}

export interface EventMark {
  readonly id?: string;
  /** `retry` of server-sent events, in milliseconds. */
  readonly retryMs?: number;
}
