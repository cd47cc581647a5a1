// Whether a caller may hear of changes of a resource: decided as `resources/subscribe` is, by the resource and by the
// method, with the snapshot of the moment.
import type { LeafAction, PolicyId, PrincipalFacts, RequestFacts, TenantId } from "#bundle";
import type { Decision, Evaluator } from "#pdp";
import { canonicalSpelling } from "#resources";
import type { JsonObject } from "#std";
import { fromClientUri } from "#naming";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";

/** Who hears of changes. */
export interface Listener {
  readonly principal: PrincipalFacts;
  readonly missingAttributes: readonly string[];
  readonly request: RequestFacts;
}

export interface ResourceRef {
  readonly server: RoutedServer;
  /** As the server spells it. */
  readonly uri: string;
}

export interface SubscriptionVerdict {
  readonly isAllowed: boolean;
  /** The resource's action; undefined for a URI that stands for nothing the release knows. */
  readonly action: LeafAction | undefined;
  readonly policies: readonly PolicyId[];
}

const SUBSCRIBE = "resources/subscribe";
const REFUSED: SubscriptionVerdict = { isAllowed: false, action: undefined, policies: [] };

/** The resource that a client means by a URI, or undefined. */
export function resourceOf(route: Route, clientUri: string): ResourceRef | undefined {
  const own = fromClientUri(route, clientUri);
  if (own === undefined) return undefined;
  const { resources } = own.server;
  const isKnown = resources.faultOf(own.uri) === undefined && resources.leafOf(own.uri) !== undefined;
  return isKnown ? own : undefined;
}

/** Decides a subscription. What cannot be decided is refused. */
export async function decideSubscription(
  snapshot: Snapshot,
  route: Route,
  listener: Listener,
  { server, uri }: ResourceRef,
  signal: AbortSignal,
): Promise<SubscriptionVerdict> {
  const leaf = server.resources.leafOf(uri);
  const gate = server.methods.get(SUBSCRIBE);
  if (leaf === undefined || gate === undefined || listener.missingAttributes.length > 0) return REFUSED;
  const args = { uri: canonicalSpelling(uri) };
  const { tenant } = route.entry;
  const policies: PolicyId[] = [];
  for (const action of [leaf.action, gate.action]) {
    const decision = await decide(snapshot.evaluator, { tenant, action, args, listener, signal });
    policies.push(...(decision?.reasons ?? []));
    if (decision === undefined || !isAllowed(decision))
      return { isAllowed: false, action: leaf.action, policies };
  }
  return { isAllowed: true, action: leaf.action, policies };
}

/** Whether the caller could read the resource now; a decision that cannot be made at once is a no. */
export function mayRead(
  snapshot: Snapshot,
  route: Route,
  listener: Listener,
  { server: { resources }, uri }: ResourceRef,
): boolean {
  if (listener.missingAttributes.length > 0) return false;
  const leaf = resources.faultOf(uri) === undefined ? resources.leafOf(uri) : undefined;
  if (leaf === undefined) return false;
  const prepared = prepare(snapshot.evaluator, {
    tenant: route.entry.tenant,
    action: leaf.action,
    args: { uri: canonicalSpelling(uri) },
    listener,
    signal: AbortSignal.abort(),
  });
  if (prepared instanceof Promise || !prepared.ok) return false;
  return isAllowed(snapshot.evaluator.decide(prepared.query));
}

interface Question {
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly args: JsonObject;
  readonly listener: Listener;
  readonly signal: AbortSignal;
}

function prepare(
  evaluator: Evaluator,
  { tenant, action, args, listener, signal }: Question,
): ReturnType<Evaluator["prepare"]> {
  return evaluator.prepare({
    tenant,
    action,
    arguments: args,
    principal: listener.principal,
    request: { ...listener.request, nowMs: Date.now() },
    signal,
  });
}

async function decide(evaluator: Evaluator, question: Question): Promise<Decision | undefined> {
  const prepared = await prepare(evaluator, question);
  return prepared.ok ? evaluator.decide(prepared.query) : undefined;
}

function isAllowed({ effect, errors, reasons }: Decision): boolean {
  return effect === "allow" && errors.length === 0 && reasons.length > 0;
}
