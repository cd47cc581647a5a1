// A legacy server as a modern one (MCP 2026-07-28 on 2025-11-25 and before): the envelope becomes a session of the
// caller's own, requests of the server become `input_required`, results gain what the modern era demands.
import type { ServerEntry } from "#bundle";
import { AegisError } from "#errors";
import { META_CLIENT_INFO, META_LOG_LEVEL } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { LATEST_LEGACY_PROTOCOL_VERSION } from "#upstream";
import type {
  DeclaredClient,
  ExchangeObserver,
  OutboundRequest,
  RequestLimits,
  ServerUpstream,
  UpstreamReply,
} from "#upstream";
import { isMoreVerbose } from "../streams/log-level.ts";
import { ParkableCall } from "./parkable-call.ts";
import type { AnswerAhead, Turn } from "./parkable-call.ts";
import { requestDigest } from "./parked-calls.ts";
import type { ParkBinding, ParkedCalls } from "./parked-calls.ts";
import type { PooledSession, SessionLease, SessionPool } from "./session-pool.ts";
import { declaredIn, modernReply, withMissingCapability } from "./translate-reply.ts";
import { legacyCapabilities, legacyParams } from "./translate.ts";

/** The methods whose answer may ask for input (MCP 2026-07-28, multi round-trip requests). */
const ASKING_METHODS: ReadonlySet<string> = new Set(["prompts/get", "resources/read", "tools/call"]);
/** Longest that a server takes to set its log level; it is no part of what the caller asked for. */
const LEVEL_TIMEOUT_MS = 5_000;

export interface LegacySide {
  readonly pool: SessionPool;
  readonly parked: ParkedCalls;
}

export interface BridgedServer {
  readonly entry: Pick<ServerEntry, "id" | "eras">;
  readonly upstream: ServerUpstream;
  /** `Principal.bindingKey` of the caller. */
  readonly bindingKey: string;
  /** Absent where nothing may be answered ahead: see `ParkableCallOptions`. */
  readonly answerAhead?: AnswerAhead | undefined;
}

/** @throws {AegisError} as `Upstream.request`; REQUEST_STATE_INVALID, CAPABILITY_REQUIRED */
export async function requestLegacy(
  side: LegacySide,
  server: BridgedServer,
  request: OutboundRequest,
  observer: ExchangeObserver,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  const state = request.params?.["requestState"];
  if (state === undefined && isDeclined(request.params?.["inputResponses"])) return DECLINED;
  const binding = { bindingKey: server.bindingKey, digest: requestDigest(server.entry.id, request) };
  const call =
    state === undefined
      ? await startCall(side, server, request, limits, signal)
      : resumeCall(side, state, request, binding);
  const turn = await call.attend({ request, observer, signal });
  if (turn.kind === "reply" && turn.large !== undefined) {
    if (limits.onLarge === undefined)
      throw new AegisError("RESULT_TOO_LARGE", "a large answer that nobody reads");
    // Whoever reads it translates it.
    limits.onLarge(turn.large);
    return turn.reply;
  }
  return conclude(side, server, request, call, turn, binding);
}

/** The one thing asked without a call that waits is to open a URL: where the user would not, the server is not called again. */
function isDeclined(answers: JsonValue | undefined): boolean {
  if (!isJsonObject(answers)) return false;
  return Object.values(answers).some(
    (answer) => isJsonObject(answer) && (answer["action"] === "decline" || answer["action"] === "cancel"),
  );
}

const DECLINED: UpstreamReply = {
  kind: "error",
  error: { code: -32603, message: "What the server asks for was declined" },
};

function resumeCall(
  { parked }: LegacySide,
  state: unknown,
  request: OutboundRequest,
  binding: ParkBinding,
): ParkableCall {
  if (typeof state !== "string")
    throw new AegisError("REQUEST_STATE_INVALID", "requestState is not a string");
  const call = parked.resume(state, binding);
  const answers = request.params?.["inputResponses"];
  if (isJsonObject(answers)) call.answer(answers);
  return call;
}

async function startCall(
  { pool, parked }: LegacySide,
  server: BridgedServer,
  request: OutboundRequest,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<ParkableCall> {
  const { bindingKey } = server;
  const lease = leaseFor(pool, server, request);
  try {
    await raiseLogLevel(server.entry, lease.session, request, signal);
  } catch (fault) {
    lease.release();
    throw fault;
  }
  const mayAsk = ASKING_METHODS.has(request.method);
  const answers = request.params?.["inputResponses"];
  const call: ParkableCall = new ParkableCall({
    lease,
    request: { method: request.method, params: legacyParams(request.params), paramHeaders: {} },
    maxResponseBytes: limits.maxResponseBytes,
    takesLarge: limits.onLarge !== undefined,
    capabilities: mayAsk ? declaredIn(request.params) : {},
    mayPark: () => parked.hasRoomFor(bindingKey),
    answerAhead: server.answerAhead,
    answers: isJsonObject(answers) ? answers : {},
  });
  call.start();
  return call;
}

/** A session with what the request's envelope declares. @throws {AegisError} BRIDGE_SESSION_LIMIT */
function leaseFor(
  pool: SessionPool,
  { entry, upstream, bindingKey }: BridgedServer,
  request: OutboundRequest,
): SessionLease {
  const protocolVersion = entry.eras.legacy?.protocolVersion ?? LATEST_LEGACY_PROTOCOL_VERSION;
  const meta = metaOf(request);
  const info = meta[META_CLIENT_INFO];
  const client: DeclaredClient = {
    capabilities: legacyCapabilities(declaredIn(request.params), protocolVersion),
    ...(isJsonObject(info) ? { info } : {}),
  };
  return pool.take({ upstream, bindingKey, client, protocolVersion });
}

function metaOf(request: OutboundRequest): JsonObject {
  const meta = request.params?.["_meta"];
  return isJsonObject(meta) ? meta : {};
}

/** The session's level is the most verbose that any of its requests asked for; each request's own is kept by filtering. */
async function raiseLogLevel(
  entry: BridgedServer["entry"],
  session: PooledSession,
  request: OutboundRequest,
  signal: AbortSignal,
): Promise<void> {
  const level = metaOf(request)[META_LOG_LEVEL];
  if (typeof level !== "string" || !isJsonObject(entry.eras.legacy?.capabilities["logging"])) return;
  if (session.logLevel !== undefined && !isMoreVerbose(level, session.logLevel)) return;
  session.logLevel = level;
  const silent: ExchangeObserver = {
    onNotification: () => undefined,
    onServerRequest: () =>
      Promise.resolve({ kind: "error", error: { code: -32601, message: "Method not found" } } as const),
  };
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(LEVEL_TIMEOUT_MS)]);
  const set = { method: "logging/setLevel", params: { level }, paramHeaders: {} };
  try {
    await session.upstream.request(session.channel, set, silent, { maxResponseBytes: 65_536 }, bounded);
  } catch (fault) {
    session.logLevel = undefined;
    throw fault;
  }
}

function conclude(
  { parked }: LegacySide,
  { entry }: BridgedServer,
  request: OutboundRequest,
  call: ParkableCall,
  turn: Turn,
  binding: ParkBinding,
): UpstreamReply {
  if (turn.kind === "asks") {
    const requestState = parked.park(call, binding);
    return {
      kind: "result",
      result: { resultType: "input_required", inputRequests: turn.asks, requestState },
    };
  }
  const serverInfo = entry.eras.legacy?.serverInfo ?? {};
  // Elsewhere no client can be asked, whatever it declares.
  const missing = ASKING_METHODS.has(request.method) ? call.missing : undefined;
  const reply = withMissingCapability(turn.reply, missing);
  return modernReply(reply, request, { serverInfo, capabilities: declaredIn(request.params) });
}
