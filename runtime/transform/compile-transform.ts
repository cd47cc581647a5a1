// The transform of one leaf, ready for the message path.
import type { TenantId, TransformEntry, TransformOperation } from "#bundle";
import { buildTrie, joinActs } from "./path-trie.ts";
import type { PathNode } from "./path-trie.ts";

/** What is done in one direction. */
export interface CompiledDirection {
  readonly isIdle: boolean;
  readonly root: PathNode;
  /** All operations are detectors or reach the whole payload, so that prose can be transformed instead of dropped. */
  readonly keepsProse: boolean;
  /** All operations are detectors. */
  readonly onlyDetects: boolean;
  /** Detectors of all operations, as bits: what is not payload is searched for all of them. */
  readonly detectors: number;
}

export interface CompiledTransform {
  /** What it was compiled from. */
  readonly entry: TransformEntry;
  readonly action: string;
  /** Whose key the hashes are made with. */
  readonly tenant: TenantId;
  /** Applied to arguments. */
  readonly request: CompiledDirection;
  /** Applied to results. */
  readonly response: CompiledDirection;
  /** Member names that are no secret, whatever was redacted. */
  readonly publicNames: ReadonlySet<string>;
}

function compileDirection(operations: readonly TransformOperation[]): CompiledDirection {
  const root = buildTrie(operations);
  const reachesRoot = (operation: TransformOperation): boolean =>
    operation.paths.some((path) => path.length === 0);
  return {
    isIdle: operations.length === 0,
    root,
    keepsProse: operations.every((operation) => operation.verb === "detect" || reachesRoot(operation)),
    onlyDetects: operations.every((operation) => operation.verb === "detect"),
    detectors: joinActs(root.acts, root.actsBelow).detectors,
  };
}

/** @throws TrustError BUNDLE_INVALID where an operation is unknown: it must not be skipped. */
export function compileTransform(entry: TransformEntry): CompiledTransform {
  const operations = [...entry.request, ...entry.response];
  const segments = operations.flatMap((operation) => operation.paths).flat();
  const names = segments.flatMap((segment) => (segment.kind === "name" ? [segment.name] : []));
  return {
    entry,
    action: entry.action,
    tenant: entry.tenant,
    request: compileDirection(entry.request),
    response: compileDirection(entry.response),
    publicNames: new Set([...names, ...(entry.publicNames ?? [])]),
  };
}
