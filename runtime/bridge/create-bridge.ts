// The bridge of one gateway: makes a server of one era look like one of the other, behind the interface of an upstream.
// It decides nothing: what a server asks passes the caller's own observer or answer, which are governed like any other.
import type { JsonObject } from "#std";
import type { ChannelKey, Upstream } from "#upstream";
import { requestModern } from "./legacy-to-modern.ts";
import { requestLegacy } from "./modern-to-legacy.ts";
import type { BridgedServer } from "./modern-to-legacy.ts";
import { ParkedCalls } from "./parked-calls.ts";
import type { ParkLimits } from "./parked-calls.ts";
import { SessionPool } from "./session-pool.ts";
import type { PoolLimits } from "./session-pool.ts";

export interface BridgeCaller extends BridgedServer {
  /** Level that the client of a legacy session set. */
  readonly logLevel: string | undefined;
}

export interface Bridge {
  /**
   * A server as the caller's era knows it: channel, request, reply and what the observer is told are all of that era.
   * A reply `input_required` stands for a call that goes on running; its `requestState` serves the same caller once.
   */
  readonly over: (caller: BridgeCaller) => Pick<Upstream, "request">;
  /** The caller was refused a reply `input_required`: the call that it stands for ends. Any other result is ignored. */
  readonly discard: (bindingKey: string, result: JsonObject) => void;
  /** A notification of a channel of the bridge's own that belongs to no request; false for another's channel. */
  readonly onNotification: (channel: ChannelKey, notification: JsonObject) => boolean;
  /** A channel is gone; what the server was told in it is forgotten. */
  readonly onClosed: (channel: ChannelKey) => void;
  /** A change of the release: sessions that no call uses end. */
  readonly onSwap: () => void;
  readonly describe: () => { readonly sessions: number; readonly parkedCalls: number };
  readonly close: () => void;
}

export interface BridgeOptions {
  readonly pool?: PoolLimits;
  readonly park?: ParkLimits;
}

export function createBridge(options: BridgeOptions = {}): Bridge {
  const pool = new SessionPool(options.pool);
  const parked = new ParkedCalls(options.park);
  return {
    over: (caller) => ({
      request: (channel, request, observer, limits, signal) => {
        if (channel.era === "modern")
          return requestLegacy({ pool, parked }, caller, request, observer, limits, signal);
        const legacy = { client: channel.client ?? { capabilities: {} }, logLevel: caller.logLevel };
        return requestModern(caller.upstream, legacy, request, observer, limits, signal);
      },
    }),
    discard: (bindingKey, { resultType, requestState }) => {
      if (resultType === "input_required" && typeof requestState === "string")
        parked.cancel(requestState, bindingKey);
    },
    onNotification: (channel, notification) => {
      const session = channel.era === "legacy" ? pool.find(channel) : undefined;
      // On a shared wire a message can be attributed only while a single call is under way.
      const [only, ...others] = session?.calls ?? [];
      if (others.length === 0) only?.onNotification(notification);
      return session !== undefined;
    },
    onClosed: (channel) => {
      const session = channel.era === "legacy" ? pool.find(channel) : undefined;
      if (session !== undefined) session.logLevel = undefined;
    },
    onSwap: () => pool.releaseIdle(),
    describe: () => ({ sessions: pool.size, parkedCalls: parked.size }),
    close: () => {
      parked.close();
      pool.close();
    },
  };
}
