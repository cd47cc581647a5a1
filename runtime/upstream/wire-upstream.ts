// An upstream over wires (stdio, HTTP+SSE, WebSocket): one wire shared by all modern callers, and one for each legacy
// session, which is never shared.
import { hash } from "node:crypto";
import type { Era, EraEntry, ServerId } from "#bundle";
import type { JsonObject } from "#std";
import { MAX_HANDSHAKE_BYTES, SILENT_OBSERVER, discover, initializeRequest } from "./handshake.ts";
import type { LargeMessages } from "./large-message.ts";
import { createHandshakeDelays, createRestartBackOff } from "./restart-back-off.ts";
import type { RestartBackOff } from "./restart-back-off.ts";
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
import { createWireChannel } from "./wire-channel.ts";
import type { WireChannel } from "./wire-channel.ts";
import type { Patience } from "./wire-liveness.ts";
import type { OpenWire, Wire, WireEvents } from "./wire.ts";

export interface WireUpstreamOptions {
  readonly server: ServerId;
  readonly eras: readonly Era[];
  readonly open: OpenWire;
  readonly events: UpstreamEvents;
  readonly monotonicMs: () => number;
  readonly largeMessages?: LargeMessages | undefined;
  /** How long the modern channel stays open without a request; default `UPSTREAM_CAPS.idleWireMs`. */
  readonly idleMs?: number | undefined;
  /** With a server that says nothing; default `UPSTREAM_CAPS.patience`. */
  readonly patience?: Patience | undefined;
  /** Gives back what all wires share, after the last of them closed. */
  readonly dispose?: () => Promise<void>;
}

/** What a legacy server is told when its channel is opened, as a digest: clients choose its length. */
function handshakeOf(channel: LegacyChannelKey): string {
  return hash("sha256", JSON.stringify(initializeRequest(channel).params), "base64url");
}

class WireUpstream implements ServerUpstream {
  readonly server: ServerId;
  readonly #options: WireUpstreamOptions;
  readonly #channels = new Map<string, WireChannel>();
  readonly #modernRestarts: RestartBackOff;
  readonly #legacyRestarts: (handshake: string) => RestartBackOff;
  /** All that are open, those of channels that were released included. */
  readonly #wires = new Map<WireEvents, Wire>();
  #closed = false;

  constructor(options: WireUpstreamOptions) {
    this.#options = options;
    this.server = options.server;
    this.#modernRestarts = createRestartBackOff(options.monotonicMs);
    this.#legacyRestarts = createHandshakeDelays(options.monotonicMs);
  }

  readonly request = async (
    channel: ChannelKey,
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: RequestLimits,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    if (signal.aborted) throw abortFault(signal);
    return this.#channel(channel).request(request, observer, limits, signal);
  };

  readonly announce = async (channel: ChannelKey, signal: AbortSignal): Promise<EraEntry> => {
    if (signal.aborted) throw abortFault(signal);
    const kept = await this.#channel(channel).announce(signal);
    if (kept !== undefined) return kept;
    const limits = { maxResponseBytes: MAX_HANDSHAKE_BYTES };
    return discover((request) => this.request(channel, request, SILENT_OBSERVER, limits, signal));
  };

  readonly notify = async (
    channel: ChannelKey,
    notification: JsonObject,
    signal: AbortSignal,
  ): Promise<void> => {
    if (signal.aborted) throw abortFault(signal);
    // Modern clients have no notification to send but cancellations, which travel with their request.
    if (channel.era === "legacy") await this.#channels.get(channelId(channel))?.notify(notification);
  };

  readonly release = async (channel: ChannelKey): Promise<void> => {
    const key = channelId(channel);
    const open = this.#channels.get(key);
    this.#channels.delete(key);
    await open?.release("the channel was released");
  };

  readonly close = async (): Promise<void> => {
    this.#closed = true;
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    await Promise.all(channels.map((channel) => channel.release("the upstream was closed")));
    await Promise.all([...this.#wires.values()].map((wire) => wire.stop()));
    await this.#options.dispose?.();
  };

  readonly describe = (): {
    readonly server: ServerId;
    readonly eras: readonly Era[];
    readonly openChannels: number;
  } => ({
    server: this.server,
    eras: this.#options.eras,
    openChannels: [...this.#channels.values()].filter((channel) => channel.isOpen()).length,
  });

  readonly #open: OpenWire = (events) => {
    let isOver = false;
    const wire = this.#options.open({
      ...events,
      onClosed: (reason) => {
        isOver = true;
        this.#wires.delete(events);
        events.onClosed(reason);
      },
    });
    if (!isOver) this.#wires.set(events, wire);
    return wire;
  };

  #channel(channel: ChannelKey): WireChannel {
    const key = channelId(channel);
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    if (this.#closed || this.#channels.size >= UPSTREAM_CAPS.maxLegacyChannels) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "no further channel can be opened", { unsent: true });
    }
    const { server, events, monotonicMs, largeMessages, idleMs, patience } = this.#options;
    const shared = { server, open: this.#open, events, monotonicMs, largeMessages, idleMs, patience };
    const restarts =
      channel.era === "modern" ? this.#modernRestarts : this.#legacyRestarts(handshakeOf(channel));
    const opened = createWireChannel({ ...shared, channel, restarts });
    this.#channels.set(key, opened);
    return opened;
  }
}

/** An upstream over wires. Opens them on first use. */
export function createWireUpstream(options: WireUpstreamOptions): ServerUpstream {
  return new WireUpstream(options);
}
