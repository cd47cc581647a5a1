// Calls that wait for their caller's answers. A handle is unguessable, serves one retry, of the same caller and for the
// same request, and stops serving after a while; the call upstream then ends.
import { createHash, randomUUID } from "node:crypto";
import { canonicalJson } from "#bundle";
import type { ServerId } from "#bundle";
import { AegisError } from "#errors";
import type { OutboundRequest } from "#upstream";
import type { ParkableCall } from "./parkable-call.ts";

export interface ParkLimits {
  readonly maxParked: number;
  readonly maxParkedPerCaller: number;
  /** How long a server waits for a caller's answer. */
  readonly ttlMs: number;
}

const DEFAULT_PARK_LIMITS: ParkLimits = {
  maxParked: 1_024,
  maxParkedPerCaller: 16,
  ttlMs: 300_000,
};

/** Whose call it is and what was asked: a retry must agree in both. */
export interface ParkBinding {
  readonly bindingKey: string;
  readonly digest: string;
}

interface Parked extends ParkBinding {
  readonly call: ParkableCall;
  readonly expiry: NodeJS.Timeout;
}

export class ParkedCalls {
  readonly #limits: ParkLimits;
  readonly #parked = new Map<string, Parked>();

  constructor(limits: ParkLimits = DEFAULT_PARK_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#parked.size;
  }

  hasRoomFor(bindingKey: string): boolean {
    if (this.#parked.size >= this.#limits.maxParked) return false;
    let own = 0;
    for (const parked of this.#parked.values()) if (parked.bindingKey === bindingKey) own += 1;
    return own < this.#limits.maxParkedPerCaller;
  }

  /** The handle that the caller's retry must bring. */
  park(call: ParkableCall, binding: ParkBinding): string {
    const handle = randomUUID();
    const expiry = setTimeout(() => {
      this.#parked.delete(handle);
      call.cancel("the caller did not answer what the server asked");
    }, this.#limits.ttlMs);
    expiry.unref();
    this.#parked.set(handle, { ...binding, call, expiry });
    return handle;
  }

  /**
   * The call that a retry goes on with; its handle is used up. What is another caller's is as unknown as what never was.
   * @throws {AegisError} REQUEST_STATE_INVALID
   */
  resume(handle: string, binding: ParkBinding): ParkableCall {
    const parked = this.#parked.get(handle);
    if (parked?.bindingKey !== binding.bindingKey)
      throw new AegisError("REQUEST_STATE_INVALID", "no call of this caller waits under this state");
    if (parked.digest !== binding.digest)
      throw new AegisError(
        "REQUEST_STATE_INVALID",
        "the retry is not the request that the call was made for",
      );
    this.#forget(handle);
    return parked.call;
  }

  /** Ends a call whose caller was not told of it after all. */
  cancel(handle: string, bindingKey: string): void {
    const parked = this.#parked.get(handle);
    if (parked?.bindingKey !== bindingKey) return;
    this.#forget(handle);
    parked.call.cancel("what the server asked was refused");
  }

  /** Ends every parked call. */
  close(): void {
    for (const [handle, { call }] of [...this.#parked]) {
      this.#forget(handle);
      call.cancel("the gateway stops");
    }
  }

  #forget(handle: string): void {
    clearTimeout(this.#parked.get(handle)?.expiry);
    this.#parked.delete(handle);
  }
}

/** What a request is, whatever carries it: its method and its judged parameters. */
export function requestDigest(server: ServerId, { method, params }: OutboundRequest): string {
  const { _meta, inputResponses: _answers, requestState: _state, ...judged } = params ?? {};
  return createHash("sha256")
    .update(canonicalJson([server, method, judged]))
    .digest("base64url");
}
