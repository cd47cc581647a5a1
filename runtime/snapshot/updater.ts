// Brings releases to life: poll, verify completely, build completely, probe, swap, and only then remember. A failure
// at any step keeps what is active. Attempts never overlap, so a slow older one cannot win over a newer.
import { setTimeout as delay } from "node:timers/promises";
import {
  MAX_ROOT_STEPS,
  advanceRoot,
  decodeBundleInTurns,
  requireFreshRoot,
  sha256Hex,
  verifyRelease,
} from "#bundle";
import type { BundleContent, Ratchet, ReleaseFloor, TrustedRoot, VerifiedRelease } from "#bundle";
import { TrustError, isTrustError } from "#errors";
import type { TrustCode } from "#errors";
import { systemClock } from "#std";
import type { Clock } from "#std";
import { abortable } from "./abortable.ts";
import type { ReleaseSource } from "./release-source.ts";
import type { SnapshotHolder } from "./snapshot-holder.ts";
import type { StateStore } from "./state-store.ts";
import type {
  ActiveRelease,
  Rejection,
  UpdateOutcome,
  UpdaterState,
  UpdaterStatus,
} from "./update-status.ts";

/** What a build learns of the release it builds for. */
export interface ReleaseMeta {
  readonly digest: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly channel: string;
  /** Expiry plus grace, milliseconds since the epoch. */
  readonly hardExpiryMs: number;
}

export interface UpdaterOptions<T> {
  readonly source: ReleaseSource;
  readonly store: StateStore;
  readonly holder: SnapshotHolder<T>;
  /** The root pinned by process configuration. */
  readonly root: TrustedRoot;
  readonly channel: string;
  /** Guards a gateway whose state was lost; process configuration. */
  readonly floor?: ReleaseFloor;
  /** Builds a snapshot aside; whatever it throws that is no TrustError is SNAPSHOT_FAULT. */
  readonly build: (content: BundleContent, meta: ReleaseMeta, signal: AbortSignal) => Promise<T>;
  /** Replays the golden vectors against the candidate. Throws BUNDLE_VECTOR_FAILED. */
  readonly probe: (candidate: T, content: BundleContent, signal: AbortSignal) => Promise<void>;
  /** Frees a candidate that was not activated. */
  readonly discard: (candidate: T) => void;
  /** Told after every attempt, and of faults that change no outcome. Must not throw. */
  readonly onStatus?: (status: UpdaterStatus) => void;
  readonly pollIntervalMs?: number;
  /** Bound of one attempt, source to swap. */
  readonly attemptTimeoutMs?: number;
  readonly clock?: Clock;
  /** Uniform in [0, 1): the jitter of the interval. */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Updater {
  /**
   * Loads the last good release from the state directory, polls once, then keeps polling until `stop`. Resolves with
   * the outcome of the first poll, or of the load where the source failed but the last good release serves.
   * Rejects with STATE_CORRUPT where the state cannot be trusted: the process must not serve.
   */
  readonly start: () => Promise<UpdateOutcome>;
  /** One attempt now; the real outcome. Callers that arrive while one waits to begin share it. */
  readonly reload: () => Promise<UpdateOutcome>;
  readonly status: () => UpdaterStatus;
  /** True where nothing is active or the active release is past expiry and grace: deny every exchange. */
  readonly isExpired: (nowMs: number) => boolean;
  /** Ends polling, aborts an attempt under way and waits for it. */
  readonly stop: () => Promise<void>;
}

const DEFAULT_POLL_INTERVAL_MS = 10_000;
const DEFAULT_ATTEMPT_TIMEOUT_MS = 120_000;
/** Longest wait after failures where the interval itself is shorter. */
const MAX_BACKOFF_MS = 60_000;
const JITTER = 0.1;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One verified release on its way to activation. */
interface Incoming {
  readonly statement: Uint8Array;
  readonly verified: VerifiedRelease;
  readonly bundle: Uint8Array;
}

export function createUpdater<T>(options: UpdaterOptions<T>): Updater {
  return new ReleaseUpdater(options);
}

class ReleaseUpdater<T> implements Updater {
  readonly #options: UpdaterOptions<T>;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #status: Mutable<UpdaterStatus>;
  #root: TrustedRoot;
  #ratchet: Ratchet | undefined;
  #activeStatement: Uint8Array | undefined;
  #etag: string | undefined;
  /** The statement under examination, for the rejection record. */
  #examined: Pick<Rejection, "statement" | "digest" | "sequence"> | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<UpdateOutcome> | undefined;
  #polling: Promise<void> | undefined;

  constructor(options: UpdaterOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#root = options.root;
    this.#status = {
      state: { phase: "idle" },
      origin: options.source.origin,
      rootVersion: options.root.document.version,
      failures: 0,
    };
  }

  readonly status = (): UpdaterStatus => ({ ...this.#status });

  readonly isExpired = (nowMs: number): boolean => {
    const { active } = this.#status;
    return active === undefined || nowMs >= active.hardExpiryMs;
  };

  readonly start = async (): Promise<UpdateOutcome> => {
    const restored = await this.#exclusive(() => this.#restore());
    const polled = await this.reload();
    this.#polling = this.#poll();
    return polled.kind === "rejected" && restored !== undefined ? restored : polled;
  };

  readonly reload = (): Promise<UpdateOutcome> => {
    this.#waiting ??= this.#exclusive(() => {
      this.#waiting = undefined;
      return this.#attempt((signal) => this.#update(signal));
    });
    return this.#waiting;
  };

  readonly stop = async (): Promise<void> => {
    this.#stopping.abort(new TrustError("RELEASE_SOURCE_UNAVAILABLE", "the updater stopped"));
    await this.#polling;
    await this.#running;
  };

  /** Attempts run one after the other. */
  #exclusive<R>(action: () => Promise<R>): Promise<R> {
    const result = this.#running.then(action);
    this.#running = result.catch(() => undefined);
    return result;
  }

  async #poll(): Promise<void> {
    const {
      sleep = sleepFor,
      random = Math.random,
      pollIntervalMs = DEFAULT_POLL_INTERVAL_MS,
    } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const exponent = Math.max(0, Math.min(this.#status.failures - 1, 10));
      const ceilingMs = Math.max(pollIntervalMs, MAX_BACKOFF_MS);
      const waitMs = Math.min(ceilingMs, pollIntervalMs * 2 ** exponent);
      try {
        await sleep(waitMs * (1 - JITTER + 2 * JITTER * random()), signal);
      } catch {
        return;
      }
      await this.reload();
    }
  }

  /** Runs one attempt under its time limit and turns whatever happens into an outcome and a status. */
  async #attempt(action: (signal: AbortSignal) => Promise<UpdateOutcome>): Promise<UpdateOutcome> {
    const { attemptTimeoutMs = DEFAULT_ATTEMPT_TIMEOUT_MS, onStatus } = this.#options;
    const timeout = AbortSignal.timeout(attemptTimeoutMs);
    const signal = AbortSignal.any([this.#stopping.signal, timeout]);
    this.#examined = undefined;
    this.#status.lastAttemptMs = this.#clock.nowMs();
    let outcome: UpdateOutcome;
    try {
      outcome = await action(signal);
      this.#status.lastSuccessMs = this.#clock.nowMs();
      this.#status.failures = 0;
    } catch (error) {
      outcome = this.#reject(timeout.aborted ? timedOut(this.#status.state) : error);
    }
    this.#settle(outcome);
    onStatus?.(this.status());
    return outcome;
  }

  #settle(outcome: UpdateOutcome): void {
    const { active } = this.#status;
    if (outcome.kind === "rejected") this.#status.state = { phase: "holding", code: outcome.code };
    else if (active === undefined) this.#status.state = { phase: "idle" };
    else this.#status.state = { phase: "active", digest: active.digest, sequence: active.sequence };
  }

  #reject(error: unknown): UpdateOutcome {
    const fault = isTrustError(error)
      ? error
      : new TrustError("SNAPSHOT_FAULT", messageOf(error), { cause: error });
    const rejection: Rejection = {
      code: fault.code,
      detail: fault.detail,
      ...this.#examined,
      atMs: this.#clock.nowMs(),
    };
    this.#status.lastRejection = rejection;
    this.#status.failures += 1;
    // A refused statement may become acceptable: ask for it again.
    this.#etag = undefined;
    return { kind: "rejected", code: fault.code, detail: fault.detail };
  }

  /** Cold start: everything the state directory holds is verified from scratch. */
  async #restore(): Promise<UpdateOutcome | undefined> {
    const { store } = this.#options;
    const ratchet = await store.loadRatchet();
    await this.#followRoots((version) => store.loadRoot(version), "stored").catch((error: unknown) => {
      throw new TrustError("STATE_CORRUPT", `a stored root does not verify: ${messageOf(error)}`, {
        cause: error,
      });
    });
    if (ratchet === undefined) return undefined;
    if (this.#root.document.version < ratchet.rootVersion) {
      throw new TrustError(
        "STATE_CORRUPT",
        `root ${String(ratchet.rootVersion)} is missing: restore it from a backup`,
      );
    }
    this.#ratchet = ratchet;
    const outcome = await this.#attempt(async (signal) => {
      const stored = await store.loadRelease(ratchet);
      if (stored === undefined)
        throw new TrustError("BUNDLE_UNREADABLE", "the last good release is missing or damaged");
      const verified = await this.#verify(stored.statement);
      return this.#activate({ ...stored, verified }, signal);
    });
    return outcome.kind === "rejected" ? undefined : outcome;
  }

  async #update(signal: AbortSignal): Promise<UpdateOutcome> {
    const { source, store } = this.#options;
    this.#enter("fetching");
    const before = this.#root;
    await this.#followRoots((version) => abortable(source.fetchRoot(version, signal), signal), "fetched");
    // A new root may vouch for other keys or revoke a digest: the statement is to be judged anew.
    if (this.#root !== before) this.#etag = undefined;
    const polled = await abortable(source.poll(this.#etag, signal), signal);
    if (polled.kind === "unchanged") {
      requireFreshRoot(this.#root, this.#clock.nowMs());
      return this.#unchanged();
    }
    this.#enter("verifying");
    const verified = await this.#verify(polled.bytes);
    if (this.#activeStatement !== undefined && Buffer.compare(polled.bytes, this.#activeStatement) === 0) {
      this.#etag = polled.etag;
      return this.#unchanged();
    }
    this.#enter("fetching");
    const bundle = await abortable(source.fetchBundle(verified.statement.digest, signal), signal);
    const outcome = await this.#activate({ statement: polled.bytes, verified, bundle }, signal);
    this.#etag = polled.etag;
    await this.#persist(store, { statement: polled.bytes, verified, bundle });
    return outcome;
  }

  #unchanged(): UpdateOutcome {
    const { active } = this.#status;
    // An entity tag is kept only with an active release.
    if (active === undefined)
      throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", "unchanged, yet nothing is active");
    return { kind: "unchanged", digest: active.digest, sequence: active.sequence };
  }

  async #verify(statement: Uint8Array): Promise<VerifiedRelease> {
    const { channel, floor } = this.#options;
    this.#examined = { statement: sha256Hex(statement) };
    const verified = await verifyRelease(statement, {
      root: this.#root,
      channel,
      nowMs: this.#clock.nowMs(),
      ...(this.#ratchet === undefined ? {} : { ratchet: this.#ratchet }),
      ...(floor === undefined ? {} : { floor }),
      onStatement: ({ digest, sequence }) => {
        this.#examined = { ...this.#examined, digest, sequence };
      },
    });
    return verified;
  }

  /** Follows the chain of roots as far as it goes; a root that is withheld is found out by the epoch and the expiry. */
  async #followRoots(
    read: (version: number) => Promise<Uint8Array | undefined>,
    origin: "stored" | "fetched",
  ): Promise<void> {
    for (let step = 0; step < MAX_ROOT_STEPS; step++) {
      const bytes = await read(this.#root.document.version + 1);
      if (bytes === undefined) return;
      this.#root = await advanceRoot(this.#root, bytes);
      this.#status.rootVersion = this.#root.document.version;
      this.#dropRevoked();
      if (origin === "fetched") await this.#options.store.saveRoot(this.#root.document.version, bytes);
    }
    throw new TrustError("ROOT_INVALID", `more than ${String(MAX_ROOT_STEPS)} new roots`);
  }

  /** A root that revokes the active bundle takes effect at once: nothing is served until another release is active. */
  #dropRevoked(): void {
    const { active } = this.#status;
    if (active === undefined || !this.#root.document.revokedDigests.includes(active.digest)) return;
    delete this.#status.active;
    this.#activeStatement = undefined;
    this.#options.holder.clear();
  }

  async #activate(incoming: Incoming, signal: AbortSignal): Promise<UpdateOutcome> {
    const { build, probe, discard, holder } = this.#options;
    const { statement, hardExpiryMs, keyIds } = incoming.verified;
    const { digest, sequence, epoch, channel, expiresAt } = statement;
    this.#enter("building");
    const { content } = await decodeBundleInTurns(incoming.bundle, digest, signal);
    const meta: ReleaseMeta = { digest, sequence, epoch, channel, hardExpiryMs };
    const candidate = await abortable(build(content, meta, signal), signal, discard);
    try {
      this.#enter("probing");
      await abortable(probe(candidate, content, signal), signal);
      await holder.makeRoom(signal);
      signal.throwIfAborted();
    } catch (error) {
      discard(candidate);
      throw error;
    }
    holder.swap(candidate);
    this.#ratchet = { epoch, sequence, digest };
    this.#activeStatement = incoming.statement;
    const rootVersion = this.#root.document.version;
    const activatedAtMs = this.#clock.nowMs();
    const active: ActiveRelease = { ...meta, expiresAt, keyIds, rootVersion, activatedAtMs };
    this.#status.active = active;
    return { kind: "activated", digest, sequence };
  }

  async #persist(store: StateStore, { statement, verified, bundle }: Incoming): Promise<void> {
    const { epoch, sequence, digest } = verified.statement;
    const rootVersion = this.#root.document.version;
    try {
      await store.saveRelease({ ratchet: { epoch, sequence, digest }, rootVersion, statement, bundle });
      delete this.#status.persistFault;
    } catch (error) {
      // The release is verified and active; memory holds the ratchet. A restart would begin one release earlier.
      this.#status.persistFault = { detail: messageOf(error), atMs: this.#clock.nowMs() };
    }
  }

  #enter(phase: "fetching" | "verifying" | "building" | "probing"): void {
    this.#status.state = { phase };
  }
}

function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal, ref: false });
}

function timedOut(state: UpdaterState): TrustError {
  const code: TrustCode = state.phase === "fetching" ? "RELEASE_SOURCE_UNAVAILABLE" : "SNAPSHOT_FAULT";
  return new TrustError(code, `the attempt timed out while ${state.phase}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown fault";
}
