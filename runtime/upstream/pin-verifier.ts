// Whether a server still shows the definitions that were approved. Callers never see live text: this only decides
// whether a call may pass. Live definitions are read through a channel of the verifier's own.
import { isAegisError } from "#errors";
import type { Digest, Era, LeafEntry, LeafKind, ServerEntry, ServerId } from "#bundle";
import type { Clock } from "#std";
import { listDefinitions } from "./definitions.ts";
import type { LiveListing } from "./definitions.ts";
import { LATEST_LEGACY_PROTOCOL_VERSION, readingChannel } from "./envelope.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { UpstreamFault, untilAborted } from "./upstream-fault.ts";
import type { ChannelKey } from "./upstream.ts";

export type PinCheck =
  { readonly ok: true } | { readonly ok: false; readonly code: PinFault; readonly detail: string };

/** UPSTREAM_*: of a reading alone; the server could not be reached, or did not answer. */
export type PinFault = "PIN_MISMATCH" | "PIN_UNVERIFIED" | "UPSTREAM_TIMEOUT" | "UPSTREAM_UNAVAILABLE";

/** A definition that is not the approved one. Raised once for each server, leaf and live digest. */
export interface PinAlarm {
  readonly server: ServerId;
  readonly era: Era;
  readonly kind: LeafKind;
  readonly name: string;
  readonly approved: readonly Digest[];
  /** Absent where the server no longer shows the leaf. */
  readonly live: Digest | undefined;
}

export interface PinVerifierOptions {
  readonly servers: readonly { readonly entry: ServerEntry; readonly upstream: ServerUpstream }[];
  readonly clock: Clock;
  /** Must not throw. */
  readonly onAlarm: (alarm: PinAlarm) => void;
  /**
   * The live definitions could not be read; the verdict stays what it was until it is too old. Told once while the
   * reason stays the same. Must not throw.
   */
  readonly onRefreshFault?: (server: ServerId, detail: string) => void;
  /** One whole verification, default 15 s. */
  readonly verifyTimeoutMs?: number;
  /** Bounds the readings ahead of time of all verifiers that share it; absent = unbounded. */
  readonly refreshes?: RefreshBudget;
  /** After the last check of a server, how long the channel its pins are read through stays open; default 60 s. */
  readonly idleMs?: number;
  /** Between the end of a failed verification and the next attempt, default 1 s. */
  readonly retryAfterMs?: number;
}

/** Readings that nobody waits for, under way at once. A check that finds no room tries again the next time. */
export interface RefreshBudget {
  readonly take: () => boolean;
  readonly give: () => void;
}

export function createRefreshBudget(maxRefreshes: number): RefreshBudget {
  let running = 0;
  return {
    take: () => {
      if (running >= maxRefreshes) return false;
      running += 1;
      return true;
    },
    give: () => {
      running -= 1;
    },
  };
}

export interface PinVerifier {
  /**
   * Decides from what was read at most `pinMaxAgeMs` ago. PIN_UNVERIFIED: call `verify` and check again.
   * Past half that age a check also starts a refresh in the background.
   */
  readonly check: (server: ServerId, era: Era, leaf: LeafEntry) => PinCheck;
  /**
   * Reads the live definitions, together with everybody else who waits for the same server and era. Never throws for
   * an upstream fault: the answer is UPSTREAM_UNAVAILABLE or UPSTREAM_TIMEOUT where the server is away, which is not
   * remembered, and otherwise PIN_UNVERIFIED.
   * @throws {AegisError} only what `signal` was aborted with.
   */
  readonly verify: (server: ServerId, era: Era, signal: AbortSignal) => Promise<PinCheck>;
  /** Forgets what was read, both eras: the server said that a list changed, or its process is a new one. */
  readonly invalidate: (server: ServerId) => void;
  /** Ends background work and releases the verifier's channels. */
  readonly dispose: () => void;
}

/** Alarms remembered so as not to raise them again, over all leaves. */
const MAX_ALARMS = 4_096;
/** A list that changes while it is read is read again, this often. */
const MAX_ROUNDS = 3;
const VERIFY_TIMEOUT_MS = 15_000;
const RETRY_AFTER_MS = 1_000;
const IDLE_MS = 60_000;
let lastVerifier = 0;

interface EraState {
  /** Digest of each live definition by kind and name. */
  live: ReadonlyMap<string, Digest> | undefined;
  /** When the reading of `live` began. */
  readAtMs: number;
  failedAtMs: number | undefined;
  failure: string;
  /** The failure was that of the server to answer. Whether it is still away is for its upstream to know. */
  isAway: boolean;
  /** The last failure that was told; a success forgets it. */
  toldFailure: string;
  generation: number;
  running: Promise<PinCheck> | undefined;
}

const unverified = (detail: string): PinCheck => ({ ok: false, code: "PIN_UNVERIFIED", detail });
/** An HTTP status is an answer, if no useful one. */
function isSessionLost(fault: unknown): boolean {
  return fault instanceof UpstreamFault && fault.sessionLost;
}

function faultCode(error: unknown): PinFault {
  if (!isAegisError(error)) return "PIN_UNVERIFIED";
  if (error.code === "UPSTREAM_TIMEOUT") return error.code;
  const isAnswered = error instanceof UpstreamFault && error.httpStatus !== undefined;
  return error.code === "UPSTREAM_UNAVAILABLE" && !isAnswered ? error.code : "PIN_UNVERIFIED";
}

const leafKey = (kind: LeafKind, name: string): string => `${kind}\0${name}`;

/** The channel that pins are read through: never one that carries a caller's messages. */
function pinChannel(entry: ServerEntry, era: Era, verifier: number): ChannelKey {
  if (era === "modern") return { era };
  const protocolVersion = entry.eras.legacy?.protocolVersion ?? LATEST_LEGACY_PROTOCOL_VERSION;
  // A verifier that is replaced must not take its successor's channel down.
  return readingChannel(`pins-${String(verifier)}`, protocolVersion);
}

class ServerPins {
  readonly #entry: ServerEntry;
  readonly #upstream: ServerUpstream;
  readonly #options: PinVerifierOptions;
  readonly #raise: (alarm: PinAlarm) => void;
  readonly #disposed: AbortSignal;
  readonly #states = new Map<Era, EraState>();
  readonly #number = ++lastVerifier;
  #usedAtMs = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(
    entry: ServerEntry,
    upstream: ServerUpstream,
    options: PinVerifierOptions,
    raise: (alarm: PinAlarm) => void,
    disposed: AbortSignal,
  ) {
    this.#entry = entry;
    this.#upstream = upstream;
    this.#options = options;
    this.#raise = raise;
    this.#disposed = disposed;
  }

  check(era: Era, leaf: LeafEntry): PinCheck {
    const state = this.#state(era);
    this.#usedAtMs = this.#now();
    const ageMs = this.#now() - state.readAtMs;
    if (state.live === undefined || ageMs >= this.#entry.pinMaxAgeMs || ageMs < 0) {
      return unverified(
        state.failure === "" ? "the live definitions were not read recently enough" : state.failure,
      );
    }
    if (ageMs > this.#entry.pinMaxAgeMs / 2) this.#refresh(era, state);
    return this.#compare(era, leaf, state.live);
  }

  async verify(era: Era, signal: AbortSignal): Promise<PinCheck> {
    const state = this.#state(era);
    const retryAfterMs = this.#options.retryAfterMs ?? RETRY_AFTER_MS;
    if (
      state.running === undefined &&
      !state.isAway &&
      state.failedAtMs !== undefined &&
      this.#now() - state.failedAtMs < retryAfterMs
    ) {
      return unverified(state.failure);
    }
    return untilAborted(this.#run(era, state), signal);
  }

  invalidate(): void {
    for (const state of this.#states.values()) {
      state.generation++;
      state.live = undefined;
      // What is now known to be stale must be read again at once.
      state.failedAtMs = undefined;
      state.failure = "";
    }
  }

  release(): void {
    clearTimeout(this.#idle);
    if (!this.#states.has("legacy")) return;
    this.#upstream.release(pinChannel(this.#entry, "legacy", this.#number)).catch(() => undefined);
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #state(era: Era): EraState {
    const known = this.#states.get(era);
    if (known !== undefined) return known;
    const state: EraState = {
      live: undefined,
      readAtMs: 0,
      failedAtMs: undefined,
      failure: "",
      isAway: false,
      toldFailure: "",
      generation: 0,
      running: undefined,
    };
    this.#states.set(era, state);
    return state;
  }

  #refresh(era: Era, state: EraState): void {
    const retryAfterMs = this.#options.retryAfterMs ?? RETRY_AFTER_MS;
    if (state.running !== undefined || this.#disposed.aborted) return;
    if (state.failedAtMs !== undefined && this.#now() - state.failedAtMs < retryAfterMs) return;
    const { refreshes } = this.#options;
    if (refreshes?.take() === false) return;
    this.#run(era, state)
      .catch(() => undefined)
      .finally(() => refreshes?.give());
  }

  /** The session or process that pins are read through ends with the calls of its server; the next reading opens it anew. */
  #releaseLater(): void {
    const idleMs = this.#options.idleMs ?? IDLE_MS;
    clearTimeout(this.#idle);
    if (this.#disposed.aborted) return;
    this.#idle = setTimeout(() => {
      const isBusy = [...this.#states.values()].some(({ running }) => running !== undefined);
      if (isBusy || this.#now() - this.#usedAtMs < idleMs) this.#releaseLater();
      else this.release();
    }, idleMs);
    this.#idle.unref();
  }

  #run(era: Era, state: EraState): Promise<PinCheck> {
    if (state.running !== undefined) return state.running;
    const running = this.#read(era, state).finally(() => {
      state.running = undefined;
      if (era === "legacy") this.#releaseLater();
    });
    state.running = running;
    return running;
  }

  async #read(era: Era, state: EraState): Promise<PinCheck> {
    const timeout = AbortSignal.timeout(this.#options.verifyTimeoutMs ?? VERIFY_TIMEOUT_MS);
    const signal = AbortSignal.any([timeout, this.#disposed]);
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        const generation = state.generation;
        const startedMs = this.#now();
        const listing = await listDefinitions(
          this.#upstream,
          pinChannel(this.#entry, era, this.#number),
          signal,
        ).catch((fault: unknown) => {
          // A server that was started again knows no session: reading once more opens one, and changes nothing.
          if (!isSessionLost(fault) || round === MAX_ROUNDS - 1) throw fault;
          return undefined;
        });
        if (listing === undefined || generation !== state.generation) continue;
        this.#accept(era, state, listing, startedMs);
        return { ok: true };
      }
      throw new UpstreamFault("UPSTREAM_PROTOCOL", "the definitions kept changing while they were read");
    } catch (error) {
      const code = faultCode(error);
      state.isAway = code !== "PIN_UNVERIFIED";
      state.failedAtMs = this.#now();
      state.failure = `the live definitions could not be read (${isAegisError(error) ? `${error.code}: ${error.detail}` : String(error)})`;
      this.#tell(state);
      return { ok: false, code, detail: state.failure };
    }
  }

  #tell(state: EraState): void {
    if (this.#disposed.aborted || state.failure === state.toldFailure) return;
    state.toldFailure = state.failure;
    this.#options.onRefreshFault?.(this.#entry.id, state.failure);
  }

  #accept(era: Era, state: EraState, listing: LiveListing, startedMs: number): void {
    state.live = new Map(listing.definitions.map((live) => [leafKey(live.kind, live.name), live.digest]));
    state.readAtMs = startedMs;
    state.failedAtMs = undefined;
    state.failure = "";
    state.toldFailure = "";
    // Every approved leaf is compared at once, so that a change is reported before somebody calls.
    for (const leaf of this.#entry.leaves) {
      if (leaf.definitions.some((definition) => definition.eras.includes(era)))
        this.#compare(era, leaf, state.live);
    }
  }

  #compare(era: Era, leaf: LeafEntry, live: ReadonlyMap<string, Digest>): PinCheck {
    const approved = leaf.definitions
      .filter((definition) => definition.eras.includes(era))
      .map((definition) => definition.digest);
    const digest = live.get(leafKey(leaf.kind, leaf.name));
    if (digest !== undefined && approved.includes(digest)) return { ok: true };
    const { kind, name } = leaf;
    this.#raise({ server: this.#entry.id, era, kind, name, approved, live: digest });
    const what =
      digest === undefined
        ? "is no longer shown by the server"
        : `changed: live ${digest}, approved ${approved.join(" ")}`;
    return { ok: false, code: "PIN_MISMATCH", detail: `${kind} ${JSON.stringify(name)} ${what}` };
  }
}

function alarmKey(alarm: PinAlarm): string {
  return JSON.stringify([alarm.server, alarm.kind, alarm.name, alarm.live ?? ""]);
}

/** Raises each alarm once; forgets the oldest where a server invents new digests without end. */
function once(onAlarm: (alarm: PinAlarm) => void): (alarm: PinAlarm) => void {
  const raised = new Set<string>();
  return (alarm) => {
    const key = alarmKey(alarm);
    if (raised.has(key)) return;
    const oldest = raised.values().next().value;
    if (raised.size >= MAX_ALARMS && oldest !== undefined) raised.delete(oldest);
    raised.add(key);
    onAlarm(alarm);
  };
}

/** Makes a verifier for the given servers. Nothing is read before the first `verify`. */
export function createPinVerifier(options: PinVerifierOptions): PinVerifier {
  const disposal = new AbortController();
  const raise = once(options.onAlarm);
  const pins = new Map(
    options.servers.map(({ entry, upstream }) => [
      entry.id,
      new ServerPins(entry, upstream, options, raise, disposal.signal),
    ]),
  );
  return {
    check: (server, era, leaf) =>
      pins.get(server)?.check(era, leaf) ?? unverified("the verifier does not know this server"),
    verify: (server, era, signal) =>
      pins.get(server)?.verify(era, signal) ??
      Promise.resolve(unverified("the verifier does not know this server")),
    invalidate: (server) => pins.get(server)?.invalidate(),
    dispose: () => {
      if (disposal.signal.aborted) return;
      disposal.abort(new UpstreamFault("EXCHANGE_ABORTED", "the pin verifier was disposed of"));
      for (const server of pins.values()) server.release();
    },
  };
}
