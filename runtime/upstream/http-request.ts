// One JSON-RPC request over Streamable HTTP, either era: POST, answer as JSON or event stream, correlation, and what
// an HTTP error status means.
import type { Dispatcher } from "undici";
import { AegisError } from "#errors";
import type { JsonObject } from "#std";
import type { ServerId } from "#bundle";
import type { ServerMessage } from "#mcp";
import type { Correlator, PendingExchange } from "./correlate.ts";
import { beginExchange, httpExchange } from "./http-exchange.ts";
import type { HttpCall, HttpEnd, HttpOutcome, HttpSink, RunningExchange } from "./http-exchange.ts";
import { inspectLarge } from "./large-message.ts";
import type { LargeMessages } from "./large-message.ts";
import { readServerMessage } from "./server-message.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault, pause } from "./upstream-fault.ts";
import type { UpstreamReply } from "./upstream.ts";

/** One MCP endpoint over HTTP. */
export interface HttpEndpoint {
  readonly server: ServerId;
  readonly path: string;
  /** Connections for exchanges that end, and for streams that stay: a stream must not use up a call's connection. */
  readonly calls: Dispatcher;
  readonly streams: Dispatcher;
  /** Reads large answers of requests that can take them unread; absent = all are parsed here. */
  readonly largeMessages?: LargeMessages | undefined;
}

export interface HttpRequestOptions {
  /** Headers of this message, beyond content type and accept. */
  readonly headers: readonly string[];
  readonly maxResponseBytes: number;
  readonly longLived: boolean;
  /**
   * Headers of a GET that resumes this request's stream (MCP 2025-11-25: a server may close it and be polled). Absent
   * where the era or the server has no such thing.
   */
  readonly resumeHeaders?: readonly string[];
  /** Called once when the caller gave up and the request may have been sent. */
  readonly onCancel?: () => void;
  readonly onHeaders?: (status: number, headers: Record<string, string | string[] | undefined>) => void;
  /** The fault of an HTTP error answer, where the era gives the status a meaning of its own. */
  readonly explain?: (status: number, error: JsonObject | undefined) => UpstreamFault | undefined;
}

const JSON_HEADERS: readonly string[] = [
  "content-type",
  "application/json",
  "accept",
  "application/json, text/event-stream",
];
/** Statuses of intermediaries and of admission: their body is not an answer to the request. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 407, 408, 425, 429, 502, 503, 504]);

/** The `error` member of a JSON-RPC error body that is about this request, or about one whose id was not readable. */
function errorOf(outcome: HttpOutcome, id: number): JsonObject | undefined {
  if (outcome.errorBody === undefined) return undefined;
  try {
    const message = readServerMessage(outcome.errorBody, UPSTREAM_CAPS.maxErrorBodyBytes);
    if (message.kind !== "response" || (message.id !== null && message.id !== id)) return undefined;
    return message.error;
  } catch {
    return undefined;
  }
}

/** @param isTaken the server had taken the request before: the status of what came later must not say that it refused it. */
function settleEnd(
  correlator: Correlator,
  pending: PendingExchange,
  outcome: HttpOutcome,
  options: HttpRequestOptions,
  isTaken: boolean,
): void {
  if (pending.settled()) return;
  const { status, kind } = outcome;
  if (kind !== "error") {
    const how =
      kind === "empty"
        ? `status ${String(status)} without a JSON or event-stream body`
        : "the body ended without an answer";
    pending.fail(new UpstreamFault("UPSTREAM_PROTOCOL", how, { httpStatus: status }));
    return;
  }
  const error = errorOf(outcome, pending.id);
  const explained = options.explain?.(status, error);
  if (explained !== undefined) {
    pending.fail(isTaken ? new UpstreamFault(explained.code, explained.detail) : explained);
    return;
  }
  if (error !== undefined && !REFUSALS.has(status)) {
    correlator.accept({ kind: "response", id: pending.id, error }, pending.id);
    return;
  }
  const facts = isTaken ? {} : { httpStatus: status };
  pending.fail(new UpstreamFault("UPSTREAM_UNAVAILABLE", `HTTP status ${String(status)}`, facts));
}

/**
 * One request under way: its POST, and the GETs that resume its stream where the server asks for that. An answer in one
 * piece, the common case, costs neither a promise nor an abort signal of its own.
 */
class RequestRun {
  readonly #endpoint: HttpEndpoint;
  readonly #correlator: Correlator;
  readonly #pending: PendingExchange;
  readonly #options: HttpRequestOptions;
  readonly #signal: AbortSignal;
  #running: Pick<RunningExchange, "abort"> | undefined;
  #isOver = false;
  #linger: NodeJS.Timeout | undefined;
  #lastEventId: string | undefined;
  #wasResumed = false;
  #retryMs: number = UPSTREAM_CAPS.resumeDelayMs;
  /** Ends the reading of large messages; made with the first of them. */
  #stopReading: AbortController | undefined;
  /** Large messages under way and what came after them, in order; undefined while there was none. */
  #reading: Promise<void> | undefined;

  constructor(
    endpoint: HttpEndpoint,
    correlator: Correlator,
    pending: PendingExchange,
    options: HttpRequestOptions,
    signal: AbortSignal,
  ) {
    this.#endpoint = endpoint;
    this.#correlator = correlator;
    this.#pending = pending;
    this.#options = options;
    this.#signal = signal;
  }

  /** Settles the request whatever happens. */
  start(): void {
    const { headers, longLived, onHeaders } = this.#options;
    const { path, calls, streams } = this.#endpoint;
    const call: HttpCall = {
      method: "POST",
      path,
      headers: [...JSON_HEADERS, ...headers],
      body: JSON.stringify(this.#pending.wire),
      ...this.#caps(),
    };
    const sink = onHeaders === undefined ? this.#sink() : { ...this.#sink(), onHeaders };
    this.#running = beginExchange(longLived ? streams : calls, call, sink, this.#onEnd);
    if (this.#isOver) return;
    this.#signal.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal.aborted) this.#onAbort();
  }

  readonly #onAbort = (): void => {
    const fault = abortFault(this.#signal);
    if (this.#pending.fail(fault)) this.#options.onCancel?.();
    this.#stopReading?.abort(fault);
    this.#running?.abort(fault);
  };

  readonly #onEnd = (end: HttpEnd): void => {
    if (this.#reading !== undefined || this.#lastEventId !== undefined) {
      void this.#finishLate(end);
      return;
    }
    if (end instanceof AegisError) this.#fail(end);
    else this.#conclude(end);
    this.#leave();
  };

  /** The end of an exchange with large messages that are still read, or with a stream that can be resumed. */
  async #finishLate(end: HttpEnd): Promise<void> {
    try {
      let outcome = await this.#answered(end);
      for (let resumed = 0; this.#mayResume(outcome) && resumed < UPSTREAM_CAPS.maxResumes; resumed++) {
        this.#pending.onPolled?.(this.#retryMs);
        await pause(this.#retryMs, this.#signal);
        outcome = await this.#resume();
      }
      this.#conclude(outcome);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#leave();
    }
  }

  /** `outcome` is undefined where a stream broke off that could have been resumed. */
  #conclude(outcome: HttpOutcome | undefined): void {
    try {
      if (outcome !== undefined)
        settleEnd(this.#correlator, this.#pending, outcome, this.#options, this.#wasResumed);
    } catch (error) {
      this.#fail(error);
    }
    if (this.#pending.settled()) return;
    this.#fail(new UpstreamFault("UPSTREAM_UNAVAILABLE", "the stream broke off and could not be resumed"));
  }

  #fail(error: unknown): void {
    const fault =
      error instanceof UpstreamFault
        ? error
        : new UpstreamFault("UPSTREAM_UNAVAILABLE", "the exchange failed", { cause: error });
    if (this.#pending.fail(fault) && fault.code === "UPSTREAM_PROTOCOL")
      this.#correlator.violation(fault.detail);
  }

  #leave(): void {
    this.#isOver = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#stopReading?.abort();
    clearTimeout(this.#linger);
  }

  #caps(): Pick<HttpCall, "maxMessageBytes" | "maxStreamBytes"> {
    const { maxResponseBytes, longLived } = this.#options;
    if (longLived) return { maxMessageBytes: maxResponseBytes };
    return {
      maxMessageBytes: maxResponseBytes,
      maxStreamBytes: maxResponseBytes * UPSTREAM_CAPS.streamBytesFactor,
    };
  }

  #sink(): HttpSink {
    const base = {
      onMessage: this.#onMessage,
      onViolation: this.#correlator.violation,
      pressure: this.#pending.pressure,
    };
    if (this.#options.resumeHeaders === undefined) return base;
    return {
      ...base,
      onEventId: (id) => {
        this.#lastEventId = id;
      },
      onRetry: (delayMs) => {
        this.#retryMs = Math.min(Math.max(delayMs, UPSTREAM_CAPS.backOffFirstMs), UPSTREAM_CAPS.backOffMaxMs);
      },
    };
  }

  readonly #onMessage = (message: Uint8Array | string): void => {
    const { largeMessages } = this.#endpoint;
    const isLarge = largeMessages !== undefined && message.length > largeMessages.thresholdBytes;
    if (this.#reading === undefined && !(isLarge && this.#pending.takesLarge)) {
      // Bytes are the body of an answer that has ended; only a stream can be left open.
      this.#accept(readServerMessage(message, this.#options.maxResponseBytes), typeof message !== "string");
      return;
    }
    if (isLarge) this.#pending.onReceived?.();
    const before = this.#reading ?? Promise.resolve();
    this.#reading = before
      .then(() => this.#read(message, isLarge ? largeMessages : undefined))
      .catch((error: unknown) => this.#refuse(error));
  };

  #refuse(error: unknown): void {
    const fault =
      error instanceof UpstreamFault
        ? error
        : new UpstreamFault("UPSTREAM_PROTOCOL", "the answer could not be read", { cause: error });
    this.#running?.abort(fault);
    if (this.#pending.fail(fault) && fault.code === "UPSTREAM_PROTOCOL")
      this.#correlator.violation(fault.detail);
  }

  async #read(message: Uint8Array | string, reader: LargeMessages | undefined): Promise<void> {
    const { maxResponseBytes } = this.#options;
    if (this.#pending.settled()) return;
    if (reader === undefined) {
      this.#accept(readServerMessage(message, maxResponseBytes), typeof message !== "string");
      return;
    }
    this.#stopReading ??= new AbortController();
    const { signal } = this.#stopReading;
    const large = await inspectLarge(reader, this.#endpoint.server, message, maxResponseBytes, signal);
    this.#correlator.acceptLarge(large, this.#pending.id);
    this.#lingerOn();
  }

  #accept(message: ServerMessage, isWholeBody: boolean): void {
    this.#correlator.accept(message, this.#pending.id);
    if (!isWholeBody) this.#lingerOn();
  }

  #lingerOn(): void {
    if (!this.#pending.settled() || this.#linger !== undefined) return;
    // The answer is in. A server that keeps the stream open does not keep the connection.
    this.#linger = setTimeout(() => {
      this.#running?.abort(new UpstreamFault("UPSTREAM_PROTOCOL", "stream left open"));
    }, UPSTREAM_CAPS.streamLingerMs);
    this.#linger.unref();
  }

  /** How the exchange ended, once its messages are read; undefined where a stream that can be resumed broke off. */
  async #answered(end: HttpEnd): Promise<HttpOutcome | undefined> {
    await this.#reading;
    if (!(end instanceof AegisError)) return end;
    const broke = end instanceof UpstreamFault && end.code === "UPSTREAM_UNAVAILABLE";
    if (broke && this.#lastEventId !== undefined && !this.#pending.settled()) return undefined;
    throw end;
  }

  #mayResume(outcome: HttpOutcome | undefined): boolean {
    if (this.#pending.settled() || this.#lastEventId === undefined) return false;
    return outcome === undefined || outcome.kind === "event-stream";
  }

  async #resume(): Promise<HttpOutcome | undefined> {
    this.#wasResumed = true;
    const resumeHeaders = this.#options.resumeHeaders ?? [];
    const headers = [
      "accept",
      "text/event-stream",
      ...resumeHeaders,
      "last-event-id",
      this.#lastEventId ?? "",
    ];
    const call: HttpCall = { method: "GET", path: this.#endpoint.path, headers, ...this.#caps() };
    const { promise, resolve } = Promise.withResolvers<HttpEnd>();
    this.#running = beginExchange(this.#endpoint.calls, call, this.#sink(), resolve);
    return this.#answered(await promise);
  }
}

/** Sends `pending` and settles it. Rejects as `Upstream.request` does. */
export function sendHttpRequest(
  endpoint: HttpEndpoint,
  correlator: Correlator,
  pending: PendingExchange,
  options: HttpRequestOptions,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  new RequestRun(endpoint, correlator, pending, options, signal).start();
  return pending.reply;
}

/** POSTs a notification or a response. @throws {UpstreamFault} UPSTREAM_UNAVAILABLE where it was not accepted. */
export async function sendHttpMessage(
  endpoint: HttpEndpoint,
  headers: readonly string[],
  message: JsonObject,
  signal: AbortSignal,
): Promise<void> {
  const ignore = (): void => undefined;
  const outcome = await httpExchange(
    endpoint.calls,
    {
      method: "POST",
      path: endpoint.path,
      headers: [...JSON_HEADERS, ...headers],
      body: JSON.stringify(message),
      maxMessageBytes: UPSTREAM_CAPS.maxErrorBodyBytes,
      maxStreamBytes: UPSTREAM_CAPS.maxErrorBodyBytes,
    },
    { onMessage: ignore, onViolation: ignore },
    signal,
  );
  if (outcome.status >= 300) {
    throw new UpstreamFault("UPSTREAM_UNAVAILABLE", `HTTP status ${String(outcome.status)}`, {
      httpStatus: outcome.status,
    });
  }
}
