// The one way back to the caller: exactly one final message, and before it any number of notifications on a stream
// that is opened only when the first of them arrives.
import type { Era } from "#bundle";
import { AegisError } from "#errors";
import type { RequestId } from "#mcp";
import type { HttpReply, SseStream } from "../listener/inbound.ts";
import { SSE_HEADERS, eventOf } from "../listener/sse-stream.ts";

/** What is known of the message being answered, as soon as it is known: even a refusal must carry its id. */
export interface ReplyAddress {
  readonly id: RequestId | null;
  readonly era: Era | undefined;
  readonly method: string | undefined;
  /** False for notifications and posted responses. */
  readonly expectsAnswer: boolean;
}

export interface StreamedReply {
  readonly openAfterMs?: number | undefined;
  readonly answersAsEvent?: boolean | undefined;
}

export class ReplyChannel {
  readonly #http: HttpReply;
  readonly #acceptsStream: () => boolean;
  #stream: SseStream | undefined;
  #finished = false;
  #wrap: ((connection: SseStream) => SseStream) | undefined;
  #answersAsEvent = false;
  #openTimer: NodeJS.Timeout | undefined;
  #ended: AbortController | undefined;
  #address: ReplyAddress = { id: null, era: undefined, method: undefined, expectsAnswer: true };

  /** @param acceptsStream asked only where there is something to stream. */
  constructor(http: HttpReply, acceptsStream: () => boolean) {
    this.#http = http;
    this.#acceptsStream = acceptsStream;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Aborts just before the final message is sent: what still waits on behalf of the exchange has nobody to wait for. */
  get ended(): AbortSignal {
    this.#ended ??= new AbortController();
    if (this.#finished) this.#end();
    return this.#ended.signal;
  }

  #end(): void {
    this.#ended?.abort(new AegisError("EXCHANGE_ABORTED", "the exchange is over"));
  }

  /** True where a status tells the caller nothing: only messages go back. */
  get messagesOnly(): boolean {
    return this.#http.messagesOnly === true;
  }

  get address(): ReplyAddress {
    return this.#address;
  }

  addressTo(address: ReplyAddress): void {
    this.#address = address;
  }

  /**
   * Streams of this reply are what `wrap` makes of their connection. With `openAfterMs` the stream is opened after that
   * time although there is nothing to send yet: a client whose connection breaks can come back only where it has seen an
   * event id. With `answersAsEvent` an answer that nothing precedes is an event too, where the client takes one.
   */
  streamThrough(
    wrap: (connection: SseStream) => SseStream,
    { openAfterMs, answersAsEvent = false }: StreamedReply = {},
  ): void {
    this.#wrap = wrap;
    this.#answersAsEvent = answersAsEvent;
    if (openAfterMs === undefined) return;
    this.#openTimer = setTimeout(() => this.#open(), openAfterMs);
    this.#openTimer.unref();
  }

  /** The exchange's own stream, opened where it is not; undefined where the caller cannot receive one. */
  #open(): SseStream | undefined {
    if (this.#finished) return undefined;
    if (this.#stream !== undefined) return this.#stream;
    if (!this.#acceptsStream()) return undefined;
    clearTimeout(this.#openTimer);
    const connection = this.#http.openStream();
    this.#stream = this.#wrap?.(connection) ?? connection;
    return this.#stream;
  }

  /** Resolves once `notify` would be accepted; undefined where it would be now. */
  drained(signal: AbortSignal): Promise<void> | undefined {
    return this.#stream?.isFull?.() === true ? this.#stream.drained(signal) : undefined;
  }

  /** Ends the connection of a stream that outlives it: the client is to come back for the answer after the delay. */
  letGo(delayMs: number): void {
    if (this.#wrap !== undefined) this.#open()?.letGo?.(delayMs);
  }

  /** Sends a notification on the exchange's own stream. False where the caller cannot receive one or the answer has gone. */
  notify(json: string): boolean {
    return this.#open()?.send(json) ?? false;
  }

  /** Sends the final message; later calls do nothing and return false. */
  finish(
    status: number,
    json: string | Uint8Array | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): boolean {
    if (this.#finished) return false;
    this.#end();
    this.#finished = true;
    clearTimeout(this.#openTimer);
    if (this.#stream !== undefined) {
      this.#stream.end(json);
      return true;
    }
    if (json === undefined) this.#http.empty(status, headers);
    else if (this.#answersAsEvent && status === 200 && !this.messagesOnly && this.#acceptsStream())
      this.#http.json(status, eventOf(json), { ...headers, ...SSE_HEADERS });
    else this.#http.json(status, json, headers);
    return true;
  }

  /** Hands the response over to a long-lived stream; the exchange ends without a message. */
  takeOver(headers: Readonly<Record<string, string>> = {}, opening?: string): SseStream | undefined {
    if (this.#finished || this.#stream !== undefined) return undefined;
    this.#end();
    this.#finished = true;
    clearTimeout(this.#openTimer);
    return this.#http.openStream(headers, opening);
  }
}
