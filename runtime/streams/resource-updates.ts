// Who hears of changes of which resource, and the one subscription that the gateway keeps for all of them at each server:
// one `subscriptions/listen` of a modern server, `resources/subscribe` on a channel of the gateway's own of a legacy one.
import type { Era, ServerId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { ServerUpstream } from "#upstream";
import { createLegacyFeed, createModernFeed } from "./update-feeds.ts";
import type { UpdateFeed } from "./update-feeds.ts";
import type { ListKind } from "./visible-views.ts";

export type OnUpdated = (uri: string) => void;

export interface ResourceUpdatesOptions {
  /** The server as the active release has it. */
  readonly upstreamOf: (server: ServerId) => ServerUpstream | undefined;
  readonly onFault: (server: ServerId, detail: string) => void;
}

interface Watched {
  readonly feed: UpdateFeed;
  /** By URI as the server spells it. */
  readonly uris: Map<string, Set<OnUpdated>>;
  /** How many wait for changes of a list (modern servers). */
  readonly lists: Map<ListKind, number>;
}

/** A list whose changes a server was asked to tell of. */
export interface WatchedList {
  /** Settles once the server has said yes, or cannot be asked now. Never rejects. */
  readonly ready: Promise<void>;
  /** A second call is harmless. */
  readonly release: () => void;
}

/** Most URIs of one server that are watched at once, for all callers together. */
const MAX_URIS_PER_SERVER = 10_000;

export class ResourceUpdates {
  readonly #options: ResourceUpdatesOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ResourceUpdatesOptions) {
    this.#options = options;
  }

  /** URIs that are watched, of all servers. */
  get size(): number {
    let count = 0;
    for (const { uris } of this.#watched.values()) count += uris.size;
    return count;
  }

  /**
   * Tells `onUpdated` of changes of the resource, and of what is below it, until the returned function is called; a
   * second call of that is harmless. Undefined where too many are watched already.
   */
  watch(server: ServerId, era: Era, uri: string, onUpdated: OnUpdated): (() => void) | undefined {
    const key = `${era} ${server}`;
    const watched = this.#watched.get(key) ?? this.#start(key, server, era);
    const told = watched.uris.get(uri) ?? new Set<OnUpdated>();
    if (told.size === 0) {
      if (watched.uris.size >= MAX_URIS_PER_SERVER) return undefined;
      watched.uris.set(uri, told);
      watched.feed.changed();
    }
    told.add(onUpdated);
    return () => {
      if (!told.delete(onUpdated) || told.size > 0) return;
      watched.uris.delete(uri);
      this.#lessened(key, watched);
    };
  }

  /** Has a modern server tell of changes of a list, until that is released. What it tells comes as an upstream event. */
  watchList(server: ServerId, kind: ListKind): WatchedList {
    const key = `modern ${server}`;
    const watched = this.#watched.get(key) ?? this.#start(key, server, "modern");
    const count = watched.lists.get(kind) ?? 0;
    watched.lists.set(kind, count + 1);
    if (count === 0) watched.feed.changed();
    let isReleased = false;
    return {
      ready: watched.feed.settled(),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        const left = (watched.lists.get(kind) ?? 1) - 1;
        if (left > 0) return void watched.lists.set(kind, left);
        watched.lists.delete(kind);
        this.#lessened(key, watched);
      },
    };
  }

  #lessened(key: string, { feed, uris, lists }: Watched): void {
    if (uris.size > 0 || lists.size > 0) return feed.changed();
    feed.close();
    this.#watched.delete(key);
  }

  /** A notification on a legacy channel. True where the channel is the gateway's own. */
  onNotification(session: string, notification: JsonObject): boolean {
    for (const watched of this.#watched.values()) {
      if (watched.feed.session !== session) continue;
      this.#tell(watched, notification);
      return true;
    }
    return false;
  }

  /** A legacy channel is gone: what was subscribed there is subscribed again. */
  onClosed(session: string): void {
    for (const { feed } of this.#watched.values()) if (feed.session === session) feed.lost();
  }

  close(): void {
    for (const { feed } of this.#watched.values()) feed.close();
    this.#watched.clear();
  }

  #start(key: string, server: ServerId, era: Era): Watched {
    const uris = new Map<string, Set<OnUpdated>>();
    const lists = new Map<ListKind, number>();
    const options = {
      upstream: () => this.#options.upstreamOf(server),
      uris: () => [...uris.keys()],
      lists: () => [...lists.keys()],
      onNotification: (notification: JsonObject) => this.#tell(watched, notification),
      onFault: (detail: string) => this.#options.onFault(server, detail),
    };
    const feed = era === "modern" ? createModernFeed(options) : createLegacyFeed(options);
    const watched: Watched = { feed, uris, lists };
    this.#watched.set(key, watched);
    return watched;
  }

  #tell({ uris }: Watched, notification: JsonObject): void {
    if (notification["method"] !== "notifications/resources/updated") return;
    const params = notification["params"];
    const uri = isJsonObject(params) ? params["uri"] : undefined;
    if (typeof uri !== "string") return;
    for (const [watchedUri, told] of uris) {
      if (!isOrIsBelow(uri, watchedUri)) continue;
      for (const onUpdated of [...told]) onUpdated(uri);
    }
  }
}

/** A server may name a part of what was subscribed to (MCP server features, resources: subscriptions). */
function isOrIsBelow(uri: string, subscribed: string): boolean {
  return uri === subscribed || uri.startsWith(subscribed.endsWith("/") ? subscribed : `${subscribed}/`);
}
