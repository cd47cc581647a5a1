// The gateway's own subscription at one server. It follows the set of URIs that somebody waits for, and is made again
// after a failure for as long as there are any.
import { randomUUID } from "node:crypto";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { LATEST_LEGACY_PROTOCOL_VERSION, gatewayEnvelope } from "#upstream";
import type { ChannelKey, ExchangeObserver, ServerUpstream } from "#upstream";
import { FLAG_OF_KIND } from "./visible-views.ts";
import type { ListKind } from "./visible-views.ts";

export interface UpdateFeedOptions {
  readonly upstream: () => ServerUpstream | undefined;
  readonly uris: () => readonly string[];
  /** Lists whose changes are wanted; of modern servers alone. */
  readonly lists: () => readonly ListKind[];
  readonly onNotification: (notification: JsonObject) => void;
  readonly onFault: (detail: string) => void;
}

export interface UpdateFeed {
  /** Channel of a legacy server, by which its notifications are told apart. */
  readonly session: string | undefined;
  /** The set of URIs is another. */
  readonly changed: () => void;
  /** Settles once the server has taken the set of now, has refused it, is away or has let a second pass. Never rejects. */
  readonly settled: () => Promise<void>;
  /** The server or its channel is gone. */
  readonly lost: () => void;
  readonly close: () => void;
}

/** URIs that come together make one subscription. */
const SETTLE_MS = 20;
/** A listen that is not acknowledged by then is waited for no more, by nobody. */
const MAX_SETTLE_WAIT_MS = 1_000;
const FIRST_BACK_OFF_MS = 200;
const MAX_BACK_OFF_MS = 30_000;
const LIMITS = { maxResponseBytes: 262_144 };
const REQUEST_TIMEOUT_MS = 10_000;

const REFUSED = { kind: "error", error: { code: -32601, message: "Method not found" } } as const;

/** Runs `act` once a little later, or after a growing delay where the last one failed. One timer, never two. */
class Pacer {
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(act: () => void) {
    this.#act = act;
  }

  soon(): void {
    this.#start(this.#failures === 0 ? SETTLE_MS : this.#backOffMs());
  }

  failed(): void {
    this.#failures += 1;
    this.#start(this.#backOffMs());
  }

  succeeded(): void {
    this.#failures = 0;
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #backOffMs(): number {
    return Math.min(MAX_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(this.#failures - 1, 16));
  }

  #start(delayMs: number): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#act();
    }, delayMs);
    this.#timer.unref();
  }
}

/** One `subscriptions/listen`. A changed set is listened to on another before the former ends. */
export function createModernFeed(options: UpdateFeedOptions): UpdateFeed {
  let current: AbortController | undefined;
  let isChanged = false;
  /** Who waits for the next listen, and for the one that is not acknowledged yet. */
  const next: (() => void)[] = [];
  let asked: (() => void)[] | undefined;
  const pacer = new Pacer(() => void listen());
  const listen = async (): Promise<void> => {
    const upstream = options.upstream();
    const uris = options.uris();
    const lists = options.lists();
    if (uris.length === 0 && lists.length === 0) return;
    const waiting = next.splice(0);
    isChanged = false;
    if (upstream === undefined) {
      settleAll(waiting);
      return pacer.failed();
    }
    const former = current;
    asked = waiting;
    const settle = (): void => {
      clearTimeout(overdue);
      settleAll(waiting);
      if (asked === waiting) asked = undefined;
    };
    const overdue = setTimeout(settle, MAX_SETTLE_WAIT_MS);
    overdue.unref();
    const own = new AbortController();
    current = own;
    const observer: ExchangeObserver = {
      onNotification: (notification) => {
        if (notification["method"] === "notifications/subscriptions/acknowledged") {
          pacer.succeeded();
          former?.abort();
          settle();
        } else options.onNotification(notification);
      },
      onServerRequest: () => Promise.resolve(REFUSED),
    };
    const params = { notifications: filterOf(uris, lists), _meta: gatewayEnvelope() };
    const request = { method: "subscriptions/listen", params, paramHeaders: {} };
    try {
      const reply = await upstream.request({ era: "modern" }, request, observer, LIMITS, own.signal);
      if (reply.kind === "error") options.onFault(`a listen was refused with ${String(reply.error.code)}`);
    } catch (fault) {
      if (!own.signal.aborted) options.onFault(`the subscription broke off: ${String(fault)}`);
    }
    former?.abort();
    if (current === own && !own.signal.aborted) pacer.failed();
    settle();
  };
  return {
    session: undefined,
    changed: () => {
      isChanged = true;
      pacer.soon();
    },
    settled: () => {
      const waiting = isChanged ? next : asked;
      if (waiting === undefined || pacer.isFailing) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
    lost: () => pacer.soon(),
    close: () => {
      pacer.close();
      settleAll(next.splice(0));
      current?.abort();
      current = undefined;
    },
  };
}

function settleAll(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}

function filterOf(uris: readonly string[], lists: readonly ListKind[]): JsonObject {
  return {
    ...(Object.fromEntries(lists.map((kind) => [FLAG_OF_KIND[kind], true])) as JsonObject),
    ...(uris.length === 0 ? {} : { resourceSubscriptions: [...uris] }),
  };
}

/** `resources/subscribe` and `resources/unsubscribe` on a channel of its own. */
export function createLegacyFeed(options: UpdateFeedOptions): UpdateFeed {
  const session = `updates-${randomUUID()}`;
  const channel: ChannelKey = { era: "legacy", session, protocolVersion: LATEST_LEGACY_PROTOCOL_VERSION };
  const closing = new AbortController();
  const subscribed = new Set<string>();
  let isSyncing = false;
  const observer: ExchangeObserver = {
    onNotification: options.onNotification,
    onServerRequest: () => Promise.resolve(REFUSED),
  };
  const ask = async (upstream: ServerUpstream, method: string, uri: string): Promise<boolean> => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    const request = { method, params: { uri }, paramHeaders: {} };
    const reply = await upstream.request(channel, request, observer, LIMITS, signal);
    return reply.kind === "result" && isJsonObject(reply.result);
  };
  const pacer = new Pacer(() => void sync());
  const sync = async (): Promise<void> => {
    if (isSyncing) return pacer.soon();
    isSyncing = true;
    try {
      const upstream = options.upstream();
      if (upstream === undefined) return pacer.failed();
      const wanted = new Set(options.uris());
      for (const uri of wanted) {
        if (subscribed.has(uri)) continue;
        // Marked also where the server refuses: it would refuse again.
        subscribed.add(uri);
        if (!(await ask(upstream, "resources/subscribe", uri)))
          options.onFault("resources/subscribe was refused");
      }
      for (const uri of [...subscribed]) {
        if (wanted.has(uri)) continue;
        subscribed.delete(uri);
        await ask(upstream, "resources/unsubscribe", uri);
      }
      pacer.succeeded();
    } catch (fault) {
      if (closing.signal.aborted) return;
      options.onFault(`the subscription broke off: ${String(fault)}`);
      subscribed.clear();
      pacer.failed();
    } finally {
      isSyncing = false;
    }
  };
  return {
    session,
    changed: () => pacer.soon(),
    settled: () => Promise.resolve(),
    lost: () => {
      subscribed.clear();
      pacer.soon();
    },
    close: () => {
      pacer.close();
      closing.abort();
      options
        .upstream()
        ?.release(channel)
        .catch((fault: unknown) => options.onFault(String(fault)));
    },
  };
}
