// What a swap means for legacy sessions: the token of an open stream is verified again under the new release, and whoever
// sees other lists than before is told.
import type { Principal } from "#authn";
import { notifySession } from "../sessions/session-table.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { sessionViews } from "./session-views.ts";
import { changedKinds } from "./visible-views.ts";

export interface TellSessionsOptions {
  readonly sessions: Pick<SessionTable, "get" | "values">;
  readonly snapshot: () => Snapshot | undefined;
  /** Rejects where the release does not accept the token. */
  readonly verify: (authorization: string | undefined, route: Route) => Promise<Principal>;
  readonly onNotification: (method: string, relayed: boolean) => void;
}

/** Sessions looked at in one turn of the event loop. */
const BATCH = 64;

/** Looks at the sessions that were last looked at under another release. */
export async function tellSessions(options: TellSessionsOptions): Promise<void> {
  const release = options.snapshot()?.digest;
  const due = [...options.sessions.values()].filter(({ seen }) => seen?.release !== release);
  for (let at = 0; at < due.length; at += BATCH) {
    await Promise.all(due.slice(at, at + BATCH).map((session) => tell(session, options)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function tell(
  session: LegacySession,
  { sessions, snapshot, verify, onNotification }: TellSessionsOptions,
): Promise<void> {
  const active = snapshot();
  const route = active?.routes.get(session.routePath);
  if (active === undefined || route === undefined) return;
  if (!(await isStillAccepted(session, route, verify))) session.stream?.end();
  if (sessions.get(session.id) === undefined) return;
  const before = session.seen;
  session.seen = sessionViews(active, route, session);
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
