// An upstream over Streamable HTTP. Modern requests are stateless and share one correlator; each legacy channel is a
// session. No header of the caller and no cookie leaves: only what is written here and the configured credential.
import type { Era, EraEntry, ServerId } from "#bundle";
import type { JsonObject } from "#std";
import { createCorrelator } from "./correlate.ts";
import type { Correlator } from "./correlate.ts";
import { modernHeaders } from "./envelope.ts";
import { MAX_HANDSHAKE_BYTES, SILENT_OBSERVER, discover } from "./handshake.ts";
import { sendHttpRequest } from "./http-request.ts";
import type { LargeMessages } from "./large-message.ts";
import type { HttpPools } from "./http-pools.ts";
import type { HttpEndpoint } from "./http-request.ts";
import { createHttpSession } from "./http-session.ts";
import type { HttpSession } from "./http-session.ts";
import { channelId } from "./server-upstream.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault } from "./upstream-fault.ts";
import type {
  ChannelKey,
  ExchangeObserver,
  LegacyChannelKey,
  OutboundRequest,
  RequestLimits,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";

export interface HttpUpstreamOptions {
  readonly server: ServerId;
  readonly eras: readonly Era[];
  /** The MCP endpoint. */
  readonly url: URL;
  /** For the origin of `url`; destroyed with the upstream. */
  readonly pools: HttpPools;
  readonly events: UpstreamEvents;
  readonly largeMessages?: LargeMessages | undefined;
}

class HttpUpstream implements ServerUpstream {
  readonly server: ServerId;
  readonly #options: HttpUpstreamOptions;
  readonly #endpoint: HttpEndpoint;
  readonly #modern: Correlator;
  readonly #sessions = new Map<string, HttpSession>();
  #inFlight = 0;
  #openStreams = 0;
  /** Ends of sessions that are under way. */
  readonly #releases = new Set<Promise<void>>();
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(options: HttpUpstreamOptions) {
    this.#options = options;
    this.server = options.server;
    const { server, url, pools, largeMessages } = options;
    const { calls, streams } = pools;
    this.#endpoint = { server, path: url.pathname + url.search, calls, streams, largeMessages };
    const noServerRequests = (): Promise<void> => Promise.resolve();
    this.#modern = createCorrelator({
      server,
      channel: { era: "modern" },
      events: options.events,
      answer: noServerRequests,
    });
  }

  readonly request = async (
    channel: ChannelKey,
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    if (signal.aborted) throw abortFault(signal);
    if (this.#closed)
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "the upstream was closed", { unsent: true });
    if (this.#inFlight >= UPSTREAM_CAPS.maxInFlightPerUpstream) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "too many requests are under way", { unsent: true });
    }
    if (channel.era === "modern" && request.method === "subscriptions/listen")
      return this.#subscribe(request, observer, limits, signal);
    this.#inFlight++;
    try {
      if (channel.era === "legacy")
        return await this.#session(channel).request(request, observer, limits, signal);
      return await this.#sendModern(request, observer, limits, false, signal);
    } finally {
      this.#inFlight--;
    }
  };

  readonly announce = async (channel: ChannelKey, signal: AbortSignal): Promise<EraEntry> => {
    if (channel.era === "legacy") return this.#session(channel).announce(signal);
    const limits = { maxResponseBytes: MAX_HANDSHAKE_BYTES };
    return discover((request) => this.request(channel, request, SILENT_OBSERVER, limits, signal));
  };

  readonly notify = async (
    channel: ChannelKey,
    notification: JsonObject,
    signal: AbortSignal,
  ): Promise<void> => {
    await this.#sessions.get(channelId(channel))?.notify(notification, signal);
  };

  readonly release = async (channel: ChannelKey): Promise<void> => {
    const key = channelId(channel);
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    if (session !== undefined) await this.#end(session, "the channel was released");
  };

  readonly close = (): Promise<void> => {
    this.#closing ??= this.#close();
    return this.#closing;
  };

  async #close(): Promise<void> {
    this.#closed = true;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    this.#modern.failAll(new UpstreamFault("EXCHANGE_ABORTED", "the upstream was closed"));
    const reason = "the upstream was closed";
    await Promise.all([...this.#releases, ...sessions.map((session) => this.#end(session, reason))]);
    await this.#options.pools.destroy();
  }

  /** A server that is told too late that a session is over keeps it. */
  async #end(session: HttpSession, reason: string): Promise<void> {
    const release = session.release(reason);
    this.#releases.add(release);
    await release.finally(() => this.#releases.delete(release));
  }

  readonly describe = (): {
    readonly server: ServerId;
    readonly eras: readonly Era[];
    readonly openChannels: number;
  } => ({
    server: this.server,
    eras: this.#options.eras,
    openChannels: this.#sessions.size + (this.#modern.pendingCount() > 0 ? 1 : 0),
  });

  async #subscribe(
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ): Promise<UpstreamReply> {
    const giveBack = this.#takeStream();
    if (giveBack === undefined)
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "too many streams are open", { unsent: true });
    try {
      return await this.#sendModern(request, observer, limits, true, signal);
    } finally {
      giveBack();
    }
  }

  #sendModern(
    request: OutboundRequest,
    observer: ExchangeObserver,
    { maxResponseBytes, onLarge }: RequestLimits,
    longLived: boolean,
    signal: AbortSignal,
  ): Promise<UpstreamReply> {
    const headers = modernHeaders(request);
    const pending = this.#modern.open(request, observer, onLarge);
    return sendHttpRequest(
      this.#endpoint,
      this.#modern,
      pending,
      { headers, maxResponseBytes, longLived },
      signal,
    );
  }

  readonly #takeStream = (): (() => void) | undefined => {
    if (this.#openStreams >= UPSTREAM_CAPS.maxStreamsPerUpstream) return undefined;
    this.#openStreams++;
    let given = false;
    return () => {
      if (!given) this.#openStreams--;
      given = true;
    };
  };

  #session(channel: LegacyChannelKey): HttpSession {
    const key = channelId(channel);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#closed || this.#sessions.size >= UPSTREAM_CAPS.maxLegacyChannels) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "no further legacy session can be opened", {
        unsent: true,
      });
    }
    const session = createHttpSession(this.#endpoint, channel, this.#options.events, this.#takeStream);
    this.#sessions.set(key, session);
    return session;
  }
}

/** An upstream over Streamable HTTP. Connects on first use. */
export function createHttpUpstream(options: HttpUpstreamOptions): ServerUpstream {
  return new HttpUpstream(options);
}
