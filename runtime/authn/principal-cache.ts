// Verified tokens, kept for a short time under their hash. A bounded LRU: a flood of tokens only costs verifications.
import { hash } from "node:crypto";
import type { Principal } from "./principal.ts";

interface CachedPrincipal {
  readonly principal: Principal;
  readonly untilMs: number;
}

/** Holds no token, only its sha-256. */
export class PrincipalCache {
  readonly #entries = new Map<string, CachedPrincipal>();
  /** Key of the entry that was used last: it is at the end already. */
  #newest: string | undefined;
  readonly #maxEntries: number;
  readonly #maxAgeMs: number;

  constructor(maxEntries: number, maxAgeMs: number) {
    this.#maxEntries = maxEntries;
    this.#maxAgeMs = maxAgeMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key of a token at one endpoint: what it verified as there says nothing about another audience. */
  static key(token: string, resource: string): string {
    return hash("sha256", `${token}\0${resource}`, "base64url");
  }

  get(key: string, nowMs: number): Principal | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    // A clock that moved back must not stretch an entry's life.
    if (nowMs >= entry.untilMs || nowMs < entry.untilMs - this.#maxAgeMs) {
      this.#entries.delete(key);
      return undefined;
    }
    if (key === this.#newest) return entry.principal;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#newest = key;
    return entry.principal;
  }

  set(key: string, principal: Principal, nowMs: number): void {
    const untilMs = Math.min(principal.expiresAtMs, nowMs + this.#maxAgeMs);
    if (untilMs <= nowMs) return;
    this.#entries.delete(key);
    this.#entries.set(key, { principal, untilMs });
    this.#newest = key;
    if (this.#entries.size <= this.#maxEntries) return;
    const oldest = this.#entries.keys().next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
