// What a swap means for legacy sessions: the token of an open stream is verified again under the new release, and whoever
// sees other lists than before is told.
import type { Principal } from "#authn";
import { Turn } from "#std";
import { notifySession } from "../sessions/session-table.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { sessionViewer } from "./session-views.ts";
import { changedKinds, viewsInSlices } from "./visible-views.ts";

export interface TellSessionsOptions {
  readonly sessions: Pick<SessionTable, "get" | "values">;
  readonly snapshot: () => Snapshot | undefined;
  /** Rejects where the release does not accept the token. */
  readonly verify: (authorization: string | undefined, route: Route) => Promise<Principal>;
  readonly onNotification: (method: string, relayed: boolean) => void;
}

/** Tokens verified at once. */
const BATCH = 64;
/** What one turn of the event loop may spend on the views of sessions: each is a decision for every tool of an endpoint. */
const SLICE_MS = 5;

/** Looks at the sessions that were last looked at under another release. */
export async function tellSessions(options: TellSessionsOptions): Promise<void> {
  const active = options.snapshot();
  if (active === undefined) return;
  const due = [...options.sessions.values()].filter(({ seen }) => seen?.release !== active.digest);
  const turn = new Turn(SLICE_MS);
  // Tokens first: views take seconds where there are thousands of sessions, and a stream must not outlive its token for it.
  for (let at = 0; at < due.length; at += BATCH) {
    await Promise.all(due.slice(at, at + BATCH).map((session) => endUnaccepted(session, active, options)));
    await turn.pause();
  }
  for (const session of due) {
    await turn.pause();
    // Another release has taken its place: their tokens are to be verified by that one first.
    if (options.snapshot() !== active) return;
    await tell(session, active, turn, options);
  }
}

async function endUnaccepted(
  session: LegacySession,
  active: Snapshot,
  { verify }: TellSessionsOptions,
): Promise<void> {
  const route = active.routes.get(session.routePath);
  if (route !== undefined && !(await isStillAccepted(session, route, verify))) session.stream?.end();
}

async function tell(
  session: LegacySession,
  active: Snapshot,
  turn: Turn,
  { sessions, snapshot, onNotification }: TellSessionsOptions,
): Promise<void> {
  const route = active.routes.get(session.routePath);
  if (route === undefined || sessions.get(session.id) === undefined) return;
  const before = session.seen;
  const seen = await viewsInSlices(active, route, sessionViewer(session), turn);
  if (snapshot() !== active || sessions.get(session.id) === undefined) return;
  session.seen = seen;
  const changed = before === undefined ? [] : changedKinds(before, session.seen);
  for (const kind of changed) {
    const method = `notifications/${kind}/list_changed`;
    onNotification(method, notifySession(session, JSON.stringify({ jsonrpc: "2.0", method })));
  }
}

/** Without a stream there is nothing to end: the next message brings its own token. */
async function isStillAccepted(
  session: LegacySession,
  route: Route,
  verify: TellSessionsOptions["verify"],
): Promise<boolean> {
  if (session.stream === undefined || session.authorization === undefined) return true;
  try {
    const principal = await verify(session.authorization, route);
    if (principal.bindingKey !== session.bindingKey) return false;
    session.principal = principal.facts;
    session.missingAttributes = principal.missingAttributes;
    return true;
  } catch {
    return false;
  }
}
