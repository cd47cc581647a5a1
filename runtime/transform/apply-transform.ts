// Applies the transform of a leaf to what crosses the gateway. Every entry either returns a fully transformed message
// or refuses with TRANSFORM_FAILED; there is no third outcome.
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { CompiledTransform } from "./compile-transform.ts";
import { markError, markParams, markResult } from "./envelope.ts";
import type { MarkedObject, RedactPayload } from "./envelope.ts";
import { redactPaths } from "./redact-paths.ts";
import { MessageScrubber } from "./scrub.ts";
import { Scrubber, SecretCollector } from "./secrets.ts";
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

/**
 * Arguments with the values at the request paths replaced by stand-ins of the same JSON type.
 * @throws AegisError TRANSFORM_FAILED
 */
export function applyRequest(compiled: CompiledTransform, args: JsonObject): JsonObject {
  if (compiled.request.length === 0) return args;
  return refusing(() => {
    const work = new Work();
    const redacted = redactPaths(args, compiled.request, new SecretCollector(work), work);
    if (!isJsonObject(redacted)) throw new Error("arguments are no longer an object");
    return redacted;
  });
}

/** Redacts every copy of the payload in a result: tool, prompt or resource, `isError` or not. */
export function applyResponse(compiled: CompiledTransform, result: JsonObject): TransformOutcome {
  if (compiled.response.length === 0) return { ok: true, value: result, applied: 0, secrets: [] };
  try {
    return transform(compiled, [], (redact) => markResult(result, redact));
  } catch (error) {
    return { ok: false, code: "TRANSFORM_FAILED", message: describe(error) };
  }
}

/** Redacts a JSON-RPC `error` object: its message passes only as JSON, its data not at all. */
export function applyError(compiled: CompiledTransform, error: JsonObject): TransformOutcome {
  if (compiled.response.length === 0) return { ok: true, value: error, applied: 0, secrets: [] };
  try {
    return transform(compiled, [], (redact) => markError(error, redact));
  } catch (cause) {
    return { ok: false, code: "TRANSFORM_FAILED", message: describe(cause) };
  }
}

/**
 * Any other message of the exchange towards the client (progress, log, server request): its `params`, `result` and
 * `error` are redacted and every known secret is removed from all of it.
 * @throws AegisError TRANSFORM_FAILED
 */
export function scrubMessage(
  compiled: CompiledTransform,
  message: JsonObject,
  secrets: readonly string[] = [],
): JsonObject {
  if (compiled.response.length === 0) return message;
  return refusing(() => transform(compiled, secrets, (redact) => markMessage(message, redact)).value);
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

function transform(
  compiled: CompiledTransform,
  known: readonly string[],
  mark: (redact: RedactPayload) => MarkedObject,
): TransformOutcome & { readonly ok: true } {
  const work = new Work();
  const collector = new SecretCollector(work, known);
  // All payloads first: a value found in the last one is removed from the first as well.
  const marked = mark((value) => redactPaths(value, compiled.response, collector, work));
  const scrubber = new Scrubber(collector.values, work);
  const value = new MessageScrubber(scrubber, compiled.publicNames, work).message(marked);
  return { ok: true, value, applied: collector.applied, secrets: [...collector.values] };
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
