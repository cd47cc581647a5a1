// How many long-lived streams may be open: in the process, and of one caller.
import { AegisError } from "#errors";

export interface StreamLimits {
  readonly maxStreams: number;
  readonly maxStreamsPerPrincipal: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = { maxStreams: 10_000, maxStreamsPerPrincipal: 32 };

export class StreamSlots {
  readonly #limits: StreamLimits;
  readonly #owned = new Map<string, number>();
  #open = 0;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  get open(): number {
    return this.#open;
  }

  /**
   * Counts one more stream of a caller. The function that it returns gives it back; calling that twice is harmless.
   * @throws {AegisError} STREAM_LIMIT
   */
  take(ownerKey: string): () => void {
    const owned = this.#owned.get(ownerKey) ?? 0;
    if (this.#open >= this.#limits.maxStreams)
      throw new AegisError("STREAM_LIMIT", `${this.#open} streams open`);
    if (owned >= this.#limits.maxStreamsPerPrincipal)
      throw new AegisError("STREAM_LIMIT", `${owned} streams of this principal open`);
    this.#open += 1;
    this.#owned.set(ownerKey, owned + 1);
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      this.#open -= 1;
      const left = (this.#owned.get(ownerKey) ?? 1) - 1;
      if (left > 0) this.#owned.set(ownerKey, left);
      else this.#owned.delete(ownerKey);
    };
  }
}
