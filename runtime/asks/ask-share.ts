// How many requests of a server are looked at: each is decided and recorded, so that one that asks without end would fill
// the log of everybody.

/** Requests of servers in one session, and of one server where there is nobody to ask, in a minute. */
export const MAX_ASKS_PER_MINUTE = 600;
const WINDOW_MS = 60_000;

/** `spent`: the first beyond the share, which is recorded; `over`: those after it, which are not. */
export type ShareVerdict = "within" | "spent" | "over";

export class AskShare {
  #startedMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param nowMs monotonic. */
  take(nowMs: number): ShareVerdict {
    if (nowMs - this.#startedMs >= WINDOW_MS) {
      this.#startedMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= MAX_ASKS_PER_MINUTE) return "within";
    return this.#count === MAX_ASKS_PER_MINUTE + 1 ? "spent" : "over";
  }
}
