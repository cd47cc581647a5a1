// The young generation of the heap while long work fills it with what it keeps.
import { PerformanceObserver, constants } from "node:perf_hooks";
import type { PerformanceEntry } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** What V8 gives a process that is started with `--expose-gc`. */
type CollectGarbage = (options: { readonly type: "minor" }) => void;

/** An entry of the type `gc`, which the types of Node do not tell from others. */
interface GarbageCollected extends PerformanceEntry {
  readonly detail: { readonly kind: number };
}

/** Made between two collections: V8 moves what is left of as much in a few milliseconds. */
const MAX_YOUNG_BYTES = 2 * 1_024 * 1_024;

class YoungGeneration {
  readonly #collect: CollectGarbage;
  /** Heap in use after the latest collection, or less. */
  #collectedBytes = Number.POSITIVE_INFINITY;
  #isMarking = false;

  constructor(collect: CollectGarbage) {
    this.#collect = collect;
    // Seen when marking starts, and when the collection that it is for has ended.
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as GarbageCollected).detail;
        if (kind === constants.NODE_PERFORMANCE_GC_INCREMENTAL) this.#isMarking = true;
        else if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) this.#isMarking = false;
      }
    }).observe({ entryTypes: ["gc"] });
  }

  collectWhenFull(): boolean {
    const usedBytes = getHeapStatistics().used_heap_size;
    this.#collectedBytes = Math.min(this.#collectedBytes, usedBytes);
    // Asked for a collection while it marks the old generation, V8 finishes that first, all at once.
    if (this.#isMarking || usedBytes - this.#collectedBytes < MAX_YOUNG_BYTES) return false;
    this.#collect({ type: "minor" });
    this.#collectedBytes = getHeapStatistics().used_heap_size;
    return true;
  }
}

let young: YoungGeneration | undefined;

/**
 * Collects the young generation where some megabytes were made since it was last done; true where it did. Long work that
 * keeps what it makes, as activating a bundle does, leaves it full of live objects: V8 moves them all when there is no room
 * left, which holds up every call for several times as long as a slice of that work. Does nothing in a process without
 * `--expose-gc`.
 */
export function collectYoung(): boolean {
  const { gc } = globalThis as { readonly gc?: CollectGarbage };
  if (gc === undefined) return false;
  young ??= new YoungGeneration(gc);
  return young.collectWhenFull();
}
