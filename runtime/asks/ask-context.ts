// On whose behalf and under which release something is asked.
import type { Era, LeafAction, PrincipalFacts, RequestFacts } from "#bundle";
import type { JsonObject } from "#std";
import type { Principal } from "#authn";
import type { Admitted } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";

/** Who is asked. */
export interface AskedCaller {
  readonly principal: Principal;
  readonly facts: PrincipalFacts;
  readonly missingAttributes: readonly string[];
  readonly request: RequestFacts;
  readonly era: Era;
  readonly address: string;
}

/** Who asks, at which endpoint, under which release. */
export interface AskedServer {
  readonly snapshot: Snapshot;
  readonly route: Route;
  readonly server: RoutedServer;
}

export interface AskContext extends AskedServer {
  readonly caller: AskedCaller;
  /** What the client declared that it can be asked. */
  readonly capabilities: JsonObject;
  /** Decision id of the call during which it is asked; null outside any call. */
  readonly during: string | null;
  /** Leaf of that call, whose transform also covers what is asked and answered. */
  readonly action: LeafAction | undefined;
  /** Bounds what has to be computed for the decision. */
  readonly signal: AbortSignal;
}

export function callerOf(exchange: Admitted): AskedCaller {
  const { principal, era, inbound } = exchange;
  return {
    principal,
    facts: principal.facts,
    missingAttributes: principal.missingAttributes,
    request: requestFactsOf(exchange),
    era,
    address: inbound.remoteAddress,
  };
}

/**
 * The same server of the same endpoint under another release; undefined where that has neither, or no longer accepts the
 * caller's issuer.
 */
export function underRelease(
  { route, server }: AskedServer,
  snapshot: Snapshot | undefined,
  issuer: string,
): AskedServer | undefined {
  const now = snapshot?.routes.get(route.entry.path);
  if (snapshot === undefined || now?.entry.tenant !== route.entry.tenant) return undefined;
  if (!now.entry.issuers.includes(issuer)) return undefined;
  const same = now.servers.find(({ entry }) => entry.id === server.entry.id);
  return same === undefined ? undefined : { snapshot, route: now, server: same };
}
