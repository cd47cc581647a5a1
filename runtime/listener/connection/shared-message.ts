// One message of a shared connection as the `InboundHttp` that the pipeline knows, and the way of its answer back.
import { AegisError } from "#errors";
import { headerView, parseStrict, readableId } from "#mcp";
import type { ClientMessage, HeaderView, RequestId } from "#mcp";
import { assert, isJsonObject } from "#std";
import type {
  HttpReply,
  InboundHttp,
  InboundTransport,
  ResponseHeaders,
  SharedMessage,
  SseStream,
} from "../inbound.ts";

/** What a message needs of its connection. */
export interface MessageHome {
  readonly transport: InboundTransport;
  readonly routePath: string;
  readonly remoteAddress: string;
  /** Aborts when the connection has closed. */
  readonly closed: AbortSignal;
  /** Sends an answer; it waits where the client is behind. */
  readonly sendFinal: (message: string | Uint8Array) => void;
  readonly send: (json: string) => boolean;
  readonly drained: (signal: AbortSignal) => Promise<void>;
  /** @throws {AegisError} MESSAGE_INVALID, OVERLOADED */
  readonly begin: (message: ConnectionMessage, read: ClientMessage) => void;
  readonly cancel: (id: RequestId) => void;
  /** The message is answered, or never will be. */
  readonly finished: (message: ConnectionMessage) => void;
  readonly answered: (status: number, headers: ResponseHeaders) => void;
}

/** Where a message came by a request of its own: what refuses or accepts that request. */
export interface OwnResponse {
  readonly accepted: () => void;
  readonly refused: (status: number, body: string | Uint8Array | undefined, headers: ResponseHeaders) => void;
}

export interface MessageSource {
  /** Raw headers: name, value, name, value. */
  readonly headers: readonly string[];
  readonly readBody: (maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
  /** The message, where it is at hand already. */
  readonly bytes?: Uint8Array | undefined;
  readonly response?: OwnResponse | undefined;
}

/** The source of a message that is at hand already. */
export function receivedMessage(bytes: Uint8Array, headers: readonly string[]): MessageSource {
  const readBody: MessageSource["readBody"] = (maxBytes) =>
    bytes.length > maxBytes
      ? Promise.reject(new AegisError("MESSAGE_TOO_LARGE", `${bytes.length} bytes, limit ${maxBytes}`))
      : Promise.resolve(bytes);
  return { headers, readBody, bytes };
}

/** Whether the bytes are a message of a method without an id. Never throws. */
export function isNotification(bytes: Uint8Array): boolean {
  try {
    const value = parseStrict(bytes);
    return isJsonObject(value) && typeof value["method"] === "string" && !Object.hasOwn(value, "id");
  } catch {
    return false;
  }
}

export class ConnectionMessage implements InboundHttp, SharedMessage, HttpReply {
  readonly method = "POST";
  readonly httpVersion = "1.1";
  readonly transport: InboundTransport;
  readonly path: string;
  readonly rawTarget: string;
  readonly headers: HeaderView;
  readonly remoteAddress: string;
  readonly readBody: InboundHttp["readBody"];
  /** Id of a request that was admitted. */
  id: RequestId | undefined;
  cancel: (() => void) | undefined;
  readonly #home: MessageHome;
  readonly #source: MessageSource;
  readonly #ended = new AbortController();
  /** Kept here and not with the connection, which lives longer. */
  readonly #closeListeners: (() => void)[] = [];
  #isAdmitted = false;
  #isCommitted = false;
  #isSilent = false;

  constructor(home: MessageHome, source: MessageSource) {
    this.#home = home;
    this.#source = source;
    this.transport = home.transport;
    this.path = home.routePath;
    this.rawTarget = home.routePath;
    this.headers = headerView(source.headers);
    this.remoteAddress = home.remoteAddress;
    this.readBody = source.readBody;
  }

  get closed(): AbortSignal {
    return this.#home.closed;
  }

  onClosed(listener: () => void): void {
    if (this.#home.closed.aborted) listener();
    else this.#closeListeners.push(listener);
  }

  /** Told by the connection when it has closed while this message was under way. */
  connectionClosed(): void {
    for (const listener of this.#closeListeners.splice(0)) listener();
    this.#ended.abort();
  }

  get shared(): SharedMessage {
    return this;
  }

  get reply(): HttpReply {
    return this;
  }

  get committed(): boolean {
    return this.#isCommitted;
  }

  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  /** Until it is admitted, a message that came by a request of its own is refused by the response to that. */
  get messagesOnly(): boolean {
    return this.#isAdmitted || this.#source.response === undefined;
  }

  admitted(message: ClientMessage, cancel: () => void): void {
    this.#home.begin(this, message);
    this.#isAdmitted = true;
    if (message.kind === "request") this.id = message.id;
    this.cancel = cancel;
    this.#source.response?.accepted();
  }

  cancelRequest(id: RequestId): void {
    this.#home.cancel(id);
  }

  readId(): RequestId | undefined {
    const { bytes } = this.#source;
    if (this.id !== undefined || bytes === undefined) return this.id;
    try {
      return readableId(parseStrict(bytes));
    } catch {
      return undefined;
    }
  }

  isNotification(): boolean {
    const { bytes } = this.#source;
    return bytes !== undefined && isNotification(bytes);
  }

  /** From here on nothing is sent for the request: its client has cancelled it. */
  silence(): void {
    this.#isSilent = true;
  }

  json(status: number, body: string | Uint8Array, headers: ResponseHeaders = {}): void {
    this.#commit(status, headers);
    if (!this.messagesOnly) this.#source.response?.refused(status, body, headers);
    else if (!this.#isSilent) this.#home.sendFinal(body);
    this.#end();
  }

  empty(status: number, headers: ResponseHeaders = {}): void {
    this.#commit(status, headers);
    if (!this.messagesOnly) this.#source.response?.refused(status, undefined, headers);
    this.#end();
  }

  openStream(): SseStream {
    this.#commit(200, {});
    const end = (finalJson?: string | Uint8Array): void => {
      if (this.#ended.signal.aborted) return;
      if (finalJson !== undefined && !this.#isSilent) this.#home.sendFinal(finalJson);
      this.#end();
    };
    return {
      send: (json) => !this.#ended.signal.aborted && !this.#isSilent && this.#home.send(json),
      comment: () => undefined,
      drained: this.#home.drained,
      end,
      closed: this.#ended.signal,
    };
  }

  #commit(status: number, headers: ResponseHeaders): void {
    assert(!this.#isCommitted, "a message is answered once");
    this.#isCommitted = true;
    this.#home.answered(status, headers);
  }

  #end(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#home.finished(this);
  }
}
