// How many of something may be open at once: in the process, and of one owner.
import { AegisError } from "#errors";
import type { ErrorCode } from "#errors";

export interface ConcurrencyCaps {
  readonly max: number;
  readonly maxPerOwner: number;
}

/** Counts what is open. Owners with nothing open are not kept. */
export class ConcurrencyLimit {
  readonly #code: ErrorCode;
  readonly #noun: string;
  readonly #caps: ConcurrencyCaps;
  readonly #owned = new Map<string, number>();
  #open = 0;
  #isStopped = false;

  /** `code` says that there is no room; `noun` is the plural of what is counted. */
  constructor(code: ErrorCode, noun: string, caps: ConcurrencyCaps) {
    this.#code = code;
    this.#noun = noun;
    this.#caps = caps;
  }

  get open(): number {
    return this.#open;
  }

  /** From here on nothing is opened any more; what is open stays counted. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Counts one more. The function that it returns gives the room back; calling that twice is harmless.
   * @throws {AegisError} the code of this limit, GATEWAY_STOPPING
   */
  take(ownerKey: string): () => void {
    if (this.#isStopped) throw new AegisError("GATEWAY_STOPPING", `no more ${this.#noun}`);
    const owned = this.#owned.get(ownerKey) ?? 0;
    if (this.#open >= this.#caps.max) throw new AegisError(this.#code, `${this.#open} ${this.#noun} open`);
    if (owned >= this.#caps.maxPerOwner)
      throw new AegisError(this.#code, `${owned} ${this.#noun} of this principal open`);
    this.#open += 1;
    this.#owned.set(ownerKey, owned + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#open -= 1;
      const left = (this.#owned.get(ownerKey) ?? 1) - 1;
      if (left > 0) this.#owned.set(ownerKey, left);
      else this.#owned.delete(ownerKey);
    };
  }
}
