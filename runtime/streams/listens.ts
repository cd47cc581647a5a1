// Open `subscriptions/listen` streams (MCP 2026-07-28). Each tells one caller what it asked for and may know: changes of
// lists as this caller sees them, and changes of resources. Judged again after a swap and when its token ends.
import type { RequestId } from "#mcp";
import { Turn } from "#std";
import type { JsonObject } from "#std";
import type { Principal } from "#authn";
import type { SseStream } from "../listener/inbound.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import type { HeldLists } from "./list-changes.ts";
import type { Listener } from "./resource-access.ts";
import { changedKinds, viewsInSlices } from "./visible-views.ts";
import type { ListKind, SeenViews } from "./visible-views.ts";

export const META_SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

export interface Listen {
  readonly id: RequestId;
  readonly stream: SseStream;
  readonly routePath: string;
  readonly tenant: string;
  readonly bindingKey: string;
  /** As the caller sent it: what it may hear is decided by the token, also when a release reads tokens otherwise. */
  readonly authorization: string | undefined;
  listener: Listener;
  expiresAtMs: number;
  readonly kinds: ReadonlySet<ListKind>;
  /** How each resource is left, by its URI as the caller sent it. */
  readonly resources: Map<string, WatchedResource>;
  /** What has servers tell of their lists. */
  lists: HeldLists;
  seen: SeenViews;
  /** Called once when the stream has ended. */
  readonly onEnd: () => void;
}

export interface WatchedResource {
  readonly unwatch: () => void;
}

export interface ListensOptions {
  readonly snapshot: () => Snapshot | undefined;
  readonly nowMs: () => number;
  readonly verify: (listen: Listen, route: Route) => Promise<Principal>;
  readonly mayListen: (
    snapshot: Snapshot,
    route: Route,
    listen: Listen,
    clientUri: string,
  ) => Promise<boolean>;
  /** As when the listen was opened. */
  readonly holdLists: (snapshot: Snapshot, route: Route, listen: Listen) => HeldLists;
  readonly onNotification: (method: string, relayed: boolean) => void;
}

/** Streams judged at once. */
const BATCH = 32;
/** What one turn of the event loop may spend on the views of listeners. */
const SLICE_MS = 5;

/** A listen that goes on, and what has judged it. */
interface Judged {
  readonly listen: Listen;
  readonly snapshot: Snapshot;
  readonly route: Route;
}

export class Listens {
  readonly #options: ListensOptions;
  readonly #open = new Set<Listen>();
  /** Those that are being judged; a swap meanwhile is seen by the next sweep. */
  readonly #judging = new Set<Listen>();
  #isStopped = false;

  constructor(options: ListensOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  values(): Iterable<Listen> {
    return this.#open.values();
  }

  add(listen: Listen): void {
    this.#open.add(listen);
    const onClosed = (): void => this.#forget(listen);
    if (listen.stream.closed.aborted) onClosed();
    else listen.stream.closed.addEventListener("abort", onClosed, { once: true });
    // It was being opened when all others were ended.
    if (this.#isStopped) this.end(listen);
  }

  /**
   * Sends a notification under the listen's id. Nothing is sent outside what it asked for: callers see to that. Nor is
   * anything of another tenant, where a swap has given it the endpoint and the listen is not ended yet.
   */
  notify(listen: Listen, method: string, params: JsonObject = {}): boolean {
    const tenant = this.#options.snapshot()?.routes.get(listen.routePath)?.entry.tenant;
    const isHeard = this.#open.has(listen) && tenant === listen.tenant;
    const sent = isHeard && listen.stream.send(notificationJson(listen.id, method, params));
    this.#options.onNotification(method, sent);
    return sent;
  }

  /** Ends a listen with its final result. */
  end(listen: Listen): void {
    listen.stream.end(finalJson(listen.id));
    this.#forget(listen);
  }

  /** For good: whoever is being added meanwhile is ended too. */
  endAll(): void {
    this.#isStopped = true;
    for (const listen of [...this.#open]) this.end(listen);
  }

  /** Ends those whose token has ended. */
  endExpired(): void {
    const nowMs = this.#options.nowMs();
    for (const listen of [...this.#open]) if (nowMs >= listen.expiresAtMs) this.end(listen);
  }

  /** Judges again what was judged by another release. All are judged before the first view is made: views take a while. */
  async sweep(): Promise<void> {
    const { snapshot: current } = this.#options;
    const active = current();
    const due = [...this.#open].filter(
      (listen) => !this.#judging.has(listen) && listen.seen.release !== active?.digest,
    );
    for (const listen of due) this.#judging.add(listen);
    const turn = new Turn(SLICE_MS);
    const judged: (Judged | undefined)[] = [];
    for (let at = 0; at < due.length; at += BATCH) {
      judged.push(...(await Promise.all(due.slice(at, at + BATCH).map((listen) => this.#judge(listen)))));
      await turn.pause();
    }
    for (const one of judged) {
      if (one === undefined) continue;
      await turn.pause();
      // Another release has taken its place, and judges all of them first.
      if (current() === active) await this.#goOn(one, turn);
      else this.#judging.delete(one.listen);
    }
  }

  /** Undefined where the listen was ended. */
  async #judge(listen: Listen): Promise<Judged | undefined> {
    try {
      const judged = await this.#stays(listen);
      if (judged !== undefined) return judged;
    } catch {
      // A token that no longer verifies, or a release that cannot decide.
    }
    this.#judging.delete(listen);
    this.end(listen);
    return undefined;
  }

  async #stays(listen: Listen): Promise<Judged | undefined> {
    const { snapshot: current, nowMs, verify, mayListen } = this.#options;
    const snapshot = current();
    const route = snapshot?.routes.get(listen.routePath);
    if (snapshot === undefined || route === undefined || route.entry.tenant !== listen.tenant)
      return undefined;
    if (nowMs() >= listen.expiresAtMs) return undefined;
    const principal = await verify(listen, route);
    if (principal.bindingKey !== listen.bindingKey) return undefined;
    listen.listener = {
      ...listen.listener,
      principal: principal.facts,
      missingAttributes: principal.missingAttributes,
    };
    listen.expiresAtMs = principal.expiresAtMs;
    for (const [uri, watched] of [...listen.resources]) {
      if (await mayListen(snapshot, route, listen, uri)) continue;
      listen.resources.delete(uri);
      watched.unwatch();
    }
    return { listen, snapshot, route };
  }

  /** Under the release that has judged it; the next sweep sees whether that is still the active one. */
  async #goOn({ listen, snapshot, route }: Judged, turn: Turn): Promise<void> {
    this.#judging.delete(listen);
    // What has ended meanwhile must hold nothing.
    if (!this.#open.has(listen)) return;
    try {
      const former = listen.lists;
      listen.lists = this.#options.holdLists(snapshot, route, listen);
      former.release();
      await this.#tellChanges(listen, snapshot, route, turn);
    } catch {
      this.end(listen);
    }
  }

  async #tellChanges(listen: Listen, snapshot: Snapshot, route: Route, turn: Turn): Promise<void> {
    const { principal, missingAttributes, request } = listen.listener;
    const caller = { facts: principal, missingAttributes };
    const seen = await viewsInSlices(snapshot, route, { era: "modern", caller, request }, turn);
    const changed = changedKinds(listen.seen, seen);
    listen.seen = seen;
    for (const kind of changed)
      if (listen.kinds.has(kind)) this.notify(listen, `notifications/${kind}/list_changed`);
  }

  #forget(listen: Listen): void {
    if (!this.#open.delete(listen)) return;
    for (const { unwatch } of listen.resources.values()) unwatch();
    listen.resources.clear();
    listen.lists.release();
    listen.onEnd();
  }
}

/** The acknowledgement: the first message of the stream, with what is honoured. */
export function acknowledgementJson(id: RequestId, honoured: JsonObject): string {
  return notificationJson(id, "notifications/subscriptions/acknowledged", { notifications: honoured });
}

function notificationJson(id: RequestId, method: string, params: JsonObject): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    method,
    params: { ...params, _meta: { [META_SUBSCRIPTION_ID]: id } },
  });
}

function finalJson(id: RequestId): string {
  const result = { resultType: "complete", _meta: { [META_SUBSCRIPTION_ID]: id } };
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}
