// One HTTP request as node gives it, turned into the `InboundHttp` that the pipeline knows.
import type { IncomingMessage, ServerResponse } from "node:http";
import { AegisError, isAegisError } from "#errors";
import { headerView } from "#mcp";
import { assert } from "#std";
import type { ClientAddress } from "./client-address.ts";
import type { HttpReply, InboundHttp, ResponseHeaders, SseStream } from "./inbound.ts";
import type { ListenerLimits } from "./limits.ts";
import { SSE_HEADERS, createSseStream } from "./sse-stream.ts";

export function toInbound(
  request: IncomingMessage,
  response: ServerResponse,
  limits: ListenerLimits,
  clientAddress: ClientAddress,
): InboundHttp {
  const rawTarget = request.url ?? "";
  const query = rawTarget.indexOf("?");
  let closing: AbortController | undefined;
  return {
    method: request.method ?? "",
    rawTarget,
    path: query === -1 ? rawTarget : rawTarget.slice(0, query),
    httpVersion: request.httpVersion,
    headers: headerView(request.rawHeaders),
    remoteAddress: clientAddress(request.socket.remoteAddress ?? "", request.rawHeaders),
    readBody: (maxBytes, signal) => readBody(request, maxBytes, signal),
    // Made on first use: most requests are answered without anyone asking.
    get closed() {
      closing ??= abortOnClose(response);
      return closing.signal;
    },
    reply: createReply(request, response, limits),
  };
}

function abortOnClose(response: ServerResponse): AbortController {
  const controller = new AbortController();
  const onClose = (): void => {
    if (!response.writableFinished) controller.abort(new AegisError("EXCHANGE_ABORTED", "client went away"));
  };
  if (response.closed || response.destroyed) onClose();
  else response.once("close", onClose);
  return controller;
}

function createReply(request: IncomingMessage, response: ServerResponse, limits: ListenerLimits): HttpReply {
  let committed = false;
  const commit = (): void => {
    assert(!committed, "a response is sent once");
    committed = true;
    if (!request.complete) discardBody(request, response, limits.maxDiscardedBytes);
  };
  return {
    json: (status: number, body: string | Uint8Array, headers: ResponseHeaders = {}) => {
      commit();
      response.writeHead(status, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        ...headers,
      });
      // As a string, head and body leave in one write.
      response.end(body);
      if (!response.writableFinished) response.setTimeout(limits.streamStallMs, () => response.destroy());
    },
    empty: (status: number, headers: ResponseHeaders = {}) => {
      commit();
      response.writeHead(
        status,
        status === 204 || status === 304 ? headers : { "content-length": 0, ...headers },
      );
      response.end();
    },
    openStream: (headers: ResponseHeaders = {}): SseStream => {
      commit();
      response.writeHead(200, { ...SSE_HEADERS, ...headers });
      response.flushHeaders();
      return createSseStream(response, limits);
    },
    get committed() {
      return committed;
    },
  };
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

function readBody(request: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? "0");
  if (declared > maxBytes)
    return Promise.reject(
      new AegisError("MESSAGE_TOO_LARGE", `${declared} bytes declared, limit ${maxBytes}`),
    );
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (): void => {
      request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: AegisError): void => {
      settle();
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
      settle();
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
    };
    const onGone = (): void => fail(new AegisError("EXCHANGE_ABORTED", "client went away within the body"));
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
