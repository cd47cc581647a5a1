// The transform of one leaf, ready for the message path.
import type { TransformEntry, TransformOperation } from "#bundle";
import { TrustError } from "#errors";
import type { Path } from "./redact-paths.ts";

export interface CompiledTransform {
  readonly action: string;
  /** Applied to arguments; empty where requests pass unchanged. */
  readonly request: readonly Path[];
  /** Applied to results; empty where results pass unchanged. */
  readonly response: readonly Path[];
  /** Member names that are no secret, whatever was redacted. */
  readonly publicNames: ReadonlySet<string>;
}

function pathsOf(operations: readonly TransformOperation[]): readonly Path[] {
  return operations.flatMap((operation) => {
    if (operation.verb !== "redact" || operation.paths.length === 0) {
      throw new TrustError("BUNDLE_INVALID", "transform operation is not understood");
    }
    return operation.paths;
  });
}

/** @throws TrustError BUNDLE_INVALID where an operation is unknown: it must not be skipped. */
export function compileTransform(entry: TransformEntry): CompiledTransform {
  const request = pathsOf(entry.request);
  const response = pathsOf(entry.response);
  const segments = [...request, ...response].flat();
  const names = segments.flatMap((segment) => (segment.kind === "name" ? [segment.name] : []));
  return {
    action: entry.action,
    request,
    response,
    publicNames: new Set([...names, ...(entry.publicNames ?? [])]),
  };
}
