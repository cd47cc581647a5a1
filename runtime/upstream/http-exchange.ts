// One HTTP exchange with an upstream: a POST, GET or DELETE, its answer read as JSON or as an event stream, under
// byte caps. Redirects are refused and cookies never kept. Built on undici's dispatch handler, which tells whether
// the request was ever written.
import type { Dispatcher } from "undici";
import { AegisError, isAegisError } from "#errors";
import { UNSENT_CODES } from "#std";
import { createSseReader } from "./sse-reader.ts";
import type { SseReader } from "./sse-reader.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault } from "./upstream-fault.ts";

type HttpHeaders = Record<string, string | string[] | undefined>;

export interface HttpCall {
  readonly method: "POST" | "GET" | "DELETE";
  readonly path: string;
  /** Flat list: name, value, name, value … */
  readonly headers: readonly string[];
  readonly body?: string;
  /** Largest JSON body or single event. */
  readonly maxMessageBytes: number;
  /** Largest event stream as a whole; absent for a stream that lives as long as its subscription. */
  readonly maxStreamBytes?: number;
}

export interface HttpSink {
  /** Status and headers arrived. */
  readonly onHeaders?: (status: number, headers: HttpHeaders) => void;
  /** One JSON-RPC message: the bytes of the whole JSON body of a 2xx answer, or the data of one event. */
  readonly onMessage: (message: Uint8Array | string) => void;
  readonly onEventId?: (id: string) => void;
  readonly onRetry?: (delayMs: number) => void;
  /** An event of another type than `message`; true where it is known. */
  readonly onNamedEvent?: (type: string, data: string) => boolean;
  readonly onViolation: (detail: string) => void;
  /** What to wait for before an event stream is read further; undefined = nothing. Asked after each chunk. */
  readonly pressure?: (() => Promise<void> | undefined) | undefined;
}

/** How the answer ended. `errorBody` is the JSON body of a non-2xx answer. */
export interface HttpOutcome {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly kind: "json" | "event-stream" | "empty" | "error";
  readonly errorBody: Uint8Array | undefined;
}

/** How an exchange ended: an answer of any status, or why there is none. */
export type HttpEnd = HttpOutcome | AegisError;

/** First value of a response header, or undefined. Names are lower case. */
export function headerOf(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.name : "unknown";
}

function networkFault(error: unknown, started: boolean): AegisError {
  if (isAegisError(error)) return error;
  const code = codeOf(error);
  const unsent = !started || UNSENT_CODES.has(code);
  return new UpstreamFault("UPSTREAM_UNAVAILABLE", `the connection failed (${code})`, {
    unsent,
    cause: error,
  });
}

function mediaType(headers: HttpHeaders): string {
  return (headerOf(headers, "content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #call: HttpCall;
  readonly #sink: HttpSink;
  readonly #onEnd: (end: HttpEnd) => void;
  #ended = false;
  #controller: Dispatcher.DispatchController | undefined;
  #abortedWith: AegisError | undefined;
  #started = false;
  #status = 0;
  #headers: HttpHeaders = {};
  #kind: HttpOutcome["kind"] = "empty";
  #chunks: Buffer[] = [];
  #bytes = 0;
  #sse: SseReader | undefined;

  constructor(call: HttpCall, sink: HttpSink, onEnd: (end: HttpEnd) => void) {
    this.#call = call;
    this.#sink = sink;
    this.#onEnd = onEnd;
  }

  #settle(end: HttpEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(end);
  }

  /** Ends the exchange from this side, before or after it was written. */
  abort(error: AegisError): void {
    if (this.#abortedWith !== undefined) return;
    this.#abortedWith = error;
    this.#controller?.abort(error);
    this.#settle(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abortedWith === undefined) this.#started = true;
    else controller.abort(this.#abortedWith);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpHeaders): void {
    // Informational answers (1xx) precede the real one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    const type = mediaType(headers);
    if (status >= 300 && status < 400)
      return this.abort(
        new UpstreamFault("UPSTREAM_PROTOCOL", "a redirect, which is refused", { httpStatus: status }),
      );
    if (status >= 300) this.#kind = "error";
    else if (type === "text/event-stream") this.#startStream();
    else if (type === "application/json") this.#kind = "json";
    this.#guard(() => this.#sink.onHeaders?.(status, headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#abortedWith !== undefined) return;
    this.#bytes += chunk.byteLength;
    this.#guard(() => this.#take(chunk));
    const pressure = this.#sse === undefined ? undefined : this.#sink.pressure?.();
    if (pressure === undefined) return;
    controller.pause();
    const resume = (): void => controller.resume();
    pressure.then(resume, resume);
  }

  onResponseEnd(): void {
    if (this.#abortedWith !== undefined) return;
    this.#guard(() => {
      const [only] = this.#chunks;
      const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
      this.#chunks = [];
      if (this.#kind === "json") this.#sink.onMessage(body);
      const errorBody =
        this.#kind === "error" && mediaType(this.#headers) === "application/json" ? body : undefined;
      this.#settle({ status: this.#status, headers: this.#headers, kind: this.#kind, errorBody });
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(this.#abortedWith ?? networkFault(error, this.#started));
  }

  #startStream(): void {
    this.#kind = "event-stream";
    const { onMessage, onViolation, pressure: _pressure, ...optional } = this.#sink;
    this.#sse = createSseReader(
      { ...optional, onData: onMessage, onIgnored: onViolation },
      this.#call.maxMessageBytes,
    );
  }

  #take(chunk: Buffer): void {
    if (this.#sse !== undefined) {
      if (this.#call.maxStreamBytes !== undefined && this.#bytes > this.#call.maxStreamBytes) {
        throw new UpstreamFault("RESULT_TOO_LARGE", "an event stream is larger than its cap");
      }
      this.#sse.push(chunk);
      return;
    }
    if (this.#kind === "empty") return;
    const cap = this.#kind === "error" ? UPSTREAM_CAPS.maxErrorBodyBytes : this.#call.maxMessageBytes;
    if (this.#bytes > cap) {
      if (this.#kind === "json")
        throw new UpstreamFault("RESULT_TOO_LARGE", "the answer is larger than the response cap");
      this.#chunks = [];
      return;
    }
    this.#chunks.push(chunk);
  }

  /** Whatever goes wrong while reading ends this exchange and nothing else. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      const fault = isAegisError(error)
        ? error
        : new UpstreamFault("UPSTREAM_PROTOCOL", "the answer could not be read", { cause: error });
      this.abort(fault);
    }
  }
}

export interface RunningExchange {
  /** Resolves when the answer has ended; for an event stream that is when either side closed it. */
  readonly outcome: Promise<HttpOutcome>;
  /** Closes the connection of this exchange, or takes it out of the queue; `outcome` rejects with `error`. */
  readonly abort: (error: AegisError) => void;
}

/**
 * Starts one exchange; `onEnd` is told once how it ended, at the earliest before this returns. Errors are UPSTREAM_UNAVAILABLE,
 * UPSTREAM_PROTOCOL, RESULT_TOO_LARGE, or what it was aborted with. `onEnd` must not throw.
 */
export function beginExchange(
  dispatcher: Dispatcher,
  call: HttpCall,
  sink: HttpSink,
  onEnd: (end: HttpEnd) => void,
): Pick<RunningExchange, "abort"> {
  const handler = new ExchangeHandler(call, sink, onEnd);
  const { method, path, headers, body } = call;
  const options = {
    method,
    path,
    headers: headers as string[],
    body: body ?? null,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  try {
    dispatcher.dispatch(options, handler);
  } catch (error) {
    handler.abort(networkFault(error, false));
  }
  return handler;
}

/**
 * Starts one exchange.
 * `outcome` rejects with {AegisError} UPSTREAM_UNAVAILABLE, UPSTREAM_PROTOCOL, RESULT_TOO_LARGE, or the abort error.
 */
export function startExchange(dispatcher: Dispatcher, call: HttpCall, sink: HttpSink): RunningExchange {
  const { promise, resolve, reject } = Promise.withResolvers<HttpOutcome>();
  const running = beginExchange(dispatcher, call, sink, (end) => {
    if (end instanceof AegisError) reject(end);
    else resolve(end);
  });
  return { outcome: promise, abort: (error) => running.abort(error) };
}

/** Runs one exchange to its end, or until `signal` is aborted. @throws {AegisError} as `startExchange`. */
export async function httpExchange(
  dispatcher: Dispatcher,
  call: HttpCall,
  sink: HttpSink,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  if (signal.aborted) throw abortFault(signal);
  const running = startExchange(dispatcher, call, sink);
  const onAbort = (): void => running.abort(abortFault(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await running.outcome;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
