// An upstream over stdio: one process shared by all modern callers, and one process for each legacy session, which is
// never shared.
import type { Era, EraEntry, ServerId } from "#bundle";
import type { JsonObject } from "#std";
import { MAX_HANDSHAKE_BYTES, SILENT_OBSERVER, discoverRequest, modernEntry } from "./handshake.ts";
import { channelId } from "./server-upstream.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { createStdioChannel } from "./stdio-channel.ts";
import type { ProcessBudget, StdioChannel } from "./stdio-channel.ts";
import type { ProgramEntry } from "./stdio-process.ts";
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { UpstreamFault, abortFault } from "./upstream-fault.ts";
import type {
  ChannelKey,
  ExchangeObserver,
  OutboundRequest,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";

export interface StdioUpstreamOptions {
  readonly server: ServerId;
  readonly eras: readonly Era[];
  readonly program: ProgramEntry;
  /** Arguments of the registry entry, after those of the program. */
  readonly args: readonly string[];
  readonly events: UpstreamEvents;
  readonly budget: ProcessBudget;
  readonly onStderr: (server: ServerId, text: string) => void;
  readonly monotonicMs: () => number;
}

class StdioUpstream implements ServerUpstream {
  readonly server: ServerId;
  readonly #options: StdioUpstreamOptions;
  readonly #channels = new Map<string, StdioChannel>();
  #closed = false;

  constructor(options: StdioUpstreamOptions) {
    this.#options = options;
    this.server = options.server;
  }

  readonly request = async (
    channel: ChannelKey,
    request: OutboundRequest,
    observer: ExchangeObserver,
    limits: { readonly maxResponseBytes: number },
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    if (signal.aborted) throw abortFault(signal);
    return this.#channel(channel).request(request, observer, limits.maxResponseBytes, signal);
  };

  readonly announce = async (channel: ChannelKey, signal: AbortSignal): Promise<EraEntry> => {
    const kept = await this.#channel(channel).announce(signal);
    if (kept !== undefined) return kept;
    return modernEntry(
      await this.request(
        channel,
        discoverRequest(),
        SILENT_OBSERVER,
        { maxResponseBytes: MAX_HANDSHAKE_BYTES },
        signal,
      ),
    );
  };

  readonly notify = async (
    channel: ChannelKey,
    notification: JsonObject,
    signal: AbortSignal,
  ): Promise<void> => {
    if (signal.aborted) throw abortFault(signal);
    // Modern clients have no notification to send but cancellations, which travel with their request.
    if (channel.era === "legacy") this.#channels.get(channelId(channel))?.notify(notification);
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

  #channel(channel: ChannelKey): StdioChannel {
    const key = channelId(channel);
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    if (this.#closed || this.#channels.size >= UPSTREAM_CAPS.maxLegacyChannels) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "no further channel can be opened", { unsent: true });
    }
    const { server, program, args, events, budget, monotonicMs } = this.#options;
    const onStderr = (text: string): void => this.#options.onStderr(server, text);
    const opened = createStdioChannel({
      server,
      channel,
      program,
      args,
      events,
      budget,
      onStderr,
      monotonicMs,
    });
    this.#channels.set(key, opened);
    return opened;
  }
}

/** An upstream over stdio. Starts processes on first use. */
export function createStdioUpstream(options: StdioUpstreamOptions): ServerUpstream {
  return new StdioUpstream(options);
}
