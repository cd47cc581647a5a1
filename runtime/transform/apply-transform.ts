// Applies the transform of a leaf to what crosses the gateway. Every entry either returns a fully transformed message
// or refuses with TRANSFORM_FAILED; there is no third outcome.
import { isUtf8 } from "node:buffer";
import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { CompiledDirection, CompiledTransform } from "./compile-transform.ts";
import { Payload, markError, markParams, markResult, markTask } from "./envelope.ts";
import type { Marked, MarkedObject, RedactPayload } from "./envelope.ts";
import { MessageScrubber } from "./scrub.ts";
import { REMOVED_TEXT, Scrubber, SecretCollector } from "./secrets.ts";
import { settle, settleObject } from "./settle.ts";
import { PayloadWalk } from "./walk.ts";
import { Work } from "./work.ts";

export type TransformOutcome =
  | {
      readonly ok: true;
      readonly value: JsonObject;
      /** Values that were replaced at the paths. */
      readonly applied: number;
      /** What they were; pass them to `scrubMessage` for later messages of the same exchange. Never log them. */
      readonly secrets: readonly string[];
    }
  | { readonly ok: false; readonly code: "TRANSFORM_FAILED"; readonly message: string };

export interface TransformOptions {
  /** HMAC-SHA-256 of a text under the key of a tenant, hex; `hashKey` is derived from it. */
  readonly fingerprint?: ((tenant: string, text: string) => string) | undefined;
  /** What `hashKeyOf` gave for the tenant; without either, an operation that hashes refuses the message. */
  readonly hashKey?: Uint8Array | undefined;
}

/** Keeps hashes of values apart from every other use of the tenant's key. */
const HASH_KEY_LABEL = "transform/hash-key";

/** The key that values are hashed with for one tenant: good for that alone, and no way back to the tenant's own key. */
export function hashKeyOf(
  fingerprint: NonNullable<TransformOptions["fingerprint"]>,
  tenant: string,
): Uint8Array {
  // Copied out of the buffer pool, or whoever gets the key would get the pool with it.
  return new Uint8Array(Buffer.from(fingerprint(tenant, HASH_KEY_LABEL), "hex"));
}

/**
 * Arguments with the operations of `$.request` applied.
 * @throws AegisError TRANSFORM_FAILED
 */
export function applyRequest(
  compiled: CompiledTransform,
  args: JsonObject,
  options: TransformOptions = {},
): JsonObject {
  if (compiled.request.isIdle) return args;
  return refusing(() => {
    const work = new Work();
    const walk = walkOf(compiled, compiled.request, new SecretCollector(work), work, options);
    const transformed = settle(walk.payload(args, compiled.request.root), 0);
    if (!isJsonObject(transformed)) throw new Error("arguments are no longer an object");
    return transformed;
  });
}

/** Transforms every copy of the payload in a result: tool, prompt or resource, `isError` or not. */
export function applyResponse(
  compiled: CompiledTransform,
  result: JsonObject,
  options: TransformOptions = {},
): TransformOutcome {
  if (compiled.response.isIdle) return { ok: true, value: result, applied: 0, secrets: [] };
  try {
    return transform(compiled, [], options, (redact) => markResult(result, redact));
  } catch (error) {
    return { ok: false, code: "TRANSFORM_FAILED", message: describe(error) };
  }
}

/**
 * Transforms what is told of a task: its result or error as the tool's own answer would be. The members that say how the
 * task goes must have been checked: they stay as they are.
 */
export function applyTask(
  compiled: CompiledTransform,
  task: JsonObject,
  options: TransformOptions = {},
): TransformOutcome {
  if (compiled.response.isIdle) return { ok: true, value: task, applied: 0, secrets: [] };
  try {
    return transform(compiled, [], options, (redact) => markTask(task, redact));
  } catch (error) {
    return { ok: false, code: "TRANSFORM_FAILED", message: describe(error) };
  }
}

/** Transforms a JSON-RPC `error` object: its data passes only detectors. */
export function applyError(
  compiled: CompiledTransform,
  error: JsonObject,
  options: TransformOptions = {},
): TransformOutcome {
  if (compiled.response.isIdle) return { ok: true, value: error, applied: 0, secrets: [] };
  try {
    return transform(compiled, [], options, (redact) => markError(error, redact));
  } catch (cause) {
    return { ok: false, code: "TRANSFORM_FAILED", message: describe(cause) };
  }
}

/**
 * Any other message of the exchange towards the client (progress, log, server request): its `params`, `result` and
 * `error` are transformed and every known secret is removed from all of it.
 * @throws AegisError TRANSFORM_FAILED
 */
export function scrubMessage(
  compiled: CompiledTransform,
  message: JsonObject,
  secrets: readonly string[] = [],
  options: TransformOptions = {},
): JsonObject {
  if (compiled.response.isIdle) return message;
  return refusing(
    () => transform(compiled, secrets, options, (redact) => markMessage(message, redact)).value,
  );
}

function markMessage(message: JsonObject, redact: RedactPayload): MarkedObject {
  const { params, result, error, ...rest } = message;
  return {
    ...rest,
    ...(params === undefined ? {} : { params: markPart(params, redact, markParams) }),
    ...(result === undefined ? {} : { result: markPart(result, redact, markResult) }),
    ...(error === undefined ? {} : { error: markPart(error, redact, markError) }),
  };
}

function markPart(
  part: JsonValue,
  redact: RedactPayload,
  mark: (object: JsonObject, redact: RedactPayload) => MarkedObject,
): MarkedObject {
  if (!isJsonObject(part)) throw new Error("a part of the message is not an object");
  return mark(part, redact);
}

/** Bytes of the HMAC that are kept: 22 characters of base64url. */
const HASH_BYTES = 16;
const MIN_HASH_KEY_BYTES = 32;

function walkOf(
  compiled: CompiledTransform,
  direction: CompiledDirection,
  collector: SecretCollector,
  work: Work,
  options: TransformOptions,
): PayloadWalk {
  let key: KeyObject | undefined;
  const hash = (text: string): string => {
    key ??= hashKeyObject(compiled, options);
    work.read(text.length);
    const bytes = createHmac("sha256", key).update(text, "utf8").digest();
    return `hmac:${bytes.subarray(0, HASH_BYTES).toString("base64url")}`;
  };
  const searchesAll = direction.root.acts.detectors === direction.detectors;
  return new PayloadWalk({ collector, work, hash, searchesAll });
}

function hashKeyObject({ tenant }: CompiledTransform, options: TransformOptions): KeyObject {
  const { fingerprint } = options;
  const bytes = options.hashKey ?? (fingerprint === undefined ? undefined : hashKeyOf(fingerprint, tenant));
  if (bytes === undefined) throw new Error("there is no key to hash with");
  if (bytes.byteLength < MIN_HASH_KEY_BYTES) throw new Error("the key to hash with is too short");
  return createSecretKey(bytes);
}

function redactionOf({ root, keepsProse, onlyDetects }: CompiledDirection, walk: PayloadWalk): RedactPayload {
  const prose = (text: string): Marked => (keepsProse ? walk.prose(text, root) : REMOVED_TEXT);
  return {
    payload: (value) => walk.payload(value, root),
    prose,
    blob: (base64) => (onlyDetects ? searchedBlob(base64, prose) : ""),
    media: (base64) => (onlyDetects ? base64 : ""),
    errorData: (data) => (onlyDetects ? new Payload(walk.payload(data, root), true) : undefined),
  };
}

/** Text in a blob is searched; other bytes do not pass, as nothing in them can be. */
function searchedBlob(base64: string, prose: (text: string) => Marked): Marked {
  const bytes = Buffer.from(base64, "base64");
  if (!isUtf8(bytes) || bytes.includes(0)) return "";
  const text = bytes.toString("utf8");
  const searched = prose(text);
  if (typeof searched !== "string") return "";
  return searched === text ? base64 : Buffer.from(searched, "utf8").toString("base64");
}

function transform(
  compiled: CompiledTransform,
  known: readonly string[],
  options: TransformOptions,
  mark: (redact: RedactPayload) => MarkedObject,
): TransformOutcome & { readonly ok: true } {
  const { response, publicNames } = compiled;
  const work = new Work();
  const collector = new SecretCollector(work, known);
  const walk = walkOf(compiled, response, collector, work, options);
  // All payloads first: a value found in the last one is removed from the first as well.
  const marked = mark(redactionOf(response, walk));
  // Without a value to remove and without a detector, scrubbing would only copy.
  if (collector.values.size === 0 && response.detectors === 0)
    return { ok: true, value: settleObject(marked, 0, work), applied: collector.applied, secrets: [] };
  const scrubber = new MessageScrubber(
    new Scrubber(collector.values, work),
    publicNames,
    response.detectors,
    work,
  );
  const value = scrubber.message(marked);
  return { ok: true, value, applied: collector.applied + scrubber.found, secrets: [...collector.values] };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : "the transform failed";
}

function refusing<T>(action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new AegisError("TRANSFORM_FAILED", describe(cause), { cause });
  }
}
