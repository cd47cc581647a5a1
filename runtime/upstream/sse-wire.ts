// HTTP+SSE (MCP 2024-11-05) as a wire: one event stream brings every message of the server, its first event `endpoint`
// names where ours are POSTed. The endpoint must lie on the origin of the stream; it is a bearer secret and never logged.
import { isAegisError } from "#errors";
import type { AegisError } from "#errors";
import { httpExchange, startExchange } from "./http-exchange.ts";
import type { HttpOutcome, RunningExchange } from "./http-exchange.ts";
import type { HttpPools } from "./http-pools.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { OpenWire, Wire, WireEvents } from "./wire.ts";

const JSON_HEADERS: readonly string[] = ["content-type", "application/json", "accept", "application/json"];

function outcomeFault(outcome: HttpOutcome): UpstreamFault {
  if (outcome.kind === "event-stream")
    return new UpstreamFault("UPSTREAM_UNAVAILABLE", "the server ended the event stream");
  const what = outcome.kind === "error" ? "" : " without an event stream";
  return new UpstreamFault("UPSTREAM_UNAVAILABLE", `HTTP status ${String(outcome.status)}${what}`, {
    unsent: true,
    httpStatus: outcome.status,
  });
}

class SseWire implements Wire {
  readonly #url: URL;
  readonly #pools: HttpPools;
  readonly #events: WireEvents;
  readonly #opening = Promise.withResolvers<undefined>();
  readonly #gone = Promise.withResolvers<undefined>();
  readonly #stopped = new AbortController();
  readonly #stream: RunningExchange;
  #postPath: string | undefined;

  constructor(url: URL, pools: HttpPools, events: WireEvents) {
    this.#url = url;
    this.#pools = pools;
    this.#events = events;
    this.#opening.promise.catch(() => undefined);
    const call = {
      method: "GET",
      path: url.pathname + url.search,
      headers: ["accept", "text/event-stream", "cache-control", "no-store"],
      maxMessageBytes: UPSTREAM_CAPS.maxLineBytes,
    } as const;
    const sink = {
      onMessage: events.onMessage,
      onNamedEvent: this.#onNamedEvent,
      onViolation: events.onViolation,
    };
    this.#stream = startExchange(pools.streams, call, sink);
    const late = setTimeout(() => {
      const fault = new UpstreamFault("UPSTREAM_TIMEOUT", "no endpoint event came in time", { unsent: true });
      if (this.#postPath === undefined) this.#stream.abort(fault);
    }, UPSTREAM_CAPS.handshakeTimeoutMs);
    late.unref();
    this.#stream.outcome
      .then(outcomeFault, (error: unknown) => this.#streamFault(error))
      .then((fault) => {
        clearTimeout(late);
        this.#end(fault);
      })
      .catch(() => undefined);
  }

  get opened(): Promise<void> {
    return this.#opening.promise;
  }

  readonly send = async (text: string): Promise<void> => {
    if (this.#postPath === undefined || this.#stopped.signal.aborted)
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the event stream is not open", { unsent: true });
    const ignore = (): void => undefined;
    const outcome = await httpExchange(
      this.#pools.calls,
      {
        method: "POST",
        path: this.#postPath,
        headers: JSON_HEADERS,
        body: text,
        maxMessageBytes: UPSTREAM_CAPS.maxErrorBodyBytes,
        maxStreamBytes: UPSTREAM_CAPS.maxErrorBodyBytes,
      },
      { onMessage: ignore, onViolation: ignore },
      AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(UPSTREAM_CAPS.postTimeoutMs)]),
    );
    if (outcome.status < 300) return;
    const fault = new UpstreamFault("UPSTREAM_UNAVAILABLE", `HTTP status ${String(outcome.status)}`, {
      httpStatus: outcome.status,
    });
    // The stream of a session that its server forgot brings nothing any more.
    if (outcome.status === 404 || outcome.status === 410) this.#stream.abort(fault);
    throw fault;
  };

  readonly stop = async (): Promise<void> => {
    this.#stream.abort(new UpstreamFault("UPSTREAM_UNAVAILABLE", "the event stream was closed"));
    await this.#gone.promise;
  };

  readonly #onNamedEvent = (type: string, data: string): boolean => {
    if (type !== "endpoint") return false;
    if (this.#postPath !== undefined) {
      this.#events.onViolation("a second endpoint event");
      return true;
    }
    const target = data.length > UPSTREAM_CAPS.maxEndpointChars ? null : URL.parse(data, this.#url.href);
    if (target?.origin !== this.#url.origin || target.username !== "" || target.password !== "")
      throw new UpstreamFault("UPSTREAM_PROTOCOL", "the endpoint event names another origin");
    this.#postPath = target.pathname + target.search;
    this.#opening.resolve(undefined);
    return true;
  };

  #streamFault(error: unknown): AegisError {
    if (isAegisError(error)) {
      if (error.code === "RESULT_TOO_LARGE") this.#events.onOversized();
      return error;
    }
    return new UpstreamFault("UPSTREAM_UNAVAILABLE", "the event stream failed", { cause: error });
  }

  #end(fault: AegisError): void {
    this.#stopped.abort(fault);
    this.#opening.reject(fault);
    this.#gone.resolve(undefined);
    this.#events.onClosed(fault.detail);
  }
}

/** HTTP+SSE as a wire; `pools` are for the origin of `url` and stay the caller's. */
export function sseWire(url: URL, pools: HttpPools): OpenWire {
  return (events) => new SseWire(url, pools, events);
}
