// Both directions of the bridge against the fixture in one era, with nothing of the gateway around them.
import type { Era, ServerEntry } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { createUpstreamFactory } from "#upstream";
import type { ExchangeObserver, OutboundRequest, ServerUpstream, UpstreamReply } from "#upstream";
import { createBridge } from "../../../runtime/bridge/index.ts";
import type { Bridge, BridgeOptions } from "../../../runtime/bridge/index.ts";
import { startFixtureHost } from "../../servers/conformance-fixture/http-host.ts";
import { LIMITS, Recording, modernRequest } from "../upstream/recording.ts";

export const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
export const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
export const EVERYTHING: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

export interface Peers {
  readonly bridge: Bridge;
  readonly upstream: ServerUpstream;
  readonly entry: Pick<ServerEntry, "id" | "eras">;
  readonly recording: Recording;
  readonly close: () => Promise<void>;
}

export interface PeerOptions extends BridgeOptions {
  /** A server that runs already. */
  readonly url?: string;
  readonly program?: { readonly command: string; readonly args: readonly string[] };
}

/** A server of one era alone, and a bridge to it. */
export async function startPeers(era: Era, options: PeerOptions = {}): Promise<Peers> {
  const bridge = createBridge(options);
  const recording = new Recording();
  const events = {
    ...recording.events,
    onNotification: (
      ...[server, channel, notification]: Parameters<typeof recording.events.onNotification>
    ) => {
      if (!bridge.onNotification(channel, notification))
        recording.events.onNotification(server, channel, notification);
    },
  };
  const { program } = options;
  const host = program === undefined && options.url === undefined ? await startFixtureHost(era) : undefined;
  const url = options.url ?? host?.url;
  const programs = new Map(program === undefined ? [] : [["fixture", program]]);
  const factory = createUpstreamFactory({ programs, events });
  const upstream = factory(
    { id: "peer", eras: { [era]: {} } },
    url === undefined ? { type: "stdio", program: "fixture", args: [] } : { type: "streamable-http", url },
  );
  const channel =
    era === "modern"
      ? ({ era } as const)
      : ({ era, session: "announce", protocolVersion: "2025-11-25" } as const);
  const announced = await upstream.announce(channel, AbortSignal.timeout(15_000));
  await upstream.release(channel);
  return {
    bridge,
    upstream,
    entry: { id: "peer", eras: { [era]: announced } },
    recording,
    close: async () => {
      bridge.close();
      await upstream.close();
      await host?.close();
    },
  };
}

export interface ModernCall {
  readonly method?: string;
  readonly params: JsonObject;
  readonly meta?: JsonObject;
  readonly caller?: string;
  readonly observer?: ExchangeObserver;
  readonly signal?: AbortSignal;
}

/** One request of a modern caller. */
export function callModern(
  { bridge, upstream, entry, recording }: Peers,
  call: ModernCall,
): Promise<UpstreamReply> {
  const request = modernRequest(call.method ?? "tools/call", call.params, {
    [CAPABILITIES]: EVERYTHING,
    ...call.meta,
  });
  const sender = bridge.over({ entry, upstream, bindingKey: call.caller ?? "dana", logLevel: undefined });
  const signal = call.signal ?? AbortSignal.timeout(15_000);
  return sender.request({ era: "modern" }, request, call.observer ?? recording.observer, LIMITS, signal);
}

export interface LegacyCall {
  readonly request: OutboundRequest;
  readonly capabilities?: JsonObject;
  readonly logLevel?: string;
  readonly observer: ExchangeObserver;
  readonly signal?: AbortSignal;
}

/** One request of a legacy caller. */
export function callLegacy({ bridge, upstream, entry }: Peers, call: LegacyCall): Promise<UpstreamReply> {
  const client = { capabilities: call.capabilities ?? EVERYTHING, info: { name: "old", version: "1" } };
  const channel = { era: "legacy", session: "s1", protocolVersion: "2025-11-25", client } as const;
  const sender = bridge.over({ entry, upstream, bindingKey: "dana", logLevel: call.logLevel });
  const signal = call.signal ?? AbortSignal.timeout(15_000);
  return sender.request(channel, call.request, call.observer, LIMITS, signal);
}

export function resultOf(reply: UpstreamReply): JsonObject {
  if (reply.kind === "error") throw new Error(`error ${String(reply.error.code)}: ${reply.error.message}`);
  return reply.result;
}

export function textOf(reply: UpstreamReply): string {
  return JSON.stringify(resultOf(reply)["content"] ?? null);
}

/** The entries of an `input_required` result. */
export function entriesOf(reply: UpstreamReply): Readonly<Record<string, JsonObject>> {
  const result = resultOf(reply);
  if (result["resultType"] !== "input_required")
    throw new Error(`not input_required: ${JSON.stringify(result)}`);
  return result["inputRequests"] as unknown as Readonly<Record<string, JsonObject>>;
}

const ANSWERS: Readonly<Record<string, JsonObject>> = {
  "elicitation/create": {
    action: "accept",
    content: { name: "Ada", color: "red", username: "ada", email: "a@b.c", ok: true, context: "c" },
  },
  "sampling/createMessage": { role: "assistant", content: { type: "text", text: "Paris" }, model: "m" },
  "roots/list": { roots: [{ uri: "file:///work" }] },
};

export function answerTo(method: JsonValue | undefined): JsonObject {
  return ANSWERS[String(method)] ?? {};
}

/** Answers to every entry, as a client gives them. */
export function answersTo(entries: Readonly<Record<string, JsonObject>>): JsonObject {
  return Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, answerTo(entry["method"])]));
}
