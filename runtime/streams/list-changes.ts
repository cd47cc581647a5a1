// What servers say of their own lists, `notifications/…/list_changed`: passed to those who see something of such a list, as
// often as a caller can bear and no more often, whatever the server does.
import type { Era, ServerId } from "#bundle";
import { Turn, isJsonObject } from "#std";
import type { Listens } from "./listens.ts";
import type { Listener } from "./resource-access.ts";
import type { ResourceUpdates } from "./resource-updates.ts";
import { notifySession, listenerOf } from "../sessions/session-table.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { upstreamEra } from "../bridge/index.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { LIST_KINDS, seesAny } from "./visible-views.ts";
import type { ListKind, Viewer } from "./visible-views.ts";

export interface ListChangesOptions {
  readonly listens: Pick<Listens, "values" | "notify">;
  readonly sessions: Pick<SessionTable, "get" | "values">;
  readonly snapshot: () => Snapshot | undefined;
  /** Told of every notification of a server that reached nobody, and of every one that was sent. */
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onFault: (server: ServerId, detail: string) => void;
  /** Shortest time between two of one list of one server, in milliseconds. */
  readonly windowMs?: number;
}

const WINDOW_MS = 250;
/** A server that goes on and on is passed on ever more rarely, down to this. */
const MAX_WINDOW_MS = 16_000;
/** What one turn of the event loop may spend on callers: for each it is seen whether the list has anything for them. */
const SLICE_MS = 5;

interface Window {
  timer: NodeJS.Timeout;
  isPending: boolean;
  /** Windows in a row in which there was something to pass on. */
  busy: number;
}

/** The list that a notification is about; undefined for any other notification. */
export function changedList(method: string): ListKind | undefined {
  return LIST_KINDS.find((kind) => method === changeMethod(kind));
}

function changeMethod(kind: ListKind): string {
  return `notifications/${kind}/list_changed`;
}

export class ListChanges {
  readonly #options: ListChangesOptions;
  /** By server and list: servers of the release alone, so there are few. */
  readonly #windows = new Map<string, Window>();
  #isClosed = false;

  constructor(options: ListChangesOptions) {
    this.#options = options;
  }

  /** The first is passed on at once; what follows within the window is passed on as one when it ends. Never throws. */
  heard(server: ServerId, kind: ListKind): void {
    if (this.#isClosed) return;
    const key = JSON.stringify([server, kind]);
    const open = this.#windows.get(key);
    if (open === undefined) {
      this.#open(key, server, kind, 0);
      void this.#tell(server, kind);
      return;
    }
    open.isPending = true;
    this.#options.onNotification(changeMethod(kind), false);
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#windows.values()) clearTimeout(timer);
    this.#windows.clear();
  }

  #open(key: string, server: ServerId, kind: ListKind, busy: number): void {
    const delayMs = Math.min(MAX_WINDOW_MS, (this.#options.windowMs ?? WINDOW_MS) * 2 ** Math.min(busy, 16));
    const timer = setTimeout(() => this.#ended(key, server, kind), delayMs);
    timer.unref();
    this.#windows.set(key, { timer, isPending: false, busy });
  }

  #ended(key: string, server: ServerId, kind: ListKind): void {
    const window = this.#windows.get(key);
    this.#windows.delete(key);
    if (window?.isPending !== true) return;
    this.#open(key, server, kind, window.busy + 1);
    void this.#tell(server, kind);
  }

  async #tell(server: ServerId, kind: ListKind): Promise<void> {
    try {
      const told = await this.#tellAll(server, kind);
      if (told === 0) this.#options.onNotification(changeMethod(kind), false);
    } catch (fault) {
      this.#options.onFault(server, `a changed list could not be told: ${String(fault)}`);
    }
  }

  async #tellAll(server: ServerId, kind: ListKind): Promise<number> {
    const { listens, sessions, onNotification } = this.#options;
    const method = changeMethod(kind);
    let told = 0;
    const turn = new Turn(SLICE_MS);
    for (const listen of [...listens.values()]) {
      await turn.pause();
      const { routePath, tenant, listener } = listen;
      if (!listen.kinds.has(kind) || !this.#concerns(server, kind, { routePath, tenant }, "modern", listener))
        continue;
      if (listens.notify(listen, method)) told += 1;
    }
    const json = JSON.stringify({ jsonrpc: "2.0", method });
    for (const session of [...sessions.values()]) {
      await turn.pause();
      if (sessions.get(session.id) !== session) continue;
      if (!this.#concerns(server, kind, session, "legacy", listenerOf(session))) continue;
      const isSent = notifySession(session, json);
      onNotification(method, isSent);
      told += 1;
    }
    return told;
  }

  /** By the release of the moment. */
  #concerns(
    server: ServerId,
    kind: ListKind,
    { routePath, tenant }: { readonly routePath: string; readonly tenant?: string },
    era: Era,
    listener: Listener,
  ): boolean {
    const snapshot = this.#options.snapshot();
    const route = snapshot?.routes.get(routePath);
    const routed = route?.names.byId.get(server);
    if (snapshot === undefined || route === undefined || routed === undefined) return false;
    if (tenant !== undefined && tenant !== route.entry.tenant) return false;
    return seesAny(snapshot, route, routed, viewerOf(era, listener), kind);
  }
}

export function viewerOf(era: Era, { principal: facts, missingAttributes, request }: Listener): Viewer {
  return { era, caller: { facts, missingAttributes }, request };
}

/** Servers that were asked to tell of their lists. */
export interface HeldLists {
  /** Settles once each of them has said yes or cannot be asked now. Never rejects. */
  readonly ready: Promise<unknown>;
  /** A second call is harmless. */
  readonly release: () => void;
}

/**
 * Asks the servers of an endpoint that tell of their lists only whom they know: those spoken to in the modern era, of whose
 * list the caller sees something.
 */
export function holdLists(
  updates: Pick<ResourceUpdates, "watchList">,
  snapshot: Snapshot,
  route: Route,
  viewer: Viewer,
  kinds: ReadonlySet<ListKind>,
): HeldLists {
  const held = route.servers.flatMap((server) => {
    const { entry } = server;
    if (upstreamEra(entry, viewer.era) !== "modern") return [];
    return [...kinds].flatMap((kind) => {
      const feature = entry.eras.modern?.capabilities[kind];
      if (!isJsonObject(feature) || feature["listChanged"] !== true) return [];
      return seesAny(snapshot, route, server, viewer, kind) ? [updates.watchList(entry.id, kind)] : [];
    });
  });
  return {
    ready: Promise.all(held.map(({ ready }) => ready)),
    release: () => {
      for (const { release } of held) release();
    },
  };
}
