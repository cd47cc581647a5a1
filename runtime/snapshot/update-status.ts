// What the updater tells operators: one flat record, after OPA's bundle status.
import type { TrustCode } from "#errors";

export type UpdaterState =
  | { readonly phase: "idle" | "fetching" | "verifying" | "building" | "probing" }
  | { readonly phase: "active"; readonly digest: string; readonly sequence: number }
  /** The last attempt failed; whatever was active before still is. */
  | { readonly phase: "holding"; readonly code: TrustCode };

export interface ActiveRelease {
  readonly digest: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly channel: string;
  /** RFC 3339; serving goes on for the grace of the release. */
  readonly expiresAt: string;
  /** Expiry plus grace, milliseconds since the epoch. */
  readonly hardExpiryMs: number;
  readonly keyIds: readonly string[];
  readonly rootVersion: number;
  readonly activatedAtMs: number;
}

export interface Rejection {
  readonly code: TrustCode;
  readonly detail: string;
  /** sha-256 of the statement that was refused; absent where none was read. */
  readonly statement?: string;
  /** Absent where the statement could not be read or trusted. */
  readonly digest?: string;
  readonly sequence?: number;
  readonly atMs: number;
}

export interface UpdaterStatus {
  readonly state: UpdaterState;
  readonly origin: string;
  readonly rootVersion: number;
  readonly lastAttemptMs?: number;
  /** The source was read and nothing in it was refused, changed or not. */
  readonly lastSuccessMs?: number;
  readonly lastRejection?: Rejection;
  /** Attempts in a row that failed. */
  readonly failures: number;
  readonly active?: ActiveRelease;
  /** The active release could not be persisted: a restart would load the one before. */
  readonly persistFault?: { readonly detail: string; readonly atMs: number };
}

/** The outcome of one attempt, as `POST /-/reload` returns it. */
export type UpdateOutcome =
  | { readonly kind: "activated"; readonly digest: string; readonly sequence: number }
  | { readonly kind: "unchanged"; readonly digest: string; readonly sequence: number }
  | { readonly kind: "rejected"; readonly code: TrustCode; readonly detail: string };
