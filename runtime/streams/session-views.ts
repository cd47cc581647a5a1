// What the caller of a legacy session sees of its endpoint's lists.
import { listenerOf } from "../sessions/session-table.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { viewsOf } from "./visible-views.ts";
import type { SeenViews, Viewer } from "./visible-views.ts";

export function sessionViewer(session: LegacySession): Viewer {
  const { principal: facts, missingAttributes, request } = listenerOf(session);
  return { era: "legacy", caller: { facts, missingAttributes }, request };
}

export function sessionViews(active: Snapshot, route: Route, session: LegacySession): SeenViews {
  return viewsOf(active, route, sessionViewer(session));
}
