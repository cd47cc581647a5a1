// Everything that goes on after an exchange has ended, in one place: listens, subscriptions at servers, and what a swap
// means for those who listen.
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import { ConcurrencyLimit } from "#limits";
import type { Clock } from "#std";
import type { Principal } from "#authn";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { ListChanges, holdLists, viewerOf } from "./list-changes.ts";
import { Listens } from "./listens.ts";
import { answerListen } from "./open-listen.ts";
import type { OpenListenOptions } from "./open-listen.ts";
import { decideSubscription, resourceOf } from "./resource-access.ts";
import { ResourceUpdates } from "./resource-updates.ts";
import { SessionLists } from "./session-lists.ts";
import { answerSubscription } from "./session-subscriptions.ts";
import { tellSessions } from "./tell-sessions.ts";

export interface StreamsOptions {
  readonly limits: { readonly maxStreams: number; readonly maxStreamsPerPrincipal: number };
  readonly audit: AuditLog;
  readonly sessions: SessionTable;
  readonly clock: Clock;
  readonly snapshot: () => Snapshot | undefined;
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onFault: (server: ServerId, detail: string) => void;
}

export interface Streams {
  readonly limit: ConcurrencyLimit;
  readonly updates: ResourceUpdates;
  readonly listens: Listens;
  readonly listChanges: ListChanges;
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
  /** Ends every stream that is open, and lets none be opened any more. */
  readonly endStreams: () => void;
  readonly close: () => void;
}

/** How long one stream's token and resources may take to be judged again. */
const JUDGE_TIMEOUT_MS = 1_000;

export function createStreams(options: StreamsOptions): Streams {
  const { snapshot, sessions, clock, onNotification, audit } = options;
  const { maxStreams, maxStreamsPerPrincipal } = options.limits;
  const limit = new ConcurrencyLimit("STREAM_LIMIT", "streams", {
    max: maxStreams,
    maxPerOwner: maxStreamsPerPrincipal,
  });
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
  const verify = (authorization: string | undefined, route: Route): Promise<Principal> =>
    route.verifier.verify(authorization, route.entry, clock.nowMs(), judging());
  const listens = new Listens({
    snapshot,
    nowMs: clock.nowMs,
    verify: ({ authorization }, route) => verify(authorization, route),
    mayListen: async (active, route, { listener }, clientUri) => {
      const resource = resourceOf(route, clientUri);
      if (resource === undefined) return false;
      return (await decideSubscription(active, route, listener, resource, judging())).isAllowed;
    },
    holdLists: (active, route, { listener, kinds }) =>
      holdLists(updates, active, route, viewerOf("modern", listener), kinds),
    onNotification,
  });
  const { onFault } = options;
  const listChanges = new ListChanges({ listens, sessions, snapshot, onNotification, onFault });
  const sessionLists = new SessionLists();
  let isSweeping = false;
  const endStreams = (): void => {
    limit.stop();
    listens.endAll();
    for (const session of sessions.values()) session.stream?.end();
  };
  return {
    limit,
    updates,
    listens,
    listChanges,
    answerListen: (exchange, signal, watchTasks) =>
      answerListen(exchange, signal, { listens, updates, limit, audit, snapshot, watchTasks }),
    answerSubscription: (exchange) => answerSubscription(exchange, { updates, snapshot, onNotification }),
    sweep: async () => {
      listens.endExpired();
      if (isSweeping) return;
      isSweeping = true;
      try {
        sessionLists.sweep(sessions, snapshot(), updates);
        await Promise.all([listens.sweep(), tellSessions({ sessions, snapshot, onNotification, verify })]);
      } finally {
        isSweeping = false;
      }
    },
    describe: () => ({ open: limit.open, listens: listens.size, watched: updates.size }),
    endStreams,
    close: () => {
      endStreams();
      listChanges.close();
      sessionLists.close();
      updates.close();
    },
  };
}
