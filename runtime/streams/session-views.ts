// What the caller of a legacy session sees of its endpoint's lists.
import { listenerOf } from "../sessions/session-table.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { viewsOf } from "./visible-views.ts";
import type { SeenViews } from "./visible-views.ts";

export function sessionViews(active: Snapshot, route: Route, session: LegacySession): SeenViews {
  const { principal: facts, missingAttributes, request } = listenerOf(session);
  return viewsOf(active, route, { era: "legacy", caller: { facts, missingAttributes }, request });
}
