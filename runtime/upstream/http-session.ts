// A legacy session over Streamable HTTP (MCP 2025-03-26 … 2025-11-25): handshake on first use, session id and version
// headers on everything after it, the general GET stream where the server has one, DELETE at the end.
import type { EraEntry } from "#bundle";
import type { JsonObject } from "#std";
import { createCorrelator } from "./correlate.ts";
import type { Correlator } from "./correlate.ts";
import {
  INITIALIZED,
  MAX_HANDSHAKE_BYTES,
  SILENT_OBSERVER,
  initializeRequest,
  legacyEntry,
} from "./handshake.ts";
import { headerOf, httpExchange } from "./http-exchange.ts";
import { sendHttpMessage, sendHttpRequest } from "./http-request.ts";
import type { HttpEndpoint } from "./http-request.ts";
import { readServerMessage } from "./server-message.ts";
import { UPSTREAM_CAPS, backOffMs } from "./upstream-caps.ts";
import { UpstreamFault, pause, untilAborted } from "./upstream-fault.ts";
import type {
  ExchangeObserver,
  LegacyChannelKey,
  OutboundRequest,
  RequestLimits,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";

export interface HttpSession {
  readonly request: (
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ) => Promise<UpstreamReply>;
  readonly announce: (signal: AbortSignal) => Promise<EraEntry>;
  readonly notify: (notification: JsonObject, signal: AbortSignal) => Promise<void>;
  readonly release: (reason: string) => Promise<void>;
}

interface Open {
  readonly entry: EraEntry;
  readonly sessionId: string | undefined;
  /** Session and version headers of everything after the handshake. */
  readonly headers: readonly string[];
  /** Ends the GET stream. */
  readonly ended: AbortController;
  /** Settled once the GET stream is open, or will not be. */
  readonly listening: PromiseWithResolvers<void>;
}

/** What servers answer with status 400 instead of the 404 that the revisions demand: "no valid session", "session not found". */
const LOST_CODES: ReadonlySet<unknown> = new Set([-32000, -32001]);
const SESSION_ID = /^[\x21-\x7e]{1,1024}$/;
const sideSignal = (): AbortSignal => AbortSignal.timeout(UPSTREAM_CAPS.sideMessageTimeoutMs);

/** A 400 that is no JSON-RPC error is not about the message: servers say so, in plain text, of sessions before a restart. */
function tellsOfLostSession(status: number, error: JsonObject | undefined): boolean {
  if (status === 404) return true;
  return status === 400 && (error === undefined || LOST_CODES.has(error["code"]));
}

class LegacyHttpSession implements HttpSession {
  readonly #endpoint: HttpEndpoint;
  readonly #channel: LegacyChannelKey;
  readonly #events: UpstreamEvents;
  readonly #correlator: Correlator;
  readonly #takeStream: () => (() => void) | undefined;
  readonly #released = new AbortController();
  #opening: Promise<Open> | undefined;
  #open: Open | undefined;

  constructor(
    endpoint: HttpEndpoint,
    channel: LegacyChannelKey,
    events: UpstreamEvents,
    takeStream: () => (() => void) | undefined,
  ) {
    this.#endpoint = endpoint;
    this.#channel = channel;
    this.#events = events;
    this.#takeStream = takeStream;
    const answer = (message: JsonObject): Promise<void> => this.#sendMessage(message, sideSignal());
    this.#correlator = createCorrelator({ server: endpoint.server, channel, events, answer });
  }

  readonly request = async (
    request: OutboundRequest,
    observer: ExchangeObserver,
    { maxResponseBytes, onLarge }: RequestLimits,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    const open = await this.#ready(signal);
    const pending = this.#correlator.open(request, observer, onLarge);
    const onCancel = (): void => {
      const params = { requestId: pending.id, reason: "cancelled by the caller" };
      this.#sendMessage({ jsonrpc: "2.0", method: "notifications/cancelled", params }, sideSignal()).catch(
        () => undefined,
      );
    };
    const explain = (status: number, error: JsonObject | undefined): UpstreamFault | undefined => {
      if (open.sessionId === undefined || !tellsOfLostSession(status, error)) return undefined;
      this.#end(open, "the server no longer knows the session");
      return new UpstreamFault("UPSTREAM_UNAVAILABLE", "the upstream session was lost", {
        httpStatus: status,
        sessionLost: true,
      });
    };
    const options = {
      headers: open.headers,
      maxResponseBytes,
      longLived: false,
      onCancel,
      explain,
      resumeHeaders: open.headers,
    };
    return sendHttpRequest(this.#endpoint, this.#correlator, pending, options, signal);
  };

  readonly announce = async (signal: AbortSignal): Promise<EraEntry> => (await this.#ready(signal)).entry;

  readonly notify = async (notification: JsonObject, signal: AbortSignal): Promise<void> => {
    if (this.#open !== undefined) await this.#sendMessage(notification, signal);
  };

  readonly release = async (reason: string): Promise<void> => {
    this.#released.abort(new UpstreamFault("EXCHANGE_ABORTED", reason));
    const opened = this.#open ?? (await this.#opening?.catch(() => undefined));
    this.#correlator.failAll(new UpstreamFault("EXCHANGE_ABORTED", reason));
    if (opened === undefined) return;
    this.#forget(opened, reason);
    if (opened.sessionId === undefined) return;
    const call = {
      method: "DELETE",
      path: this.#endpoint.path,
      headers: opened.headers,
      maxMessageBytes: 1024,
    } as const;
    const ignore = (): void => undefined;
    // 405 means that the server ends sessions on its own; either way the session is over for the gateway.
    await httpExchange(
      this.#endpoint.calls,
      call,
      { onMessage: ignore, onViolation: ignore },
      sideSignal(),
    ).catch(ignore);
  };

  #sendMessage(message: JsonObject, signal: AbortSignal): Promise<void> {
    return sendHttpMessage(this.#endpoint, this.#open?.headers ?? [], message, signal);
  }

  async #ready(signal: AbortSignal): Promise<Open> {
    if (this.#opening === undefined) {
      if (this.#open !== undefined) return this.#open;
      const opening = this.#openSession();
      this.#opening = opening;
      opening
        .catch(() => undefined)
        .finally(() => {
          this.#opening = undefined;
        });
    }
    return untilAborted(this.#opening, signal);
  }

  async #openSession(): Promise<Open> {
    const open = await this.#handshake();
    this.#start(open);
    const mayBeAsked = Object.keys(this.#channel.client?.capabilities ?? {}).length > 0;
    // Some servers ask on this stream only, and what they send before it is open is lost.
    if (mayBeAsked)
      await untilAborted(open.listening.promise, AbortSignal.timeout(UPSTREAM_CAPS.streamOpenMs)).catch(
        () => undefined,
      );
    return open;
  }

  /** Its bound is its own: a caller that gives up must not fail the others that wait for the same session. */
  async #handshake(): Promise<Open> {
    const signal = AbortSignal.any([
      this.#released.signal,
      AbortSignal.timeout(UPSTREAM_CAPS.handshakeTimeoutMs),
    ]);
    const pending = this.#correlator.open(initializeRequest(this.#channel), SILENT_OBSERVER);
    let sessionId: string | undefined;
    const onHeaders = (_status: number, headers: Record<string, string | string[] | undefined>): void => {
      sessionId = headerOf(headers, "mcp-session-id");
    };
    const options = { headers: [], maxResponseBytes: MAX_HANDSHAKE_BYTES, longLived: false, onHeaders };
    const entry = legacyEntry(
      await sendHttpRequest(this.#endpoint, this.#correlator, pending, options, signal),
    );
    if (sessionId !== undefined && !SESSION_ID.test(sessionId)) {
      throw new UpstreamFault("UPSTREAM_PROTOCOL", "the server minted a malformed session id");
    }
    const headers = [
      "mcp-protocol-version",
      entry.protocolVersion,
      ...(sessionId === undefined ? [] : ["mcp-session-id", sessionId]),
    ];
    await sendHttpMessage(this.#endpoint, headers, INITIALIZED, signal);
    return {
      entry,
      sessionId,
      headers,
      ended: new AbortController(),
      listening: Promise.withResolvers<void>(),
    };
  }

  #start(open: Open): void {
    this.#open = open;
    this.#listen(open).catch((error: unknown) =>
      this.#correlator.violation(`the GET stream failed: ${String(error)}`),
    );
  }

  /** The server ended the session. What the gateway releases itself is no event. */
  #end(open: Open, reason: string): void {
    if (this.#forget(open, reason)) this.#events.onClosed(this.#endpoint.server, this.#channel, reason);
  }

  #forget(open: Open, reason: string): boolean {
    if (this.#open !== open) return false;
    this.#open = undefined;
    open.ended.abort(new UpstreamFault("EXCHANGE_ABORTED", reason));
    return true;
  }

  /** Keeps the session's general stream open. Errors end it quietly: the server may simply not offer one. */
  async #listen(open: Open): Promise<void> {
    const releaseStream = this.#takeStream();
    if (releaseStream === undefined) return open.listening.resolve();
    const signal = open.ended.signal;
    let failures = 0;
    let wasOpen = false;
    let lastEventId: string | undefined;
    const sink = {
      onHeaders: () => open.listening.resolve(),
      onMessage: (message: Uint8Array | string): void => {
        failures = 0;
        this.#correlator.accept(readServerMessage(message, UPSTREAM_CAPS.maxLineBytes));
      },
      onEventId: (id: string): void => {
        lastEventId = id;
      },
      onViolation: this.#correlator.violation,
    };
    try {
      while (!signal.aborted && failures < UPSTREAM_CAPS.maxStreamFailures) {
        const resume = lastEventId === undefined ? [] : ["last-event-id", lastEventId];
        const headers = ["accept", "text/event-stream", ...open.headers, ...resume];
        const call = {
          method: "GET",
          path: this.#endpoint.path,
          headers,
          maxMessageBytes: UPSTREAM_CAPS.maxLineBytes,
        } as const;
        const outcome = await httpExchange(this.#endpoint.streams, call, sink, signal).catch(() => undefined);
        // A server that has no such stream may say so with a 400 as well, but not after it had one.
        const isLost = outcome?.status === 404 || (wasOpen && outcome?.status === 400);
        if (isLost && open.sessionId !== undefined)
          return this.#end(open, "the server no longer knows the session");
        if (outcome !== undefined && outcome.kind !== "event-stream") return;
        wasOpen ||= outcome !== undefined;
        failures++;
        await pause(backOffMs(failures), signal).catch(() => undefined);
      }
    } finally {
      open.listening.resolve();
      releaseStream();
    }
  }
}

/** @param takeStream reserves one long-lived stream and returns what gives it back, or undefined at the cap. */
export function createHttpSession(
  endpoint: HttpEndpoint,
  channel: LegacyChannelKey,
  events: UpstreamEvents,
  takeStream: () => (() => void) | undefined,
): HttpSession {
  return new LegacyHttpSession(endpoint, channel, events, takeStream);
}
