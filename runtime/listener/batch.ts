// JSON-RPC batches (MCP 2025-03-26): an array of messages in one body. Each element becomes a message of its own; their
// answers go back together, as one array, or on one stream where one of them needs a stream.
import { AegisError } from "#errors";
import { META_PROTOCOL_VERSION, parseStrict, readableId } from "#mcp";
import { isJsonObject } from "#std";
import type { HttpReply, InboundHttp, SharedMessage, SseStream } from "./inbound.ts";
import { textOf } from "./connection/message-stream.ts";
import { isNotification } from "./connection/shared-message.ts";

/** The only revision that has batches. */
export const BATCH_VERSION = "2025-03-26";
/** Messages of one batch. */
const MAX_ELEMENTS = 50;

/**
 * The elements of a batch, each serialised anew; undefined for a body that is one message.
 * @throws {AegisError} JSON_INVALID, MESSAGE_INVALID where it is empty, too long, nested, opens a session, or holds a message of
 *   the modern era, which has no batches
 */
export function splitBatch(body: Uint8Array): readonly Uint8Array[] | undefined {
  if (!startsWithBracket(body)) return undefined;
  const value = parseStrict(body);
  if (!Array.isArray(value)) return undefined;
  const elements = value as readonly unknown[];
  if (elements.length === 0) throw new AegisError("MESSAGE_INVALID", "empty batch");
  if (elements.length > MAX_ELEMENTS)
    throw new AegisError(
      "MESSAGE_INVALID",
      `${elements.length} messages in one batch, limit ${MAX_ELEMENTS}`,
    );
  return elements.map((element) => {
    if (Array.isArray(element)) throw new AegisError("MESSAGE_INVALID", "batch within a batch");
    if (isJsonObject(element) && element["method"] === "initialize")
      throw new AegisError("MESSAGE_INVALID", "initialize in a batch");
    if (hasEnvelope(element)) throw new AegisError("MESSAGE_INVALID", "modern message in a batch");
    return Buffer.from(JSON.stringify(element));
  });
}

function hasEnvelope(element: unknown): boolean {
  const params = isJsonObject(element) ? element["params"] : undefined;
  const meta = isJsonObject(params) ? params["_meta"] : undefined;
  return isJsonObject(meta) && Object.hasOwn(meta, META_PROTOCOL_VERSION);
}

/** Whether the first byte that is not white space opens an array. */
function startsWithBracket(body: Uint8Array): boolean {
  for (const byte of body) {
    if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) continue;
    return byte === 0x5b;
  }
  return false;
}

/** A message whose body has been read already. */
export function withBody(inbound: InboundHttp, body: Uint8Array): InboundHttp {
  const { shared } = inbound;
  return {
    ...headOf(inbound),
    reply: inbound.reply,
    readBody: () => Promise.resolve(body),
    ...(shared === undefined ? {} : { shared }),
    get closed() {
      return inbound.closed;
    },
  };
}

type Head = Omit<InboundHttp, "reply" | "readBody" | "shared" | "closed">;

function headOf(inbound: InboundHttp): Head {
  const { transport, method, rawTarget, path, httpVersion, headers, remoteAddress } = inbound;
  const onClosed = (listener: () => void): void => inbound.onClosed(listener);
  return { transport, method, rawTarget, path, httpVersion, headers, remoteAddress, onClosed };
}

/** The messages of a batch. When the last of them is answered the whole is sent. */
export function joinBatch(outer: InboundHttp, elements: readonly Uint8Array[]): readonly InboundHttp[] {
  const join = new BatchJoin(outer, elements.length);
  return elements.map((bytes) => elementOf(outer, bytes, join));
}

class BatchJoin {
  readonly #outer: InboundHttp;
  readonly #answers: string[] = [];
  #open: number;
  /** Answers that wait for a client that is behind. */
  #waiting = 0;
  #stream: SseStream | undefined;

  constructor(outer: InboundHttp, count: number) {
    this.#outer = outer;
    this.#open = count;
  }

  /** The stream of the whole; what was answered before goes first. */
  stream(): SseStream {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#outer.reply.openStream();
    this.#stream = stream;
    for (const answer of this.#answers) this.#send(stream, answer);
    this.#answers.length = 0;
    return stream;
  }

  /** One message is done, with an answer or without. */
  finish(answer: string | Uint8Array | undefined): void {
    this.#open -= 1;
    const text = answer === undefined ? undefined : textOf(answer);
    if (this.#stream !== undefined) {
      if (text !== undefined) this.#send(this.#stream, text);
      this.#endIfDone(this.#stream);
      return;
    }
    if (text !== undefined) this.#answers.push(text);
    if (this.#open > 0) return;
    if (this.#answers.length === 0) this.#outer.reply.empty(202);
    else this.#outer.reply.json(200, `[${this.#answers.join(",")}]`);
  }

  /** An answer waits for a client that is behind; the stream cuts one that stays so. */
  #send(stream: SseStream, answer: string): void {
    if (stream.send(answer) || stream.closed.aborted) return;
    this.#waiting += 1;
    stream.drained(stream.closed).then(
      () => {
        this.#waiting -= 1;
        this.#send(stream, answer);
        this.#endIfDone(stream);
      },
      () => undefined,
    );
  }

  #endIfDone(stream: SseStream): void {
    if (this.#open === 0 && this.#waiting === 0) stream.end();
  }
}

function elementOf(outer: InboundHttp, bytes: Uint8Array, join: BatchJoin): InboundHttp {
  const shared: SharedMessage = {
    admitted: () => undefined,
    cancelRequest: () => undefined,
    readId: () => readableId(parseStrict(bytes)),
    isNotification: () => isNotification(bytes),
  };
  return {
    ...headOf(outer),
    reply: new ElementReply(join),
    readBody: () => Promise.resolve(bytes),
    shared,
    get closed() {
      return outer.closed;
    },
  };
}

class ElementReply implements HttpReply {
  readonly messagesOnly = true;
  readonly #join: BatchJoin;
  #isCommitted = false;

  constructor(join: BatchJoin) {
    this.#join = join;
  }

  get committed(): boolean {
    return this.#isCommitted;
  }

  json(_status: number, body: string | Uint8Array): void {
    this.#isCommitted = true;
    this.#join.finish(body);
  }

  empty(): void {
    this.#isCommitted = true;
    this.#join.finish(undefined);
  }

  openStream(): SseStream {
    this.#isCommitted = true;
    const stream = this.#join.stream();
    const ended = new AbortController();
    const end = (finalJson?: string | Uint8Array): void => {
      if (ended.signal.aborted) return;
      ended.abort();
      this.#join.finish(finalJson);
    };
    stream.closed.addEventListener("abort", () => ended.abort(), { once: true });
    return {
      send: (json) => !ended.signal.aborted && stream.send(json),
      comment: () => stream.comment(),
      ...(stream.isFull === undefined ? {} : { isFull: stream.isFull }),
      drained: (signal) => stream.drained(signal),
      end,
      closed: ended.signal,
    };
  }
}
