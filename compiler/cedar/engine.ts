// The compiler's own cedar-wasm instance. A stack overflow inside the engine ruins an instance for good, so every call
// that throws costs the instance: it is dropped and the next call gets a fresh one, which takes 2 ms.
import { createCedarInstance } from "#pdp";
import type { CedarInstance } from "#pdp";

/** What the compiler asks of Cedar. All of it is synchronous. */
export type CedarCalls = Pick<CedarInstance, "formatPolicies" | "policyToJson" | "validate">;

export type EngineAnswer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

let instance: CedarCalls | undefined;

/** Runs `call` on the engine. Never throws: a trap or a refused argument is an answer. */
export function withCedar<T>(call: (cedar: CedarCalls) => T): EngineAnswer<T> {
  instance ??= createCedarInstance();
  try {
    return { ok: true, value: call(instance) };
  } catch (error) {
    instance = undefined;
    return { ok: false, message: error instanceof Error ? error.message : "the engine failed" };
  }
}
