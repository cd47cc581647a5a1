// Observers and events that keep what they were given, and a wait for it without sleeping.
import type { ServerId } from "#bundle";
import type { JsonObject } from "#std";
import type {
  ChannelKey,
  ExchangeObserver,
  LegacyChannelKey,
  OutboundRequest,
  UpstreamEvents,
  UpstreamReply,
} from "#upstream";

export const MODERN: ChannelKey = { era: "modern" };
export const LIMITS = { maxResponseBytes: 1_000_000 };

export function legacyChannel(session = "s1", protocolVersion = "2025-11-25"): LegacyChannelKey {
  return { era: "legacy", session, protocolVersion };
}

export function modernRequest(
  method: string,
  params: JsonObject = {},
  meta: JsonObject = {},
): OutboundRequest {
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    ...meta,
  };
  return { method, params: { ...params, _meta: envelope }, paramHeaders: {} };
}

export function legacyRequest(method: string, params?: JsonObject): OutboundRequest {
  return { method, params, paramHeaders: {} };
}

export function callTool(name: string, args: JsonObject = {}, meta: JsonObject = {}): OutboundRequest {
  return modernRequest("tools/call", { name, arguments: args }, meta);
}

export class Recording {
  readonly notifications: JsonObject[] = [];
  readonly serverRequests: JsonObject[] = [];
  readonly channelNotifications: JsonObject[] = [];
  readonly channelRequests: JsonObject[] = [];
  readonly closed: { readonly channel: ChannelKey; readonly reason: string }[] = [];
  readonly violations: string[] = [];
  reply: UpstreamReply = { kind: "error", error: { code: -32601, message: "no" } };
  #waiting: (() => void)[] = [];

  readonly observer: ExchangeObserver = {
    onNotification: (notification) => this.#keep(this.notifications, notification),
    onServerRequest: (request) => {
      this.#keep(this.serverRequests, request);
      return Promise.resolve(this.reply);
    },
  };

  readonly events: UpstreamEvents = {
    onNotification: (_server: ServerId, _channel, notification) =>
      this.#keep(this.channelNotifications, notification),
    onServerRequest: (_server, _channel, request) => {
      this.#keep(this.channelRequests, request);
      return Promise.resolve(this.reply);
    },
    onClosed: (_server, channel, reason) => this.#keep(this.closed, { channel, reason }),
    onProtocolViolation: (_server, detail) => this.#keep(this.violations, detail),
  };

  /** Resolves as soon as `condition` holds; the test's own timeout is the bound. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #keep<T>(list: T[], item: T): void {
    list.push(item);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** The code of the AegisError that `work` rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error && "code" in error
      ? String(error.code)
      : `not an AegisError: ${String(error)}`;
  }
  return "no error";
}
