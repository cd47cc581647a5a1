// Legacy sessions (MCP 2025-03-26 … 2025-11-25): minted by the gateway, bound to one principal and one route, capped
// and expired when idle. A restart loses them; clients then initialize again, as the protocol has them do.
import { randomUUID } from "node:crypto";
import { AegisError } from "#errors";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import type { RequestId } from "#mcp";
import type { Clock, JsonObject } from "#std";
import type { SseStream } from "../listener/inbound.ts";
import { DEFAULT_REPLAY_LIMITS, SessionStreams } from "../streams/session-streams.ts";
import type { AnswerStreams, ReplayBudget } from "../streams/session-streams.ts";
import type { Listener } from "../streams/resource-access.ts";
import type { SeenViews } from "../streams/visible-views.ts";

export interface LegacySession {
  readonly id: string;
  readonly routePath: string;
  /** `Principal.bindingKey` of the caller that opened it. */
  readonly bindingKey: string;
  /** Whose share of sessions it counts against: the caller, whatever client it came with. */
  readonly ownerKey: string;
  readonly protocolVersion: string;
  readonly clientInfo: JsonObject | undefined;
  /** As `initialize` declared them; what of them reaches an upstream is narrowed to what is governed. */
  readonly clientCapabilities: JsonObject;
  readonly issuer: string;
  /** Facts of the latest token seen: what a stream's messages are judged by. */
  principal: PrincipalFacts;
  /** Request facts of the latest message seen. */
  request: RequestFacts;
  expiresAtMs: number;
  /** Requests under way by id, so that `notifications/cancelled` reaches only its own session's calls. */
  readonly inFlight: Map<RequestId, () => void>;
  lastUsedMs: number;
  /** What carries messages that belong to no request: the GET stream, or a connection of another transport. */
  stream: SseStream | undefined;
  /** Its event streams over Streamable HTTP, which outlive their connections. */
  readonly streams: SessionStreams;
  /** Level that the client set; undefined = the server's choice. */
  logLevel: string | undefined;
  /** Required attributes that the latest token lacks: any denies every decision. */
  missingAttributes: readonly string[];
  /** Header of the latest message or GET: while there is a stream, its token is verified again after a swap. */
  authorization: string | undefined;
  /** What its caller was last known to see of the lists. */
  seen: SeenViews | undefined;
  /** What ends the gateway's own subscriptions for it, by the URI as the client sent it. */
  readonly subscriptions: Map<string, () => void>;
}

/** Whom the session's messages are judged for. */
export function listenerOf({ principal, missingAttributes, request }: LegacySession): Listener {
  return { principal, missingAttributes, request };
}

/** Sends a message that belongs to no request. Without a connection it waits, where the client can come back for it. */
export function notifySession(session: LegacySession, json: string): boolean {
  return session.stream === undefined ? session.streams.sendGeneral(json) : session.stream.send(json);
}

type SessionFacts =
  | "routePath"
  | "bindingKey"
  | "protocolVersion"
  | "clientInfo"
  | "clientCapabilities"
  | "issuer"
  | "principal"
  | "request"
  | "expiresAtMs";

export interface SessionLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerPrincipal: number;
  readonly idleMs: number;
  /** Bytes kept for clients that come back, of all sessions together and of one. */
  readonly maxReplayBytes: number;
  readonly maxReplayBytesPerSession: number;
  readonly answerStreams?: AnswerStreams;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxSessions: 10_000,
  maxSessionsPerPrincipal: 16,
  idleMs: 30 * 60_000,
  maxReplayBytes: 67_108_864,
  maxReplayBytesPerSession: DEFAULT_REPLAY_LIMITS.maxBytes,
};

/** Revisions before 2025-11-25, whose clients would read an event without data as a message. */
const WITHOUT_PRIMING: ReadonlySet<string> = new Set(["2024-11-05", "2025-03-26", "2025-06-18"]);

/** Whom a session or a stream counts against: the caller, whatever client it came with. */
export function ownerKeyOf(issuer: string, { tenant, id }: PrincipalFacts): string {
  return JSON.stringify([issuer, tenant, id]);
}

export class SessionTable {
  readonly #sessions = new Map<string, LegacySession>();
  readonly #owned = new Map<string, Set<LegacySession>>();
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #onEnd: (session: LegacySession) => void;
  readonly #replay: ReplayBudget;

  constructor(limits: SessionLimits, clock: Clock, onEnd: (session: LegacySession) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#replay = { maxBytes: limits.maxReplayBytes, usedBytes: 0 };
  }

  /** Bytes kept for clients that come back. */
  get replayBytes(): number {
    return this.#replay.usedBytes;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * A principal at its cap loses its own longest unused session, never somebody else's: clients that vanish without a
   * DELETE must not lock their user out.
   * @throws {AegisError} SESSION_LIMIT where the table is full, or all of the principal's sessions are in use
   */
  open(facts: Pick<LegacySession, SessionFacts>): LegacySession {
    const ownerKey = ownerKeyOf(facts.issuer, facts.principal);
    this.#makeRoom(ownerKey);
    if (this.#sessions.size >= this.#limits.maxSessions) {
      throw new AegisError("SESSION_LIMIT", `${this.#sessions.size} sessions open`);
    }
    const session: LegacySession = {
      ...facts,
      ownerKey,
      id: randomUUID(),
      inFlight: new Map(),
      lastUsedMs: this.#clock.nowMs(),
      stream: undefined,
      streams: this.#newStreams(facts.protocolVersion),
      logLevel: undefined,
      missingAttributes: [],
      authorization: undefined,
      seen: undefined,
      subscriptions: new Map(),
    };
    this.#sessions.set(session.id, session);
    const owned = this.#owned.get(ownerKey) ?? new Set();
    this.#owned.set(ownerKey, owned.add(session));
    return session;
  }

  #newStreams(protocolVersion: string): SessionStreams {
    return new SessionStreams({
      budget: this.#replay,
      limits: { ...DEFAULT_REPLAY_LIMITS, maxBytes: this.#limits.maxReplayBytesPerSession },
      clock: this.#clock,
      primes: !WITHOUT_PRIMING.has(protocolVersion),
      answerStreams: this.#limits.answerStreams,
    });
  }

  #makeRoom(ownerKey: string): void {
    const owned = this.#owned.get(ownerKey);
    if (owned === undefined || owned.size < this.#limits.maxSessionsPerPrincipal) return;
    let oldest: LegacySession | undefined;
    for (const session of owned) {
      if (session.inFlight.size > 0 || session.stream !== undefined) continue;
      if (oldest === undefined || session.lastUsedMs < oldest.lastUsedMs) oldest = session;
    }
    if (oldest === undefined)
      throw new AegisError("SESSION_LIMIT", `${owned.size} sessions of this principal in use`);
    this.end(oldest);
  }

  /**
   * The caller's own session. Another principal's id is as unknown as one that never was.
   * @throws {AegisError} SESSION_UNKNOWN
   */
  find(id: string, routePath: string, bindingKey: string): LegacySession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new AegisError("SESSION_UNKNOWN", "no such session");
    if (session.bindingKey !== bindingKey || session.routePath !== routePath) {
      throw new AegisError("SESSION_UNKNOWN", "session belongs to another principal or route");
    }
    session.lastUsedMs = this.#clock.nowMs();
    return session;
  }

  end(session: LegacySession): void {
    if (!this.#sessions.delete(session.id)) return;
    const owned = this.#owned.get(session.ownerKey);
    owned?.delete(session);
    if (owned?.size === 0) this.#owned.delete(session.ownerKey);
    session.streams.close();
    session.stream?.end();
    for (const unsubscribe of session.subscriptions.values()) unsubscribe();
    session.subscriptions.clear();
    for (const cancel of session.inFlight.values()) cancel();
    this.#onEnd(session);
  }

  /** Ends idle sessions and the streams of those whose token has expired, and forgets old events. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const session of this.#sessions.values()) {
      const idle =
        session.inFlight.size === 0 &&
        session.stream === undefined &&
        nowMs - session.lastUsedMs > this.#limits.idleMs;
      session.streams.sweep();
      if (idle) this.end(session);
      else if (session.stream !== undefined && nowMs >= session.expiresAtMs) session.stream.end();
    }
  }

  endAll(): void {
    for (const session of [...this.#sessions.values()]) this.end(session);
  }

  get(id: string): LegacySession | undefined {
    return this.#sessions.get(id);
  }

  values(): Iterable<LegacySession> {
    return this.#sessions.values();
  }
}
