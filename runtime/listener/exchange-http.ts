// One HTTP request as node gives it, turned into the `InboundHttp` that the pipeline knows.
import type { IncomingMessage, ServerResponse } from "node:http";
import { AegisError, isAegisError } from "#errors";
import { headerView } from "#mcp";
import type { HeaderView } from "#mcp";
import { assert } from "#std";
import type { ClientAddress } from "./client-address.ts";
import type { HttpReply, InboundHttp, ResponseHeaders, SseStream } from "./inbound.ts";
import type { ListenerLimits } from "./limits.ts";
import { SSE_HEADERS, createSseStream } from "./sse-stream.ts";
import { cutWhenUnread } from "./unread.ts";

export function toInbound(
  request: IncomingMessage,
  response: ServerResponse,
  limits: ListenerLimits,
  clientAddress: ClientAddress,
): InboundHttp {
  return new ReceivedRequest(request, response, limits, clientAddress);
}

/** A class, so that a request costs one object of a known shape and no functions of its own. */
class ReceivedRequest implements InboundHttp {
  readonly transport = "http" as const;
  readonly method: string;
  readonly rawTarget: string;
  readonly path: string;
  readonly httpVersion: string;
  readonly headers: HeaderView;
  readonly remoteAddress: string;
  readonly reply: HttpReply;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #closing: AbortController | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    limits: ListenerLimits,
    clientAddress: ClientAddress,
  ) {
    const rawTarget = request.url ?? "";
    const query = rawTarget.indexOf("?");
    this.#request = request;
    this.#response = response;
    this.method = request.method ?? "";
    this.rawTarget = rawTarget;
    this.path = query === -1 ? rawTarget : rawTarget.slice(0, query);
    this.httpVersion = request.httpVersion;
    this.headers = headerView(request.rawHeaders);
    this.remoteAddress = clientAddress(request.socket.remoteAddress ?? "", request.rawHeaders);
    this.reply = new ResponseReply(request, response, limits);
  }

  readBody(maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return readBody(this.#request, this.headers.get("content-length"), maxBytes, signal);
  }

  onClosed(listener: () => void): void {
    const response = this.#response;
    const onClose = (): void => {
      if (!response.writableFinished) listener();
    };
    if (response.closed || response.destroyed) onClose();
    // Emitted once, so that the wrapper of `once` is spared.
    else response.on("close", onClose);
  }

  get closed(): AbortSignal {
    if (this.#closing === undefined) {
      const closing = new AbortController();
      this.#closing = closing;
      this.onClosed(() => closing.abort(new AegisError("EXCHANGE_ABORTED", "client went away")));
    }
    return this.#closing.signal;
  }
}

class ResponseReply implements HttpReply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #limits: ListenerLimits;
  #committed = false;

  constructor(request: IncomingMessage, response: ServerResponse, limits: ListenerLimits) {
    this.#request = request;
    this.#response = response;
    this.#limits = limits;
  }

  get committed(): boolean {
    return this.#committed;
  }

  json(status: number, body: string | Uint8Array, headers: ResponseHeaders = {}): void {
    this.#commit();
    const response = this.#response;
    const length = Buffer.byteLength(body);
    response.writeHead(status, headerList(JSON_TYPE, String(length), headers));
    // As a string, head and body leave in one write.
    if (typeof body === "string" && body.length === length) response.end(body, "latin1");
    else response.end(body);
    if (isLeftUnwritten(response)) cutWhenUnread(response, this.#limits.streamStallMs);
  }

  empty(status: number, headers: ResponseHeaders = {}): void {
    this.#commit();
    const isBare = status === 204 || status === 304;
    this.#response.writeHead(status, isBare ? headers : { "content-length": 0, ...headers });
    this.#response.end();
  }

  openStream(headers: ResponseHeaders = {}, opening?: string): SseStream {
    this.#commit();
    this.#response.writeHead(200, { ...SSE_HEADERS, ...headers });
    if (opening === undefined) this.#response.flushHeaders();
    else this.#response.write(opening);
    return createSseStream(this.#response, this.#limits);
  }

  #commit(): void {
    assert(!this.#committed, "a response is sent once");
    this.#committed = true;
    if (!this.#request.complete) discardBody(this.#request, this.#response, this.#limits.maxDiscardedBytes);
  }
}

const JSON_TYPE = "application/json";

/** Flat list: name, value, name, value. */
function headerList(contentType: string, contentLength: string, headers: ResponseHeaders): string[] {
  const list = ["content-type", contentType, "content-length", contentLength];
  for (const [name, value] of Object.entries(headers)) {
    if (name === "content-type") list[1] = value;
    else list.push(name, value);
  }
  return list;
}

/** False where the kernel has taken all of it, though the response is told so only in a later turn. */
function isLeftUnwritten({ writableFinished, socket }: ServerResponse): boolean {
  return !writableFinished && (socket === null || socket.writableLength > 0);
}

/**
 * Reads on after an early answer, so that the client can finish writing and see it; cutting the connection at once
 * would make the client's kernel drop the answer. A client that goes on beyond the cap is cut.
 */
function discardBody(request: IncomingMessage, response: ServerResponse, maxBytes: number): void {
  let discarded = 0;
  request.on("error", () => response.destroy());
  request.on("data", (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > maxBytes) request.socket.destroy();
  });
  request.resume();
}

function readBody(
  request: IncomingMessage,
  declaredLength: string | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const declared = Number(declaredLength ?? "0");
  if (declared > maxBytes)
    return Promise.reject(
      new AegisError("MESSAGE_TOO_LARGE", `${declared} bytes declared, limit ${maxBytes}`),
    );
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    // The listeners stay on the request, which goes with its exchange; taking them off costs more than asking this.
    let settled = false;
    const settle = (): void => {
      settled = true;
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: AegisError): void => {
      settle();
      request.off("data", onData);
      // Paused, not destroyed: the answer still has to go out on this connection.
      request.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) return fail(new AegisError("MESSAGE_TOO_LARGE", `body exceeds ${maxBytes} bytes`));
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      if (settled) return;
      settle();
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
    };
    const onGone = (): void => {
      if (!settled) fail(new AegisError("EXCHANGE_ABORTED", "client went away within the body"));
    };
    const onAbort = (): void => fail(abortError(signal));
    if (signal.aborted) return onAbort();
    if (request.destroyed) return onGone();
    signal.addEventListener("abort", onAbort, { once: true });
    request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function abortError(signal: AbortSignal): AegisError {
  const reason: unknown = signal.reason;
  return isAegisError(reason)
    ? reason
    : new AegisError("EXCHANGE_ABORTED", "stopped while reading the body", { cause: reason });
}
