// Sessions that the gateway holds with legacy servers for its modern callers: one caller's each, never shared. They end
// when they are idle, when their server's connections are closed, and where a caller has too many.
import { createHash, randomUUID } from "node:crypto";
import { canonicalJson } from "#bundle";
import { AegisError } from "#errors";
import type { DeclaredClient, LegacyChannelKey, ServerUpstream } from "#upstream";

export interface PoolLimits {
  readonly maxSessions: number;
  /** With one server. As many again are kept for sharing, one for each set of capabilities. */
  readonly maxSessionsPerCaller: number;
  /** With all servers together; as many again for sharing. */
  readonly maxSessionsPerPrincipal: number;
  readonly idleMs: number;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  maxSessions: 1_024,
  maxSessionsPerCaller: 8,
  maxSessionsPerPrincipal: 64,
  idleMs: 120_000,
};

/** What a session was opened for. */
export interface SessionOwner {
  readonly upstream: ServerUpstream;
  /** `Principal.bindingKey`. */
  readonly bindingKey: string;
  readonly client: DeclaredClient;
  readonly protocolVersion: string;
}

export interface PooledSession {
  readonly channel: LegacyChannelKey;
  readonly upstream: ServerUpstream;
  /** Level the server was last told; forgotten with the server's session. */
  logLevel: string | undefined;
  /** Calls under way, told of what the server sends on no call's own stream. */
  readonly calls: Set<PooledCall>;
}

export interface PooledCall {
  readonly onNotification: (notification: JsonNotification) => void;
}

type JsonNotification = Parameters<Parameters<ServerUpstream["request"]>[2]["onNotification"]>[0];

export interface SessionLease {
  readonly session: PooledSession;
  /** Whether no other call has the session, nor may get it while this one runs: what it is told is then told for this one. */
  readonly isAlone: () => boolean;
  /**
   * Called before the server gets the client's roots, which it may keep as long as the session lasts: no other call gets
   * the session from then on. False where the session is not this call's alone: then it must not get them.
   */
  readonly tellRoots: () => boolean;
  /** Gives the session back; later calls do nothing. */
  readonly release: () => void;
}

interface Place {
  readonly key: string;
  readonly callerKey: string;
  readonly canBeAsked: boolean;
  /** Kept for calls that have none to themselves: it counts apart, so that calls which wait for answers leave it room. */
  readonly isShared: boolean;
}

interface Entry extends PooledSession, Place {
  readonly bindingKey: string;
  readonly protocolVersion: string;
  leases: number;
  /** Its server may have kept them. */
  hasRoots: boolean;
  idle: NodeJS.Timeout | undefined;
  lastUsed: number;
}

export class SessionPool {
  readonly #limits: PoolLimits;
  /** By session id. */
  readonly #entries = new Map<string, Entry>();
  readonly #byPrincipal = new Map<string, Set<Entry>>();
  readonly #numbers = new WeakMap<ServerUpstream, number>();
  #lastNumber = 0;
  #uses = 0;

  constructor(limits: PoolLimits = DEFAULT_POOL_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * A session with what this client declares. Not every server says for which call it asks something, so a call of a
   * client that can be asked has a session to itself as long as the caller may have one more; after that, and where the
   * client cannot be asked, calls share one that is for sharing, and others only where that may not be opened either.
   * @throws {AegisError} BRIDGE_SESSION_LIMIT where every session is in use and none may be shared
   */
  take(owner: SessionOwner): SessionLease {
    const { upstream, bindingKey, client, protocolVersion } = owner;
    const callerKey = `${String(this.#numberOf(upstream))}\0${bindingKey}`;
    const declared = canonicalJson({ capabilities: client.capabilities, info: client.info ?? null });
    const digest = createHash("sha256").update(declared).digest("base64url");
    const key = `${callerKey}\0${protocolVersion}\0${digest}`;
    const canBeAsked = Object.keys(client.capabilities).length > 0;
    const place = { key, callerKey, canBeAsked };
    const fits = (entry: Entry): boolean => entry.key === key && !entry.hasRoots;
    const isFree = (entry: Entry): boolean => fits(entry) && !entry.isShared && entry.leases === 0;
    const own = canBeAsked
      ? (this.#leastUsed(bindingKey, isFree) ?? this.#open(owner, { ...place, isShared: false }))
      : undefined;
    // What a client calls itself gives a server no ground to ask, so without capabilities it need not be the same.
    const silent = (entry: Entry): boolean =>
      entry.callerKey === callerKey && entry.protocolVersion === protocolVersion && !entry.canBeAsked;
    const session =
      own ??
      this.#leastUsed(bindingKey, (entry) => fits(entry) && entry.isShared) ??
      this.#open(owner, { ...place, isShared: true }) ??
      this.#leastUsed(bindingKey, canBeAsked ? fits : silent);
    if (session === undefined)
      throw new AegisError("BRIDGE_SESSION_LIMIT", "every session of the caller with the server is in use");
    return this.#lease(session);
  }

  find(channel: LegacyChannelKey): PooledSession | undefined {
    return this.#entries.get(channel.session);
  }

  /** Ends every session that no call uses: what is declared may be another after a change of the release. */
  releaseIdle(): void {
    for (const entry of [...this.#entries.values()]) if (entry.leases === 0) this.#end(entry);
  }

  /** Ends every session. */
  close(): void {
    for (const entry of [...this.#entries.values()]) this.#end(entry);
  }

  #lease(entry: Entry): SessionLease {
    entry.leases += 1;
    entry.lastUsed = ++this.#uses;
    clearTimeout(entry.idle);
    let released = false;
    const isAlone = (): boolean => !released && !entry.isShared && entry.leases === 1;
    return {
      session: entry,
      isAlone,
      tellRoots: () => {
        if (!isAlone()) return false;
        entry.hasRoots = true;
        return true;
      },
      release: () => {
        if (released) return;
        released = true;
        entry.leases -= 1;
        if (entry.leases > 0 || this.#entries.get(entry.channel.session) !== entry) return;
        if (entry.hasRoots) return this.#end(entry);
        entry.idle = setTimeout(() => this.#end(entry), this.#limits.idleMs);
        entry.idle.unref();
      },
    };
  }

  #ownedBy(bindingKey: string): readonly Entry[] {
    return [...(this.#byPrincipal.get(bindingKey) ?? [])];
  }

  #leastUsed(bindingKey: string, fits: (entry: Entry) => boolean): Entry | undefined {
    return this.#ownedBy(bindingKey)
      .filter(fits)
      .sort((a, b) => a.leases - b.leases)[0];
  }

  /** Undefined where there is no room. */
  #open(owner: SessionOwner, place: Place): Entry | undefined {
    const { upstream, bindingKey, client, protocolVersion } = owner;
    if (!this.#makeRoom(bindingKey, place)) return undefined;
    const entry: Entry = {
      ...place,
      bindingKey,
      protocolVersion,
      channel: { era: "legacy", session: `bridge-${randomUUID()}`, protocolVersion, client },
      upstream,
      logLevel: undefined,
      calls: new Set(),
      leases: 0,
      hasRoots: false,
      idle: undefined,
      lastUsed: 0,
    };
    this.#entries.set(entry.channel.session, entry);
    const owned = this.#byPrincipal.get(bindingKey) ?? new Set();
    this.#byPrincipal.set(bindingKey, owned.add(entry));
    return entry;
  }

  /** False where neither the caller nor the gateway may have a further session, and none of theirs is idle. */
  #makeRoom(bindingKey: string, { callerKey, isShared }: Place): boolean {
    const own = this.#ownedBy(bindingKey).filter((entry) => entry.isShared === isShared);
    const here = own.filter((entry) => entry.callerKey === callerKey);
    if (here.length >= this.#limits.maxSessionsPerCaller) return this.#endOldest(here);
    if (own.length >= this.#limits.maxSessionsPerPrincipal) return this.#endOldest(own);
    return this.#entries.size < this.#limits.maxSessions || this.#endOldest([...this.#entries.values()]);
  }

  #endOldest(entries: readonly Entry[]): boolean {
    const idle = entries.filter(({ leases }) => leases === 0).sort((a, b) => a.lastUsed - b.lastUsed);
    const [oldest] = idle;
    if (oldest !== undefined) this.#end(oldest);
    return oldest !== undefined;
  }

  #end(entry: Entry): void {
    if (!this.#entries.delete(entry.channel.session)) return;
    const owned = this.#byPrincipal.get(entry.bindingKey);
    owned?.delete(entry);
    if (owned?.size === 0) this.#byPrincipal.delete(entry.bindingKey);
    clearTimeout(entry.idle);
    // The connection may be gone already; there is then nothing to end.
    entry.upstream.release(entry.channel).catch(() => undefined);
  }

  #numberOf(upstream: ServerUpstream): number {
    const known = this.#numbers.get(upstream);
    if (known !== undefined) return known;
    this.#lastNumber += 1;
    this.#numbers.set(upstream, this.#lastNumber);
    return this.#lastNumber;
  }
}
