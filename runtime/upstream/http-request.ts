// One JSON-RPC request over Streamable HTTP, either era: POST, answer as JSON or event stream, correlation, and what
// an HTTP error status means.
import type { Dispatcher } from "undici";
import type { JsonObject } from "#std";
import type { ServerId } from "#bundle";
import type { Correlator, PendingExchange } from "./correlate.ts";
import { httpExchange, startExchange } from "./http-exchange.ts";
import type { HttpOutcome } from "./http-exchange.ts";
import { readServerMessage } from "./server-message.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault } from "./upstream-fault.ts";
import type { UpstreamReply } from "./upstream.ts";

/** One MCP endpoint over HTTP. */
export interface HttpEndpoint {
  readonly server: ServerId;
  readonly path: string;
  /** Connections for exchanges that end, and for streams that stay: a stream must not use up a call's connection. */
  readonly calls: Dispatcher;
  readonly streams: Dispatcher;
}

export interface HttpRequestOptions {
  /** Headers of this message, beyond content type and accept. */
  readonly headers: readonly string[];
  readonly maxResponseBytes: number;
  readonly longLived: boolean;
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

function settleEnd(
  correlator: Correlator,
  pending: PendingExchange,
  outcome: HttpOutcome,
  options: HttpRequestOptions,
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
    pending.fail(explained);
    return;
  }
  if (error !== undefined && !REFUSALS.has(status)) {
    correlator.accept({ kind: "response", id: pending.id, error }, pending.id);
    return;
  }
  pending.fail(
    new UpstreamFault("UPSTREAM_UNAVAILABLE", `HTTP status ${String(status)}`, { httpStatus: status }),
  );
}

/** Sends `pending` and settles it. Rejects as `Upstream.request` does. */
export async function sendHttpRequest(
  endpoint: HttpEndpoint,
  correlator: Correlator,
  pending: PendingExchange,
  options: HttpRequestOptions,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  const { maxResponseBytes, longLived } = options;
  let linger: NodeJS.Timeout | undefined;
  const onMessage = (message: Uint8Array | string): void => {
    correlator.accept(readServerMessage(message, maxResponseBytes), pending.id);
    if (!pending.settled() || linger !== undefined) return;
    // The answer is in. A server that keeps the stream open does not keep the connection.
    linger = setTimeout(
      () => running.abort(new UpstreamFault("UPSTREAM_PROTOCOL", "stream left open")),
      UPSTREAM_CAPS.streamLingerMs,
    );
    linger.unref();
  };
  const sink = { onMessage, onViolation: correlator.violation };
  const running = startExchange(
    longLived ? endpoint.streams : endpoint.calls,
    {
      method: "POST",
      path: endpoint.path,
      headers: [...JSON_HEADERS, ...options.headers],
      body: JSON.stringify(pending.wire),
      maxMessageBytes: maxResponseBytes,
      ...(longLived ? {} : { maxStreamBytes: maxResponseBytes * UPSTREAM_CAPS.streamBytesFactor }),
    },
    options.onHeaders === undefined ? sink : { ...sink, onHeaders: options.onHeaders },
  );
  const onAbort = (): void => {
    const fault = abortFault(signal);
    if (pending.fail(fault)) options.onCancel?.();
    running.abort(fault);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  running.outcome
    .then((outcome) => settleEnd(correlator, pending, outcome, options))
    .catch((error: unknown) => {
      const fault =
        error instanceof UpstreamFault
          ? error
          : new UpstreamFault("UPSTREAM_UNAVAILABLE", "the exchange failed", { cause: error });
      if (pending.fail(fault) && fault.code === "UPSTREAM_PROTOCOL") correlator.violation(fault.detail);
    })
    .finally(() => clearTimeout(linger));
  try {
    return await pending.reply;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
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
