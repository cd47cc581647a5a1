// Owns the one reference to the active snapshot, the leases on it, and the end of the generations before it.
import { setTimeout as sleep } from "node:timers/promises";
import { IdTable, systemClock } from "#std";
import type { Clock } from "#std";

/** D22: the active generation and at most two that drain. */
const MAX_GENERATIONS = 3;
/** Bound of a lease whose exchange has not set its own deadline yet. */
const DEFAULT_LEASE_MS = 60_000;

/** The right of one exchange to one snapshot, from admission to reply. */
export interface SnapshotLease<T> {
  readonly snapshot: T;
  /** Bounds the lease to `deadlineMs` from now: the deadline of the exchange. */
  readonly setDeadline: (deadlineMs: number) => void;
  /** Gives the lease back. Calling it twice is harmless. */
  readonly release: () => void;
}

export type SwapListener<T> = (next: T | undefined, previous: T | undefined) => void;

export interface SnapshotHolder<T> {
  /** The active snapshot; undefined means not ready: every exchange is denied. */
  readonly current: () => T | undefined;
  /**
   * A lease on the active snapshot, or undefined where there is none. `onEnd` is called where the generation has to end
   * before the lease is given back.
   */
  readonly acquire: (onEnd?: () => void) => SnapshotLease<T> | undefined;
  /** Resolves once one more generation may live: at once, or when one has drained or its leases have run out. */
  readonly makeRoom: (signal: AbortSignal) => Promise<void>;
  /** Activates `next` in one assignment. Without room, the oldest generation ends now and its leases abort. */
  readonly swap: (next: T) => void;
  /** Deactivates: from now on nothing is served. */
  readonly clear: () => void;
  /** Called after each activation, in the order of subscription; returns the function that unsubscribes. */
  readonly onSwap: (listener: SwapListener<T>) => () => void;
  /** Generations that are not disposed, the active one included. */
  readonly liveGenerations: () => number;
}

export interface SnapshotHolderOptions<T> {
  /** Frees what a snapshot holds. Called once for each, when nothing uses it any more. */
  readonly dispose: (snapshot: T) => void;
  /** Told what a listener or `dispose` threw; neither may stop an activation. */
  readonly onFault: (error: unknown) => void;
  readonly clock?: Clock;
}

// Not an abort signal shared by all leases: adding a listener to one takes as long as it has listeners.
interface HeldLease {
  endsAtMs: number;
  readonly onEnd: (() => void) | undefined;
}

interface Generation<T> {
  readonly snapshot: T;
  readonly leases: IdTable<HeldLease>;
  lastLease: number;
  /** Settles when the generation is disposed. */
  readonly ended: Promise<void>;
  readonly markEnded: () => void;
}

export function createSnapshotHolder<T>(options: SnapshotHolderOptions<T>): SnapshotHolder<T> {
  const { dispose, onFault, clock = systemClock } = options;
  /** Oldest first; the active one, where there is one, is last. */
  const live: Generation<T>[] = [];
  const listeners = new Set<SwapListener<T>>();
  let active: Generation<T> | undefined;

  const guarded = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      onFault(error);
    }
  };

  const end = (generation: Generation<T>): void => {
    const index = live.indexOf(generation);
    if (index === -1) return;
    live.splice(index, 1);
    for (const { onEnd } of leasesOf(generation)) if (onEnd !== undefined) guarded(onEnd);
    guarded(() => {
      dispose(generation.snapshot);
    });
    generation.markEnded();
  };

  const endIfDrained = (generation: Generation<T>): void => {
    if (generation !== active && generation.leases.size === 0) end(generation);
  };

  const activate = (next: Generation<T> | undefined): void => {
    const previous = active;
    active = next;
    if (next !== undefined) live.push(next);
    if (previous !== undefined) endIfDrained(previous);
    while (live.length > MAX_GENERATIONS && live[0] !== undefined) end(live[0]);
    for (const listener of listeners) {
      guarded(() => {
        listener(next?.snapshot, previous?.snapshot);
      });
    }
  };

  return {
    current: () => active?.snapshot,
    acquire: (onEnd) => (active === undefined ? undefined : lease(active, clock, endIfDrained, onEnd)),
    makeRoom: async (signal) => {
      while (live.length >= MAX_GENERATIONS) {
        const draining = live.filter((generation) => generation !== active);
        const [first] = draining.sort((left, right) => leasesEndAtMs(left) - leasesEndAtMs(right));
        if (first === undefined) return;
        const waitMs = leasesEndAtMs(first) - clock.monotonicMs();
        if (waitMs <= 0) end(first);
        else await raceEnd(Promise.race(draining.map((generation) => generation.ended)), waitMs, signal);
      }
    },
    swap: (next) => {
      activate(newGeneration(next));
    },
    clear: () => {
      activate(undefined);
    },
    onSwap: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    liveGenerations: () => live.length,
  };
}

function newGeneration<T>(snapshot: T): Generation<T> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const markEnded = (): void => {
    resolve(undefined);
  };
  return { snapshot, leases: new IdTable(), lastLease: 0, ended: promise, markEnded };
}

function lease<T>(
  generation: Generation<T>,
  clock: Clock,
  endIfDrained: (generation: Generation<T>) => void,
  onEnd: (() => void) | undefined,
): SnapshotLease<T> {
  const held: HeldLease = { endsAtMs: clock.monotonicMs() + DEFAULT_LEASE_MS, onEnd };
  const id = ++generation.lastLease;
  generation.leases.set(id, held);
  return {
    snapshot: generation.snapshot,
    setDeadline: (deadlineMs) => {
      held.endsAtMs = clock.monotonicMs() + deadlineMs;
    },
    release: () => {
      if (generation.leases.take(id) !== undefined) endIfDrained(generation);
    },
  };
}

function leasesOf(generation: Generation<unknown>): readonly HeldLease[] {
  return generation.leases.ids().flatMap((id) => generation.leases.get(id) ?? []);
}

function leasesEndAtMs(generation: Generation<unknown>): number {
  let endsAtMs = 0;
  for (const held of leasesOf(generation)) endsAtMs = Math.max(endsAtMs, held.endsAtMs);
  return endsAtMs;
}

/** Waits for `ended`, at most `waitMs`; rejects with the reason of `signal`. */
async function raceEnd(ended: Promise<void>, waitMs: number, signal: AbortSignal): Promise<void> {
  const timer = new AbortController();
  try {
    await Promise.race([
      ended,
      sleep(waitMs, undefined, { signal: AbortSignal.any([signal, timer.signal]) }),
    ]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    timer.abort();
  }
}
