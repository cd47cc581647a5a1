// Servers of 2026-07-28 alone that legacy sessions use: they tell of their lists only whom they were asked by, so the
// gateway asks for as long as a session has a general stream open.
import { listenerOf } from "../sessions/session-table.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { holdLists, viewerOf } from "./list-changes.ts";
import type { HeldLists } from "./list-changes.ts";
import type { ResourceUpdates } from "./resource-updates.ts";
import { LIST_KINDS } from "./visible-views.ts";

interface Held {
  readonly release: string;
  readonly lists: HeldLists;
}

const ALL_KINDS = new Set(LIST_KINDS);

export class SessionLists {
  /** By session with an open stream, so no more than there are streams. */
  readonly #held = new Map<LegacySession, Held>();

  /** Asks for those who have come, and for nobody who has gone or sees nothing any more. */
  sweep(
    sessions: Pick<SessionTable, "get" | "values">,
    snapshot: Snapshot | undefined,
    updates: Pick<ResourceUpdates, "watchList">,
  ): void {
    for (const session of sessions.values()) {
      if (session.stream === undefined || snapshot === undefined) continue;
      const former = this.#held.get(session);
      if (former?.release === snapshot.digest) continue;
      const route = snapshot.routes.get(session.routePath);
      if (route === undefined) continue;
      const viewer = viewerOf("legacy", listenerOf(session));
      const lists = holdLists(updates, snapshot, route, viewer, ALL_KINDS);
      this.#held.set(session, { release: snapshot.digest, lists });
      former?.lists.release();
    }
    for (const [session, { release, lists }] of this.#held) {
      const isOpen = session.stream !== undefined && sessions.get(session.id) === session;
      if (isOpen && release === snapshot?.digest) continue;
      this.#held.delete(session);
      lists.release();
    }
  }

  close(): void {
    for (const { lists } of this.#held.values()) lists.release();
    this.#held.clear();
  }
}
