// A connection that carries many messages, whatever its wire: each incoming message becomes one exchange, and what the
// gateway sends goes out as plain messages. It knows no policy; every message is authenticated and decided on its own.
import { AegisError } from "#errors";
import { encodeErrorReply } from "#mcp";
import type { ClientMessage, RequestId } from "#mcp";
import type { InboundHttp, InboundTransport, ResponseHeaders, SseStream } from "../inbound.ts";
import type { ConnectionLimits } from "./limits.ts";
import { textOf } from "./message-stream.ts";
import { ConnectionMessage, receivedMessage } from "./shared-message.ts";
import type { MessageHome, MessageSource, OwnResponse } from "./shared-message.ts";

/** The legacy session that a connection opened. */
export interface ConnectionSessions {
  /** Messages that belong to no request go to `stream` from now on. False where there is no such session. */
  readonly attach: (sessionId: string, stream: SseStream) => boolean;
  /** Stops sending there; the session goes on. */
  readonly detach: (sessionId: string, stream: SseStream) => void;
  readonly end: (sessionId: string) => void;
  readonly isOpen: (sessionId: string) => boolean;
}

export interface ConnectionOptions {
  readonly transport: InboundTransport;
  readonly routePath: string;
  readonly remoteAddress: string;
  readonly out: SseStream;
  readonly limits: ConnectionLimits;
  readonly sessions: ConnectionSessions;
  /** Answers a message through its reply. */
  readonly handle: (inbound: InboundHttp) => Promise<void>;
  /** Headers that stand for every message: name, value, name, value. */
  readonly headers: () => readonly string[];
  /** Stops and starts reading from the wire; absent where every message comes by itself. */
  readonly flow?: { readonly pause: () => void; readonly resume: () => void };
  /** Told after the answer to a message that was not authenticated. */
  readonly onUnauthenticated?: () => void;
  /** Told that the session was ended by the gateway, or goes on without this connection because its token has expired. */
  readonly onSessionEnd: (goesOn: boolean) => void;
  readonly onFault: (fault: unknown) => void;
}

const SESSION_HEADER = "mcp-session-id";
/** What names the opening of a session; anything that looks like it only makes the next message wait. */
const OPENING = Buffer.from('"initialize"');

export class MessageConnection {
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  readonly #inFlight = new Map<RequestId, ConnectionMessage>();
  readonly #active = new Set<ConnectionMessage>();
  readonly #queue: Uint8Array[] = [];
  readonly #idle = new Set<() => void>();
  readonly #home: MessageHome;
  #session: { readonly id: string; readonly stream: SseStream } | undefined;
  /** The message that opens a session: the next ones need its id. */
  #opening: ConnectionMessage | undefined;
  /** Messages that are not read yet, and those under way that no cap of requests counts. */
  #unread = 0;
  /** Exchanges under way. A stream that one of them left open is none. */
  #running = 0;
  /** Answers that wait for a client that is behind. */
  #waiting = 0;
  #isPaused = false;
  #isDraining = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#home = {
      transport: options.transport,
      routePath: options.routePath,
      remoteAddress: options.remoteAddress,
      closed: this.#closing.signal,
      sendFinal: (message) => this.#sendFinal(message),
      send: (json) => options.out.send(json),
      drained: (signal) => options.out.drained(signal),
      begin: (message, read) => this.#begin(message, read),
      cancel: (id) => this.#cancel(id),
      finished: (message) => this.#finished(message),
      answered: (status, headers) => this.#answered(status, headers),
    };
    if (options.out.closed.aborted) this.close();
    else options.out.closed.addEventListener("abort", () => this.close(), { once: true });
  }

  /** Aborts when the connection has closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Takes one incoming message. */
  receive(bytes: Uint8Array): void {
    if (this.#closing.signal.aborted || this.#isDraining) return;
    if (this.#opening !== undefined || this.#queue.length > 0) this.#queue.push(bytes);
    else this.#start(bytes);
    this.#regulate();
  }

  /** Takes a message that was too long to be kept: it is refused and recorded like any other. */
  receiveTooLong(): void {
    if (this.#closing.signal.aborted || this.#isDraining) return;
    const { limits } = this.#options;
    const readBody = (): Promise<never> =>
      Promise.reject(new AegisError("MESSAGE_TOO_LARGE", `more than ${limits.maxMessageBytes} bytes`));
    const headers = [...this.#options.headers(), ...this.#sessionHeader()];
    void this.#run(new ConnectionMessage(this.#home, { headers, readBody }));
    this.#regulate();
  }

  /** Takes one incoming message that came by a request of its own; resolves when it has been answered. */
  post(
    source: Omit<MessageSource, "headers">,
    response: OwnResponse,
    headers: readonly string[],
  ): Promise<void> {
    const named = [...headers, ...this.#sessionHeader()];
    return this.#run(new ConnectionMessage(this.#home, { ...source, headers: named, response }));
  }

  /** Takes no more messages; resolves when those that came are answered, or the connection has closed. */
  drain(): Promise<void> {
    this.#isDraining = true;
    return this.whenIdle();
  }

  /**
   * Resolves when no message waits or is under way and every answer has been written, or the connection has closed. A
   * subscription that is open is not waited for.
   */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isIdle() || this.#closing.signal.aborted) resolve();
      else this.#idle.add(resolve);
    });
  }

  /** Ends what the connection began: its session, and its requests of the modern era. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new AegisError("EXCHANGE_ABORTED", "the connection has closed"));
    this.#queue.length = 0;
    for (const message of [...this.#active]) message.connectionClosed();
    this.#active.clear();
    this.#inFlight.clear();
    this.#leaveSession();
    for (const resolve of [...this.#idle]) resolve();
    this.#options.out.end();
  }

  #start(bytes: Uint8Array): void {
    const headers = [...this.#options.headers(), ...this.#sessionHeader()];
    const message = new ConnectionMessage(this.#home, receivedMessage(bytes, headers));
    if (
      this.#session === undefined &&
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(OPENING)
    )
      this.#opening = message;
    void this.#run(message);
  }

  #sessionHeader(): readonly string[] {
    const session = this.#session;
    if (session === undefined) return [];
    // The stream was ended for a token that has been renewed since.
    if (session.stream.closed.aborted) this.#attach(session.id);
    return [SESSION_HEADER, session.id];
  }

  async #run(message: ConnectionMessage): Promise<void> {
    this.#active.add(message);
    this.#unread += 1;
    this.#running += 1;
    try {
      await this.#options.handle(message);
      if (!message.committed) this.#options.onFault(new Error("handler returned without an answer"));
    } catch (fault) {
      this.#options.onFault(fault);
    }
    if (!message.committed) {
      const { status, body } = encodeErrorReply("STAGE_FAULT", message.readId());
      message.json(status, body);
    }
    this.#running -= 1;
    this.#tellIdle();
  }

  #begin(message: ConnectionMessage, read: ClientMessage): void {
    if (read.kind === "request") {
      if (this.#inFlight.has(read.id))
        throw new AegisError("MESSAGE_INVALID", "request id is already in use on this connection");
      // An answer that waits for its reader is held in memory like a request that is under way.
      if (this.#inFlight.size + this.#waiting >= this.#options.limits.maxInFlight)
        throw new AegisError("OVERLOADED", `${this.#inFlight.size} requests of one connection under way`);
      this.#inFlight.set(read.id, message);
    }
    if (!message.isAdmitted && read.kind === "request") this.#unread -= 1;
    if (this.#opening === message && !(read.kind === "request" && read.method === "initialize"))
      this.#opened();
    this.#regulate();
  }

  #cancel(id: RequestId): void {
    const message = this.#inFlight.get(id);
    message?.silence();
    message?.cancel?.();
  }

  #finished(message: ConnectionMessage): void {
    if (!this.#active.delete(message)) return;
    if (message.id === undefined) this.#unread -= 1;
    if (message.id !== undefined && this.#inFlight.get(message.id) === message)
      this.#inFlight.delete(message.id);
    if (this.#opening === message) this.#opened();
    this.#regulate();
  }

  #isIdle(): boolean {
    return this.#running === 0 && this.#waiting === 0 && this.#queue.length === 0;
  }

  #tellIdle(): void {
    if (!this.#isIdle()) return;
    for (const resolve of [...this.#idle]) resolve();
    this.#idle.clear();
  }

  #opened(): void {
    this.#opening = undefined;
    while (this.#opening === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#start(next);
    }
  }

  #regulate(): void {
    const { flow, limits } = this.#options;
    // Whoever does not take answers is not asked for more requests: their answers would pile up.
    const isFull = this.#waiting > 0 || this.#unread + this.#queue.length >= limits.maxUnread;
    if (flow === undefined || isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) flow.pause();
    else flow.resume();
  }

  #answered(status: number, headers: ResponseHeaders): void {
    const id = headers[SESSION_HEADER];
    if (id !== undefined && id !== this.#session?.id) {
      this.#leaveSession();
      if (this.#closing.signal.aborted) this.#options.sessions.end(id);
      else this.#attach(id);
    }
    if (status === 401) setImmediate(() => this.#options.onUnauthenticated?.());
  }

  #attach(id: string): void {
    const ended = new AbortController();
    const { out, sessions } = this.#options;
    const stream: SseStream = {
      send: (json) => !ended.signal.aborted && out.send(json),
      comment: () => undefined,
      ...(out.isFull === undefined ? {} : { isFull: out.isFull }),
      drained: out.drained,
      end: () => {
        if (ended.signal.aborted) return;
        ended.abort();
        sessions.detach(id, stream);
        const isCurrent = this.#session?.id === id && !this.#closing.signal.aborted;
        if (isCurrent && !this.#isDraining) this.#options.onSessionEnd(sessions.isOpen(id));
      },
      closed: ended.signal,
    };
    this.#session = sessions.attach(id, stream) ? { id, stream } : this.#session;
  }

  #leaveSession(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    this.#options.sessions.end(session.id);
  }

  /** An answer is never dropped: it waits for a client that is behind, which the stream cuts in the end. */
  #sendFinal(message: string | Uint8Array): void {
    const { out } = this.#options;
    const text = textOf(message);
    if (out.send(text) || out.closed.aborted) return;
    this.#waiting += 1;
    this.#regulate();
    out.drained(this.#closing.signal).then(
      () => {
        this.#waiting -= 1;
        this.#sendFinal(text);
        this.#regulate();
        this.#tellIdle();
      },
      () => undefined,
    );
  }
}
