// The gateway's answer to `subscriptions/listen` (MCP 2026-07-28): what of the filter is honoured, its acknowledgement,
// and a stream that goes on after the exchange has ended.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import { AegisError, requestFault } from "#errors";
import { toClientUri } from "#naming";
import type { ConcurrencyLimit } from "#limits";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { announcementOf, upstreamEra } from "../bridge/index.ts";
import { accepts } from "../listener/check-transport.ts";
import type { SseStream } from "../listener/inbound.ts";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { ownerKeyOf } from "../sessions/session-table.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { holdLists, viewerOf } from "./list-changes.ts";
import type { HeldLists } from "./list-changes.ts";
import { acknowledgementJson } from "./listens.ts";
import type { Listen, Listens } from "./listens.ts";
import { decideSubscription, mayRead, resourceOf } from "./resource-access.ts";
import type { Listener, ResourceRef, SubscriptionVerdict } from "./resource-access.ts";
import type { ResourceUpdates } from "./resource-updates.ts";
import type { TaskWatch } from "../tasks/index.ts";
import { FLAG_OF_KIND, LIST_KINDS, viewsOf } from "./visible-views.ts";
import type { ListKind } from "./visible-views.ts";

export interface OpenListenOptions {
  readonly listens: Listens;
  readonly updates: ResourceUpdates;
  readonly limit: ConcurrencyLimit;
  readonly audit: AuditLog;
  readonly snapshot: () => Snapshot | undefined;
  /** The tasks of a filter; none where absent. */
  readonly watchTasks?:
    ((exchange: Recorded, signal: AbortSignal) => Promise<TaskWatch | undefined>) | undefined;
}

/** URIs of one filter. */
const MAX_LISTEN_URIS = 256;

/** How long an acknowledgement waits for the servers whose lists are asked for. */
const MAX_SERVERS_WAIT_MS = 1_000;

interface Filter {
  readonly kinds: ReadonlySet<ListKind>;
  readonly uris: readonly string[];
}

interface Granted {
  readonly clientUri: string;
  readonly resource: ResourceRef;
}

/**
 * Answers with a stream of its own; the exchange itself ends without a message.
 * @throws {AegisError} ARGUMENTS_INVALID, HTTP_NOT_ACCEPTABLE, STREAM_LIMIT
 */
export async function answerListen(
  exchange: Recorded,
  signal: AbortSignal,
  options: OpenListenOptions,
): Promise<Answer> {
  const { message, inbound, route, snapshot, principal } = exchange;
  if (message.kind !== "request") throw new AegisError("STAGE_FAULT", "a listen that is no request");
  if (inbound.transport === "http" && !accepts(inbound.headers, "text/event-stream"))
    throw new AegisError("HTTP_NOT_ACCEPTABLE", "a listen is answered with an event stream");
  const filter = readFilter(message.params);
  const listener: Listener = {
    principal: principal.facts,
    missingAttributes: principal.missingAttributes,
    request: requestFactsOf(exchange),
  };
  const kinds = new Set([...filter.kinds].filter((kind) => isAnnounced(route, kind)));
  const granted = await grant(exchange, listener, filter.uris, signal, options.audit);
  const tasks = await options.watchTasks?.(exchange, signal);
  const release = options.limit.take(ownerKeyOf(principal.issuer, principal.facts));
  let stream: SseStream | undefined;
  let lists: HeldLists | undefined;
  try {
    const viewer = viewerOf("modern", listener);
    lists = holdLists(options.updates, snapshot, route, viewer, kinds);
    await servers(lists, signal);
    stream = exchange.reply.takeOver();
    if (stream === undefined) throw new AegisError("STAGE_FAULT", "the response was used already");
    const listen: Listen = {
      id: message.id,
      stream,
      routePath: route.entry.path,
      tenant: route.entry.tenant,
      bindingKey: principal.bindingKey,
      authorization: inbound.headers.get("authorization"),
      listener,
      expiresAtMs: principal.expiresAtMs,
      kinds,
      resources: new Map(),
      lists,
      seen: viewsOf(snapshot, route, viewer),
      onEnd: release,
    };
    const watched = granted.filter((one) => watch(listen, one, options));
    const taskIds = tasks === undefined ? {} : { taskIds: tasks.taskIds };
    stream.send(acknowledgementJson(message.id, { ...honoured(kinds, watched), ...taskIds }));
    options.listens.add(listen);
    const tell = (method: string, params: JsonObject): void =>
      void options.listens.notify(listen, method, params);
    tasks?.start(tell, stream.closed, () => listen.listener);
    endWithCaller(exchange, stream);
  } catch (fault) {
    release();
    lists?.release();
    stream?.end();
    throw fault;
  }
  return { kind: "accepted" };
}

/** A server that is slow or away holds nothing up: what it tells once it is back is passed on all the same. */
async function servers(lists: HeldLists, signal: AbortSignal): Promise<void> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(MAX_SERVERS_WAIT_MS)]);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onBound = (): void => resolve(undefined);
  bound.addEventListener("abort", onBound, { once: true });
  if (bound.aborted) onBound();
  await Promise.race([lists.ready, promise]);
  bound.removeEventListener("abort", onBound);
  if (signal.aborted) throw new AegisError("EXCHANGE_ABORTED", "the caller has gone");
}

/** On a shared connection the caller ends a listen by cancelling its request; the exchange is over, its control is not. */
function endWithCaller({ control }: Recorded, stream: SseStream): void {
  if (control.signal.aborted) stream.end();
  else control.signal.addEventListener("abort", () => stream.end(), { once: true });
}

/** @throws {AegisError} ARGUMENTS_INVALID */
function readFilter(params: JsonObject | undefined): Filter {
  const filter = params?.["notifications"];
  if (!isJsonObject(filter)) throw invalid("notifications");
  const kinds = LIST_KINDS.filter((kind) => {
    const flag = filter[FLAG_OF_KIND[kind]];
    if (flag !== undefined && typeof flag !== "boolean") throw invalid(FLAG_OF_KIND[kind]);
    return flag === true;
  });
  const uris: JsonValue = filter["resourceSubscriptions"] ?? [];
  if (!Array.isArray(uris) || uris.length > MAX_LISTEN_URIS) throw invalid("resourceSubscriptions");
  const texts = uris.map((uri: JsonValue) => {
    if (typeof uri !== "string") throw invalid("resourceSubscriptions");
    return uri;
  });
  return { kinds: new Set(kinds), uris: [...new Set(texts)] };
}

function invalid(name: string): AegisError {
  return requestFault("ARGUMENTS_INVALID", `params.notifications: ${name}`);
}

function isAnnounced(route: Route, kind: ListKind): boolean {
  return route.servers.some(({ entry }) => isJsonObject(announcementOf(entry, "modern")?.capabilities[kind]));
}

/** Each resource is a decision of its own, and recorded as one. */
async function grant(
  exchange: Recorded,
  listener: Listener,
  uris: readonly string[],
  signal: AbortSignal,
  audit: AuditLog,
): Promise<readonly Granted[]> {
  const { route, snapshot } = exchange;
  const granted: Granted[] = [];
  for (const clientUri of uris) {
    const resource = resourceOf(route, clientUri);
    const verdict = resource && (await decideSubscription(snapshot, route, listener, resource, signal));
    await record(exchange, resource, verdict, audit);
    if (resource !== undefined && verdict?.isAllowed === true) granted.push({ clientUri, resource });
  }
  return granted;
}

async function record(
  exchange: Recorded,
  resource: ResourceRef | undefined,
  verdict: SubscriptionVerdict | undefined,
  audit: AuditLog,
): Promise<void> {
  const { tenant } = exchange.route.entry;
  const { digest, sequence, channel } = exchange.snapshot;
  const id = randomUUID();
  const isAllowed = verdict?.isAllowed === true;
  const body: JsonObject = {
    id,
    during: exchange.id,
    effect: isAllowed ? "allow" : "deny",
    policies: [...(verdict?.policies ?? [])],
    method: "resources/subscribe",
    target: verdict?.action ?? null,
    server: resource?.server.entry.id ?? null,
    route: exchange.route.entry.path,
    bundle: { digest, sequence, channel },
    ...(isAllowed ? {} : { code: verdict === undefined ? "TARGET_UNKNOWN" : "POLICY_DENIED" }),
  };
  await audit.append({ tenant, event: "decision", body });
  if (!isAllowed) return;
  await audit.append({ tenant, event: "result", body: { id, outcome: "accepted", code: null } });
}

/** False where too many resources are watched: what is not honoured is not acknowledged. */
function watch(listen: Listen, { clientUri, resource }: Granted, options: OpenListenOptions): boolean {
  const { entry } = resource.server;
  const onUpdated = (uri: string): void => tellUpdated(listen, entry.id, uri, options);
  const unwatch = options.updates.watch(entry.id, upstreamEra(entry, "modern"), resource.uri, onUpdated);
  if (unwatch === undefined) return false;
  listen.resources.set(clientUri, { unwatch });
  return true;
}

function tellUpdated(listen: Listen, serverId: string, uri: string, options: OpenListenOptions): void {
  const snapshot = options.snapshot();
  const route = snapshot?.routes.get(listen.routePath);
  const server = route?.servers.find(({ entry }) => entry.id === serverId);
  if (snapshot === undefined || route === undefined || server === undefined) return;
  if (!mayRead(snapshot, route, listen.listener, { server, uri })) return;
  options.listens.notify(listen, "notifications/resources/updated", {
    uri: toClientUri(route, server, uri),
  });
}

function honoured(kinds: ReadonlySet<ListKind>, granted: readonly Granted[]): JsonObject {
  const flags = LIST_KINDS.filter((kind) => kinds.has(kind)).map((kind) => [FLAG_OF_KIND[kind], true]);
  return {
    ...(Object.fromEntries(flags) as JsonObject),
    ...(granted.length === 0 ? {} : { resourceSubscriptions: granted.map(({ clientUri }) => clientUri) }),
  };
}
