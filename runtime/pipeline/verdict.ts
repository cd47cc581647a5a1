// What a stage returns. There is no "allow" value: a stage proceeds with a stronger exchange, or denies.
import type { ErrorCode } from "#errors";
import type { ShadowDecision } from "#pdp";
import type { JsonObject } from "#std";

export interface Denial {
  readonly code: ErrorCode;
  /** For operators and audit; never sent downstream. */
  readonly detail: string;
  /** Added to the fixed message of the code for the caller; holds no fact about policy inputs. */
  readonly reason?: string;
  /** Members added to `error.data`. */
  readonly data?: JsonObject;
  /** What the policies in shadow mode would have decided, for audit; never sent downstream. */
  readonly shadow?: ShadowDecision;
}

class Proceeding<T> {
  // A private member is an unforgeable mark: a stage that returns a look-alike object has not proceeded.
  readonly #exchange: T;
  constructor(exchange: T) {
    this.#exchange = exchange;
  }
  static read<T>(value: unknown): T | undefined {
    return typeof value === "object" && value !== null && #exchange in value
      ? (value as unknown as Proceeding<T>).#exchange
      : undefined;
  }
}

class Denying {
  readonly #denial: Denial;
  constructor(denial: Denial) {
    this.#denial = denial;
  }
  static read(value: unknown): Denial | undefined {
    return typeof value === "object" && value !== null && #denial in value
      ? (value as Denying).#denial
      : undefined;
  }
}

export type Verdict<T> = Proceeding<T> | Denying;

export function proceed<T>(exchange: T): Verdict<T> {
  return new Proceeding(exchange);
}

export function deny<T>(denial: Denial): Verdict<T> {
  return new Denying(denial);
}

export type Outcome<T> =
  { readonly kind: "proceed"; readonly exchange: T } | { readonly kind: "denial"; readonly denial: Denial };

/** Reads what a stage returned. Anything that is not a minted verdict is a denial. */
export function readVerdict<T>(stage: string, value: unknown): Outcome<T> {
  const exchange = Proceeding.read<T>(value);
  if (typeof exchange === "object" && exchange !== null) return { kind: "proceed", exchange };
  const denial = Denying.read(value);
  if (denial !== undefined) return { kind: "denial", denial };
  return { kind: "denial", denial: { code: "STAGE_FAULT", detail: `stage ${stage} returned no verdict` } };
}
