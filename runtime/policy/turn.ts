// Long work in slices, so that activating a bundle never stalls live traffic.
import { setImmediate as nextTurn } from "node:timers/promises";

/** Gives the event loop a turn once the budget of the current one is used. */
export class Turn {
  readonly #budgetMs: number;
  readonly #signal: AbortSignal | undefined;
  #startMs = performance.now();

  constructor(budgetMs: number, signal: AbortSignal | undefined) {
    this.#budgetMs = budgetMs;
    this.#signal = signal;
  }

  /** Call between units of work. Rejects with the signal's reason on abort. */
  async pause(): Promise<void> {
    this.#signal?.throwIfAborted();
    if (performance.now() - this.#startMs <= this.#budgetMs) return;
    await nextTurn();
    this.#startMs = performance.now();
  }
}
