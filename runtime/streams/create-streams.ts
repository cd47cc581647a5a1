// Everything that goes on after an exchange has ended, in one place: listens, subscriptions at servers, and what a swap
// means for those who listen.
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import type { Clock } from "#std";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { notifySession } from "../sessions/session-table.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { Listens } from "./listens.ts";
import { answerListen } from "./open-listen.ts";
import type { OpenListenOptions } from "./open-listen.ts";
import { decideSubscription, resourceOf } from "./resource-access.ts";
import { ResourceUpdates } from "./resource-updates.ts";
import { answerSubscription } from "./session-subscriptions.ts";
import { StreamSlots } from "./stream-slots.ts";
import type { StreamLimits } from "./stream-slots.ts";
import { sessionViews } from "./session-views.ts";
import { changedKinds } from "./visible-views.ts";

export interface StreamsOptions {
  readonly limits: StreamLimits;
  readonly audit: AuditLog;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly snapshot: () => Snapshot | undefined;
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onFault: (server: ServerId, detail: string) => void;
}

export interface Streams {
  readonly slots: StreamSlots;
  readonly updates: ResourceUpdates;
  readonly listens: Listens;
  /** Answers `subscriptions/listen`. @throws {AegisError} as `answerListen` */
  readonly answerListen: (
    exchange: Recorded,
    signal: AbortSignal,
    watchTasks?: OpenListenOptions["watchTasks"],
  ) => Promise<Answer>;
  /** The gateway's own answer to a subscription; undefined for what goes to the server. */
  readonly answerSubscription: (exchange: Recorded) => Answer | undefined;
  /** Judges what is open by the active release, and tells whose lists have changed. Called on a swap and once a second. */
  readonly sweep: () => Promise<void>;
  /** For /status: long-lived streams, how many of them are listens, and resources watched at servers. */
  readonly describe: () => { readonly open: number; readonly listens: number; readonly watched: number };
  /** Ends every stream that is open. */
  readonly endStreams: () => void;
  readonly close: () => void;
}

/** How long one stream's token and resources may take to be judged again. */
const JUDGE_TIMEOUT_MS = 5_000;
/** Sessions looked at in one turn of the event loop. */
const BATCH = 64;

export function createStreams(options: StreamsOptions): Streams {
  const { snapshot, sessions, clock, onNotification, audit } = options;
  const slots = new StreamSlots(options.limits);
  const updates = new ResourceUpdates({
    upstreamOf: (server) => {
      for (const { servers } of snapshot()?.routes.values() ?? []) {
        for (const { entry, binding } of servers) if (entry.id === server) return binding.upstream;
      }
      return undefined;
    },
    onFault: options.onFault,
  });
  const judging = (): AbortSignal => AbortSignal.timeout(JUDGE_TIMEOUT_MS);
  const listens = new Listens({
    snapshot,
    nowMs: clock.nowMs,
    verify: ({ authorization }, route) =>
      route.verifier.verify(authorization, route.entry, clock.nowMs(), judging()),
    mayListen: async (active, route, { listener }, clientUri) => {
      const resource = resourceOf(route, clientUri);
      if (resource === undefined) return false;
      return (await decideSubscription(active, route, listener, resource, judging())).isAllowed;
    },
    onNotification,
  });
  let isSweeping = false;
  const endStreams = (): void => {
    listens.endAll();
    for (const session of sessions.values()) session.stream?.end();
  };
  return {
    slots,
    updates,
    listens,
    answerListen: (exchange, signal, watchTasks) =>
      answerListen(exchange, signal, { listens, updates, slots, audit, snapshot, watchTasks }),
    answerSubscription: (exchange) => answerSubscription(exchange, { updates, snapshot, onNotification }),
    sweep: async () => {
      if (isSweeping) return;
      isSweeping = true;
      try {
        await Promise.all([listens.sweep(), tellSessions(options)]);
      } finally {
        isSweeping = false;
      }
    },
    describe: () => ({ open: slots.open, listens: listens.size, watched: updates.size }),
    endStreams,
    close: () => {
      endStreams();
      updates.close();
    },
  };
}

async function tellSessions({ sessions, snapshot, onNotification }: StreamsOptions): Promise<void> {
  let looked = 0;
  for (const session of [...sessions.values()]) {
    const active = snapshot();
    if (active === undefined || session.seen?.release === active.digest) continue;
    const route = active.routes.get(session.routePath);
    if (route === undefined || sessions.get(session.id) === undefined) continue;
    const before = session.seen;
    session.seen = sessionViews(active, route, session);
    const changed = before === undefined ? [] : changedKinds(before, session.seen);
    for (const kind of changed) {
      const method = `notifications/${kind}/list_changed`;
      onNotification(method, notifySession(session, JSON.stringify({ jsonrpc: "2.0", method })));
    }
    looked += 1;
    if (looked % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
