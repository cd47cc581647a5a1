// The compiler's own cedar-wasm instance. A stack overflow inside the engine ruins an instance for good, so every call
// that throws costs the instance: it is dropped and the next call gets a fresh one.
import { createRequire } from "node:module";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";

/** What the compiler asks of Cedar. All of it is synchronous. */
export type CedarCalls = Pick<typeof CedarModule, "formatPolicies" | "policyToJson" | "validate">;

export type EngineAnswer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

const require = createRequire(import.meta.url);
const MODULE = "@cedar-policy/cedar-wasm/nodejs";
let instance: CedarCalls | undefined;

/** Runs `call` on the engine. Never throws: a trap or a refused argument is an answer. */
export function withCedar<T>(call: (cedar: CedarCalls) => T): EngineAnswer<T> {
  instance ??= require(MODULE) as CedarCalls;
  try {
    return { ok: true, value: call(instance) };
  } catch (error) {
    // Re-reading the module makes a new instance; the old one is garbage with its memory.
    const path = require.resolve(MODULE);
    Reflect.deleteProperty(require.cache, path);
    instance = undefined;
    return { ok: false, message: error instanceof Error ? error.message : "the engine failed" };
  }
}
