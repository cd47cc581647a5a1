// Long work in slices, so that activating a bundle never stalls live traffic.
import { setImmediate as otherWork } from "node:timers/promises";
import { collectYoung } from "./young-generation.ts";

/** Gives the event loop a turn once the budget of the current one is used. */
export class Turn {
  readonly #budgetMs: number;
  readonly #signal: AbortSignal | undefined;
  #startMs = performance.now();

  constructor(budgetMs: number, signal?: AbortSignal) {
    this.#budgetMs = budgetMs;
    this.#signal = signal;
  }

  /** True once the budget is used: `pause` lets other work run. */
  isOver(): boolean {
    return performance.now() - this.#startMs > this.#budgetMs;
  }

  /** Call between units of work. Rejects with the signal's reason on abort. */
  async pause(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!this.isOver()) return;
    // Other work waits for a slice or for a collection, never for one after the other. V8 may begin to mark the old
    // generation in the first of these turns, which is known in the third.
    for (let turn = 0; turn < 3; turn += 1) await otherWork();
    if (collectYoung()) await otherWork();
    this.#signal?.throwIfAborted();
    this.#startMs = performance.now();
  }
}
