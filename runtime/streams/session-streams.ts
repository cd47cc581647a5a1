// The event streams of one legacy session and what of them can be sent again (MCP 2025-11-25, Streamable HTTP:
// resumability). A stream outlives its connection: a message goes to exactly one stream, and a client that comes back
// with the id of the last event it saw gets that stream's tail and goes on with it.
import { randomBytes } from "node:crypto";
import { ERROR_CODES } from "#errors";
import type { RequestId } from "#mcp";
import type { Clock } from "#std";
import type { SseStream } from "../listener/inbound.ts";

/** Bytes kept for all sessions of the process together. */
export interface ReplayBudget {
  readonly maxBytes: number;
  usedBytes: number;
}

export interface ReplayLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export const DEFAULT_REPLAY_LIMITS: ReplayLimits = {
  maxEvents: 1_024,
  maxBytes: 4_194_304,
  maxAgeMs: 300_000,
};

/** Delay that a client is told to wait before it comes back to a stream that the gateway ended. */
export const RECONNECT_DELAY_MS = 1_000;

/** The same where the gateway ended it to have the client ask again: the answer may be there at any moment. */
export const POLL_DELAY_MS = 100;

/** How long a request may be without a stream whose client could resume one. */
const EARLY_STREAM_MS = 1_000;
/** What an event costs beside its text. */
const EVENT_OVERHEAD_BYTES = 96;
const TAG_BYTES = 6;
const EVENT_ID = /^([\w-]{8})\.(\d{1,9})\.(\d{1,12})$/u;
/** The stream of the session's GET; the streams of its requests follow. */
const GENERAL = 0;

interface StoredEvent {
  readonly stream: LogicalStream;
  readonly sequence: number;
  readonly json: string | Uint8Array;
  readonly bytes: number;
  readonly atMs: number;
}

/** One stream, whatever connection carries it at the moment. */
interface LogicalStream {
  readonly number: number;
  lastSequence: number;
  /** Events that can be sent again. */
  stored: number;
  connection: SseStream | undefined;
  /** Set while stored events are sent again: new ones then wait their turn in the buffer. */
  isCatchingUp: boolean;
  /** The answer has been given, or the session has ended. */
  isOver: boolean;
  /** Ends the connection that carries an answer's stream, for its client to come back. */
  poll: NodeJS.Timeout | undefined;
  /** What is kept of an answer that is too large to be kept. */
  readonly tooLarge: string | undefined;
}

/** A reply whose stream can be made to outlive its connection. */
interface ReplyStream {
  readonly address: { readonly id: RequestId | null };
  readonly streamThrough: (
    wrap: (connection: SseStream) => SseStream,
    options: { readonly openAfterMs?: number | undefined; readonly answersAsEvent?: boolean | undefined },
  ) => void;
}

/** How answers to requests of a session are sent over Streamable HTTP. */
export interface AnswerStreams {
  /** `events`: every answer is the event of a stream, as many servers send them; `json`: only where something precedes it. */
  readonly answers: "json" | "events";
  /** Longest that one connection waits for an answer, from 2025-11-25 on; its client then comes back. 0 = as long as it takes. */
  readonly pollAfterMs: number;
}

export interface SessionStreamsOptions {
  readonly budget: ReplayBudget;
  readonly limits: ReplayLimits;
  readonly clock: Clock;
  /** Streams begin with an event that has an id and no data: from 2025-11-25 on; older clients would try to parse it. */
  readonly primes: boolean;
  readonly answerStreams?: AnswerStreams | undefined;
}

export class SessionStreams {
  readonly #options: SessionStreamsOptions;
  /** Names the session in its event ids: an id of another session is unknown here. */
  readonly #tag = randomBytes(TAG_BYTES).toString("base64url");
  readonly #streams = new Map<number, LogicalStream>();
  /** Oldest first. */
  readonly #events = new Set<StoredEvent>();
  readonly #closing = new AbortController();
  #bytes = 0;
  #lastStream = GENERAL;

  constructor(options: SessionStreamsOptions) {
    this.#options = options;
  }

  /** Bytes of what can be sent again. */
  get storedBytes(): number {
    return this.#bytes;
  }

  /**
   * Lets the answer to a request outlive its connection. Where the client understands it, the stream of a slow request
   * is opened early: only a client that has seen an event id can come back.
   */
  carry(reply: ReplyStream): void {
    const { primes, answerStreams, clock } = this.#options;
    const pollAfterMs = this.#pollAfterMs;
    const startedMs = clock.monotonicMs();
    const openAfterMs = pollAfterMs === undefined ? EARLY_STREAM_MS : Math.min(EARLY_STREAM_MS, pollAfterMs);
    reply.streamThrough(
      (connection) =>
        this.openAnswer(connection, { id: reply.address.id, waitedMs: clock.monotonicMs() - startedMs }),
      {
        openAfterMs: primes ? openAfterMs : undefined,
        answersAsEvent: answerStreams?.answers === "events",
      },
    );
  }

  /**
   * A stream for the answer to one request, on the connection on which the request came.
   * @param waitedMs how long the connection has waited already.
   */
  openAnswer(
    connection: SseStream,
    { id = null, waitedMs = 0 }: { readonly id?: RequestId | null; readonly waitedMs?: number } = {},
  ): SseStream {
    const stream = this.#newStream(++this.#lastStream, connection, id);
    this.#pollAfter(stream, waitedMs);
    return this.#asStream(stream, connection.closed, true);
  }

  /**
   * The session's general stream on a connection of its own. Its `closed` and `end` are those of the connection; the
   * stream itself goes on with the next one.
   */
  openGeneral(connection: SseStream): SseStream {
    const known = this.#streams.get(GENERAL);
    if (known === undefined) {
      return this.#asStream(this.#newStream(GENERAL, connection, null), connection.closed, false);
    }
    known.connection = connection;
    // What a former connection did not catch up with is not asked for any more.
    known.isCatchingUp = false;
    this.#prime(known, connection, known.lastSequence);
    return this.#asStream(known, connection.closed, false);
  }

  /** Sends on the general stream, also while it has no connection. False where there never was one. */
  sendGeneral(json: string): boolean {
    const general = this.#streams.get(GENERAL);
    return general !== undefined && this.#send(general, json);
  }

  /** Which stream an event id names; undefined for one that is not of this session or is no longer kept. */
  find(lastEventId: string): "general" | "answer" | undefined {
    const found = this.#lookUp(lastEventId);
    if (found === undefined) return undefined;
    return found.stream.number === GENERAL ? "general" : "answer";
  }

  /**
   * Sends what came after the event and goes on with its stream on this connection; an older connection of the stream
   * is closed. Undefined where `find` would be.
   */
  resume(lastEventId: string, connection: SseStream): SseStream | undefined {
    const found = this.#lookUp(lastEventId);
    if (found === undefined) return undefined;
    const { stream, sequence } = found;
    const former = stream.connection;
    stream.connection = connection;
    if (former !== connection) former?.end();
    stream.isCatchingUp = true;
    // Clients go by the ids of this connection alone: one that saw none of them could not come back another time.
    this.#prime(stream, connection, sequence);
    if (stream.number !== GENERAL) this.#pollAfter(stream, 0);
    void this.#catchUp(stream, connection, sequence);
    return this.#asStream(stream, connection.closed, stream.number !== GENERAL);
  }

  /** Forgets what is too old. */
  sweep(): void {
    const oldestMs = this.#options.clock.nowMs() - this.#options.limits.maxAgeMs;
    for (const event of this.#events) {
      if (event.atMs > oldestMs) break;
      this.#forget(event);
    }
  }

  /** Ends every connection and gives the buffer back. */
  close(): void {
    this.#closing.abort();
    for (const stream of this.#streams.values()) {
      stream.isOver = true;
      clearTimeout(stream.poll);
      stream.connection?.end();
    }
    for (const event of [...this.#events]) this.#forget(event);
    this.#streams.clear();
  }

  #newStream(number: number, connection: SseStream, id: RequestId | null): LogicalStream {
    const stream: LogicalStream = {
      number,
      lastSequence: 0,
      stored: 0,
      connection,
      isCatchingUp: false,
      isOver: false,
      poll: undefined,
      tooLarge: this.#pollAfterMs === undefined || id === null ? undefined : tooLargeToKeep(id),
    };
    if (!this.#closing.signal.aborted) this.#streams.set(number, stream);
    this.#prime(stream, connection, 0);
    return stream;
  }

  #prime(stream: LogicalStream, connection: SseStream, sequence: number): void {
    if (!this.#options.primes) return;
    connection.mark?.({ id: this.#idOf(stream, sequence), retryMs: RECONNECT_DELAY_MS });
  }

  #asStream(stream: LogicalStream, closed: AbortSignal, isAnswer: boolean): SseStream {
    return {
      send: (json) => this.#send(stream, json),
      comment: () => stream.connection?.comment(),
      drained: (signal) => stream.connection?.drained(signal) ?? Promise.resolve(),
      end: (finalJson) => {
        if (isAnswer) return this.#finish(stream, finalJson);
        // The client is to come back with a token that is valid.
        if (this.#options.primes) stream.connection?.mark?.({ retryMs: RECONNECT_DELAY_MS });
        stream.connection?.end(finalJson);
      },
      letGo: (retryMs) => {
        // A client that was given no event id cannot come back.
        if (this.#options.primes) this.#letGo(stream, retryMs);
      },
      isFull: () => stream.connection?.isFull?.() === true,
      closed,
    };
  }

  /** Undefined where connections wait as long as it takes: also where a client could not come back, or for nothing. */
  get #pollAfterMs(): number | undefined {
    const { primes, limits, budget, answerStreams } = this.#options;
    const pollAfterMs = answerStreams?.pollAfterMs ?? 0;
    return primes && pollAfterMs > 0 && Math.min(limits.maxBytes, budget.maxBytes) > EVENT_OVERHEAD_BYTES
      ? pollAfterMs
      : undefined;
  }

  /** What other sessions keep is theirs: beyond half of it all, answers of this one could be lost. */
  #hasRoom(): boolean {
    const { budget } = this.#options;
    return 2 * (budget.usedBytes - this.#bytes) <= budget.maxBytes;
  }

  #pollAfter(stream: LogicalStream, waitedMs: number): void {
    const pollAfterMs = this.#pollAfterMs;
    clearTimeout(stream.poll);
    if (pollAfterMs === undefined || stream.isOver) return;
    stream.poll = setTimeout(
      () => {
        // Whoever still reads what it missed is not sent away for it, nor anybody whose answer might find no room.
        if (stream.isCatchingUp || !this.#hasRoom()) this.#pollAfter(stream, 0);
        else this.#letGo(stream, POLL_DELAY_MS);
      },
      Math.max(0, pollAfterMs - waitedMs),
    );
    stream.poll.unref();
  }

  #letGo(stream: LogicalStream, retryMs: number): void {
    // To a session that has ended nobody can come back.
    if (stream.isOver || stream.isCatchingUp || this.#closing.signal.aborted) return;
    clearTimeout(stream.poll);
    const { connection } = stream;
    stream.connection = undefined;
    connection?.mark?.({ retryMs });
    connection?.end();
  }

  #send(stream: LogicalStream, json: string): boolean {
    if (stream.isOver) return false;
    const { connection } = stream;
    const sequence = stream.lastSequence + 1;
    let wasSent = false;
    if (connection !== undefined && !stream.isCatchingUp) {
      wasSent = connection.send(json, this.#idOf(stream, sequence));
      // A reader that is behind misses the message; a connection that is gone does not.
      if (!wasSent && !connection.closed.aborted) return false;
    }
    stream.lastSequence = sequence;
    const wasStored = this.#store(stream, sequence, json);
    return wasSent || wasStored;
  }

  #finish(stream: LogicalStream, finalJson: string | Uint8Array | undefined): void {
    if (stream.isOver) return;
    stream.isOver = true;
    clearTimeout(stream.poll);
    const sequence = finalJson === undefined ? stream.lastSequence : stream.lastSequence + 1;
    stream.lastSequence = sequence;
    if (finalJson !== undefined && !this.#store(stream, sequence, finalJson) && stream.tooLarge !== undefined)
      this.#store(stream, sequence, stream.tooLarge);
    if (!stream.isCatchingUp) {
      if (finalJson === undefined) stream.connection?.end();
      else stream.connection?.end(finalJson, this.#idOf(stream, sequence));
    }
    this.#forgetIfEmpty(stream);
  }

  async #catchUp(stream: LogicalStream, connection: SseStream, after: number): Promise<void> {
    let sent = after;
    const isCurrent = (): boolean => stream.connection === connection && !connection.closed.aborted;
    try {
      for (let tail = this.#tail(stream, sent); tail.length > 0; tail = this.#tail(stream, sent)) {
        for (const { sequence, json } of tail) {
          const text = typeof json === "string" ? json : Buffer.from(json).toString("utf8");
          while (isCurrent() && !connection.send(text, this.#idOf(stream, sequence)))
            await connection.drained(this.#closing.signal);
          if (!isCurrent()) return;
          sent = sequence;
        }
      }
      stream.isCatchingUp = false;
      if (stream.isOver) connection.end();
    } catch {
      // The session has ended while its reader was behind.
      connection.end();
    }
  }

  #tail(stream: LogicalStream, after: number): readonly StoredEvent[] {
    return [...this.#events].filter((event) => event.stream === stream && event.sequence > after);
  }

  #lookUp(lastEventId: string): { readonly stream: LogicalStream; readonly sequence: number } | undefined {
    const match = EVENT_ID.exec(lastEventId);
    if (match === null || match[1] !== this.#tag) return undefined;
    const stream = this.#streams.get(Number(match[2]));
    const sequence = Number(match[3]);
    return stream === undefined || sequence > stream.lastSequence ? undefined : { stream, sequence };
  }

  #idOf(stream: LogicalStream, sequence: number): string {
    return `${this.#tag}.${String(stream.number)}.${String(sequence)}`;
  }

  #store(stream: LogicalStream, sequence: number, json: string | Uint8Array): boolean {
    const { budget, limits, clock } = this.#options;
    if (this.#closing.signal.aborted) return false;
    const bytes = Buffer.byteLength(json) + EVENT_OVERHEAD_BYTES;
    if (bytes > limits.maxBytes) return false;
    // What other sessions keep stays: nothing of this one is forgotten for what would not fit even so.
    if (budget.usedBytes - this.#bytes + bytes > budget.maxBytes) return false;
    for (const oldest of this.#events) {
      const fits =
        this.#events.size < limits.maxEvents &&
        this.#bytes + bytes <= limits.maxBytes &&
        budget.usedBytes + bytes <= budget.maxBytes;
      if (fits) break;
      this.#forget(oldest);
    }
    this.#events.add({ stream, sequence, json, bytes, atMs: clock.nowMs() });
    stream.stored += 1;
    this.#bytes += bytes;
    budget.usedBytes += bytes;
    return true;
  }

  #forget(event: StoredEvent): void {
    if (!this.#events.delete(event)) return;
    event.stream.stored -= 1;
    this.#bytes -= event.bytes;
    this.#options.budget.usedBytes -= event.bytes;
    this.#forgetIfEmpty(event.stream);
  }

  #forgetIfEmpty(stream: LogicalStream): void {
    if (stream.isOver && stream.stored === 0 && stream.number !== GENERAL)
      this.#streams.delete(stream.number);
  }
}

/** The answer of a client that was sent away meanwhile: it must not wait for one that will never come. */
function tooLargeToKeep(id: RequestId): string {
  const { jsonrpc: code, message } = ERROR_CODES.RESULT_TOO_LARGE;
  const error = {
    code,
    message: `${message} to be kept for a client that comes back`,
    data: { code: "RESULT_TOO_LARGE" },
  };
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}
