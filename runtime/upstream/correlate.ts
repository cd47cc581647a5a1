// Correlation of one channel: gateway ids and progress tokens out, the caller's back in, and exactly one settlement
// for each request. Everything a peer may not send ends here as a protocol violation and is dropped.
import { UPSTREAM_CAPS } from "./upstream-caps.ts";
import { META_SUBSCRIPTION_ID } from "./envelope.ts";
import { NOBODY_TO_ASK } from "./handshake.ts";
import type { LargeMessage } from "./large-message.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { AegisError } from "#errors";
import type { Era, ServerId } from "#bundle";
import type {
  NotificationMessage,
  RequestId,
  RequestMessage,
  ServerMessage,
  ServerResponseMessage,
} from "#mcp";
import type { JsonObject, JsonValue } from "#std";
import { IdTable, isJsonObject } from "#std";
import type {
  ChannelKey,
  ExchangeObserver,
  OutboundRequest,
  RequestLimits,
  UpstreamEvents,
  UpstreamReply,
} from "./upstream.ts";

/** One request that waits for its answer. */
export interface PendingExchange {
  /** Unique in this process: two channels never share an id. */
  readonly id: number;
  /** The JSON-RPC message to send. */
  readonly wire: JsonObject;
  /** Settles exactly once. */
  readonly reply: Promise<UpstreamReply>;
  readonly settled: () => boolean;
  /** Its answer may be handed on unread. */
  readonly takesLarge: boolean;
  /** As its observer's. */
  readonly pressure: ExchangeObserver["pressure"];
  readonly onPolled: ExchangeObserver["onPolled"];
  readonly onReceived: ExchangeObserver["onReceived"];
  /** Rejects the reply; false where it was settled already. A late answer to it is then no violation. */
  readonly fail: (error: AegisError) => boolean;
}

export interface Correlator {
  readonly open: (
    request: OutboundRequest,
    observer: ExchangeObserver,
    onLarge?: RequestLimits["onLarge"],
  ) => PendingExchange;
  /**
   * Takes one message of the upstream. `scope` is the id of the request on whose own stream it came (HTTP); absent
   * on a channel shared by all requests (stdio, legacy GET stream).
   */
  readonly accept: (message: ServerMessage, scope?: number) => void;
  /** Takes a message whose content nobody read. Only answers to requests that asked for it keep theirs. */
  readonly acceptLarge: (message: LargeMessage, scope?: number) => void;
  readonly violation: (detail: string) => void;
  readonly failAll: (error: AegisError) => void;
  readonly pendingCount: () => number;
}

export interface CorrelatorOptions {
  readonly server: ServerId;
  readonly channel: ChannelKey;
  readonly events: UpstreamEvents;
  /** Sends our answer to a server-initiated request. */
  readonly answer: (message: JsonObject) => Promise<void>;
}

interface Pending {
  readonly method: string;
  readonly observer: ExchangeObserver;
  readonly callerToken: JsonValue | undefined;
  readonly callerId: RequestId | undefined;
  readonly onLarge: RequestLimits["onLarge"];
  readonly resolve: (reply: UpstreamReply) => void;
  readonly reject: (error: AegisError) => void;
}

let lastId = 0;

const CHANNEL_NOTIFICATIONS: ReadonlySet<string> = new Set([
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
  "notifications/resources/updated",
]);

function withMeta(params: JsonObject | undefined, meta: JsonObject): JsonObject {
  return { ...params, _meta: meta };
}

function metaOf(params: JsonObject | undefined): JsonObject | undefined {
  const meta = params?.["_meta"];
  return isJsonObject(meta) ? meta : undefined;
}

function notificationJson(message: NotificationMessage, params: JsonObject | undefined): JsonObject {
  const base = { jsonrpc: "2.0", method: message.method };
  return params === undefined ? base : { ...base, params };
}

/** Replaces the subscription id by the caller's, or takes it out where the caller did not say what it is. */
function mapSubscription(
  params: JsonObject | undefined,
  callerId: RequestId | undefined,
): JsonObject | undefined {
  const meta = metaOf(params);
  if (meta?.[META_SUBSCRIPTION_ID] === undefined) return params;
  const { [META_SUBSCRIPTION_ID]: _own, ...rest } = meta;
  return withMeta(params, callerId === undefined ? rest : { ...rest, [META_SUBSCRIPTION_ID]: callerId });
}

function toReply(message: ServerResponseMessage, pending: Pending): UpstreamReply {
  if (message.error !== undefined) {
    const { code, message: text, data } = message.error;
    if (typeof code !== "number" || !Number.isSafeInteger(code) || typeof text !== "string") {
      throw new UpstreamFault("UPSTREAM_PROTOCOL", "an error answer without integer code and string message");
    }
    return {
      kind: "error",
      error: data === undefined ? { code, message: text } : { code, message: text, data },
    };
  }
  if (message.result === undefined)
    throw new UpstreamFault("UPSTREAM_PROTOCOL", "an answer without a result");
  const meta = metaOf(message.result);
  if (meta?.[META_SUBSCRIPTION_ID] === undefined) return { kind: "result", result: message.result };
  return { kind: "result", result: mapSubscription(message.result, pending.callerId) ?? {} };
}

class ChannelCorrelator implements Correlator {
  readonly #options: CorrelatorOptions;
  readonly #era: Era;
  readonly #pending = new IdTable<Pending>();
  /** Cancelled or failed ids, oldest first. */
  readonly #abandoned = new Set<number>();
  /** Requests of the server that are not answered yet; aborted where it withdraws them. */
  readonly #serverRequests = new Map<RequestId, AbortController>();

  constructor(options: CorrelatorOptions) {
    this.#options = options;
    this.#era = options.channel.era;
  }

  readonly violation = (detail: string): void =>
    this.#options.events.onProtocolViolation(this.#options.server, detail);
  readonly pendingCount = (): number => this.#pending.size;

  readonly open = (
    request: OutboundRequest,
    observer: ExchangeObserver,
    onLarge?: RequestLimits["onLarge"],
  ): PendingExchange => {
    if (this.#pending.size >= UPSTREAM_CAPS.maxPendingPerChannel) {
      throw new UpstreamFault("UPSTREAM_UNAVAILABLE", "too many requests wait on this channel", {
        unsent: true,
      });
    }
    const id = ++lastId;
    const meta = metaOf(request.params);
    const callerToken = meta?.["progressToken"];
    const params =
      meta === undefined || callerToken === undefined
        ? request.params
        : withMeta(request.params, { ...meta, progressToken: id });
    const base = { jsonrpc: "2.0", id, method: request.method };
    const wire: JsonObject = params === undefined ? base : { ...base, params };
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamReply>();
    // Whoever abandons the exchange may not be waiting any more.
    promise.catch(() => undefined);
    this.#pending.set(id, {
      method: request.method,
      observer,
      callerToken,
      callerId: request.callerId,
      onLarge,
      resolve,
      reject,
    });
    const fail = (error: AegisError): boolean => this.#fail(id, error);
    const settled = (): boolean => !this.#pending.has(id);
    return {
      id,
      wire,
      reply: promise,
      settled,
      takesLarge: onLarge !== undefined,
      pressure: observer.pressure,
      onPolled: observer.onPolled,
      onReceived: observer.onReceived,
      fail,
    };
  };

  readonly failAll = (error: AegisError): void => {
    for (const id of this.#pending.ids()) this.#fail(id, error);
    for (const withdrawn of this.#serverRequests.values()) withdrawn.abort(error);
  };

  readonly accept = (message: ServerMessage, scope?: number): void => {
    try {
      this.#dispatch(message, scope);
    } catch (error) {
      // Observers promise not to throw. One that does must not take the channel of everybody else down.
      this.violation(`a message could not be handed on: ${String(error)}`);
    }
  };

  readonly acceptLarge = ({ envelope, bytes }: LargeMessage, scope?: number): void => {
    // A list that changed is told without its parameters; any other notification is nothing without them.
    if (envelope.kind === "notification" && !envelope.method.endsWith("/list_changed"))
      return this.violation(`${envelope.method} of ${String(bytes.byteLength)} bytes`);
    try {
      this.#dispatch(envelope, scope, bytes);
    } catch (error) {
      this.violation(`a message could not be handed on: ${String(error)}`);
    }
  };

  #dispatch(message: ServerMessage, scope: number | undefined, large?: Uint8Array): void {
    switch (message.kind) {
      case "response":
        this.#onResponse(message, scope, large);
        return;
      case "notification":
        this.#onNotification(message, scope);
        return;
      case "request":
        this.#onRequest(message, scope);
        return;
      default:
        this.violation("a message of unknown kind");
    }
  }

  #fail(id: number, error: AegisError): boolean {
    const pending = this.#pending.take(id);
    if (pending === undefined) return false;
    this.#abandoned.add(id);
    if (this.#abandoned.size > UPSTREAM_CAPS.maxAbandonedIds) {
      for (const oldest of this.#abandoned) {
        this.#abandoned.delete(oldest);
        break;
      }
    }
    pending.reject(error);
    return true;
  }

  #onResponse(message: ServerResponseMessage, scope: number | undefined, large?: Uint8Array): void {
    // `id: null` is an error about a message whose id the server could not read: on its own stream, this request.
    const id = message.id ?? scope;
    if (typeof id !== "number")
      return this.violation("an answer whose id has another type than the request's");
    if (scope !== undefined && id !== scope)
      return this.violation("an answer on the stream of another request");
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      if (this.#abandoned.delete(id)) return;
      return this.violation("an answer to an unknown or already answered id");
    }
    try {
      const reply = toReply(message, pending);
      if (large !== undefined) {
        if (pending.onLarge === undefined)
          throw new UpstreamFault("RESULT_TOO_LARGE", "a large answer to a request of the gateway's own");
        pending.onLarge(large);
      }
      this.#pending.take(id);
      pending.resolve(reply);
    } catch (error) {
      const fault =
        error instanceof UpstreamFault
          ? error
          : new UpstreamFault("UPSTREAM_PROTOCOL", "a malformed answer", { cause: error });
      this.violation(fault.detail);
      this.#fail(id, fault);
      this.#abandoned.delete(id);
    }
  }

  #onNotification(message: NotificationMessage, scope: number | undefined): void {
    switch (message.method) {
      case "notifications/progress":
        return this.#onProgress(message, scope);
      case "notifications/cancelled":
        return this.#onCancelled(message);
      default:
    }
    const { server, channel, events } = this.#options;
    if (CHANNEL_NOTIFICATIONS.has(message.method))
      events.onNotification(server, channel, notificationJson(message, message.params));
    if (CHANNEL_NOTIFICATIONS.has(message.method) && this.#era === "legacy") return;
    const owner = scope ?? this.#subscriptionOf(message);
    const pending = owner === undefined ? undefined : this.#pending.get(owner);
    if (pending !== undefined) {
      pending.observer.onNotification(
        notificationJson(message, mapSubscription(message.params, pending.callerId)),
      );
      return;
    }
    if (scope !== undefined) return this.violation(`${message.method} after the answer of its stream`);
    if (this.#era === "modern") return this.violation(`${message.method} that belongs to no request`);
    events.onNotification(server, channel, notificationJson(message, message.params));
  }

  #subscriptionOf(message: NotificationMessage): number | undefined {
    const id = metaOf(message.params)?.[META_SUBSCRIPTION_ID];
    return typeof id === "number" ? id : undefined;
  }

  #onProgress(message: NotificationMessage, scope: number | undefined): void {
    const token = message.params?.["progressToken"];
    const pending = typeof token === "number" ? this.#pending.get(token) : undefined;
    if (pending?.callerToken === undefined) {
      if (typeof token === "number" && this.#abandoned.has(token)) return;
      return this.violation("progress for an unknown token");
    }
    if (scope !== undefined && token !== scope)
      return this.violation("progress on the stream of another request");
    pending.observer.onNotification(
      notificationJson(message, { ...message.params, progressToken: pending.callerToken }),
    );
  }

  /** A server ends a `subscriptions/listen` of a shared channel this way; every other use is not for us. */
  #onCancelled(message: NotificationMessage): void {
    const id = message.params?.["requestId"];
    const pending = typeof id === "number" ? this.#pending.get(id) : undefined;
    if (typeof id !== "number" || pending?.method !== "subscriptions/listen") {
      // Legacy servers withdraw their own requests this way.
      if (this.#era === "legacy") return this.#withdraw(message.params?.["requestId"]);
      return this.violation("a cancellation of something the server may not cancel");
    }
    this.#fail(id, new UpstreamFault("UPSTREAM_UNAVAILABLE", "the server ended the subscription"));
  }

  #onRequest(message: RequestMessage, scope: number | undefined): void {
    if (this.#era === "modern")
      return this.violation(`a server-initiated request (${message.method}) in the modern era`);
    if (this.#serverRequests.has(message.id))
      return this.violation("a server request that reuses an id in use");
    if (this.#serverRequests.size >= UPSTREAM_CAPS.maxServerRequests)
      return this.violation("too many server requests at once");
    const withdrawn = new AbortController();
    this.#serverRequests.set(message.id, withdrawn);
    this.#replyTo(message, scope, withdrawn.signal)
      .then((reply) => {
        if (withdrawn.signal.aborted) return undefined;
        return this.#options.answer({ jsonrpc: "2.0", id: message.id, ...this.#replyJson(reply) });
      })
      .catch((error: unknown) =>
        this.violation(`an answer to a server request could not be delivered: ${String(error)}`),
      )
      .finally(() => this.#serverRequests.delete(message.id));
  }

  #withdraw(id: JsonValue | undefined): void {
    if (typeof id !== "string" && typeof id !== "number") return;
    this.#serverRequests
      .get(id)
      ?.abort(new UpstreamFault("EXCHANGE_ABORTED", "the server withdrew its request"));
  }

  #replyJson(reply: UpstreamReply): JsonObject {
    return reply.kind === "result" ? { result: reply.result } : { error: { ...reply.error } };
  }

  async #replyTo(
    message: RequestMessage,
    scope: number | undefined,
    withdrawn: AbortSignal,
  ): Promise<UpstreamReply> {
    if (message.method === "ping") return { kind: "result", result: {} };
    const { events, server, channel } = this.#options;
    if (channel.era === "legacy" && channel.client?.isReader === true) return NOBODY_TO_ASK;
    const base = { jsonrpc: "2.0", id: message.id, method: message.method };
    const request: JsonObject = message.params === undefined ? base : { ...base, params: message.params };
    try {
      const pending = this.#pending.get(scope ?? this.#onlyPending() ?? -1);
      if (pending !== undefined) return await pending.observer.onServerRequest(request, withdrawn);
      return await events.onServerRequest(server, channel, request, withdrawn);
    } catch {
      return { kind: "error", error: { code: -32603, message: "Internal error" } };
    }
  }

  /** On a shared channel a server request can be attributed only while a single request is under way. */
  #onlyPending(): number | undefined {
    return this.#pending.size === 1 ? this.#pending.ids()[0] : undefined;
  }
}

/** Makes the correlator of one channel. Ids are unique in this process across all correlators. */
export function createCorrelator(options: CorrelatorOptions): Correlator {
  return new ChannelCorrelator(options);
}
