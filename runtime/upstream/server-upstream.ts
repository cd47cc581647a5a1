// The upstream interface as this folder provides it: with the server's own announcement, which pinning needs.
import type { EraEntry } from "#bundle";
import type { ChannelKey, Upstream } from "./upstream.ts";

export interface ServerUpstream extends Upstream {
  /**
   * What the server announces in this channel's era: the answer to `initialize` (kept from the handshake) or to
   * `server/discover` (asked anew).
   * @throws {AegisError} UPSTREAM_PROTOCOL where it does not speak that era; otherwise as `request`.
   */
  readonly announce: (channel: ChannelKey, signal: AbortSignal) => Promise<EraEntry>;
}

/** Map key of a channel. */
export function channelId(channel: ChannelKey): string {
  return channel.era === "modern" ? "modern" : `legacy\0${channel.protocolVersion}\0${channel.session}`;
}
