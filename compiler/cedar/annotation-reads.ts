// Which annotations of a tool a policy reads. Specialisation folds them away, so this looks at policies as written.
import type { PolicyId } from "#bundle";
import { bodyOf, childrenOf, open, operand, pathOf, scopeEntities } from "./est.ts";
import type { Expr, PolicyEst } from "./est.ts";
import { parseSource } from "./parse.ts";
import type { CedarSource } from "./parse.ts";

export interface AnnotationReads {
  readonly id: PolicyId;
  /** Names after `context.annotations`; undefined where the record is read as a whole. */
  readonly names: ReadonlySet<string> | undefined;
  /** The one server that the scope names; undefined where it may be any. */
  readonly server: string | undefined;
}

function isAnnotations(path: readonly string[] | undefined): boolean {
  return path?.length === 2 && path[0] === "context" && path[1] === "annotations";
}

/** Names read below `expr`; `null` in the list stands for the whole record. */
function readsIn(expr: Expr): readonly (string | null)[] {
  const path = pathOf(expr);
  if (isAnnotations(path)) return [null];
  if (isAnnotations(path?.slice(0, 2))) return [path?.[2] ?? null];
  const [operator] = open(expr);
  const body = bodyOf(expr);
  if (operator === "has" && isAnnotations(pathOf(operand(body, "left"))))
    return [typeof body["attr"] === "string" ? body["attr"] : null];
  return childrenOf(expr).flatMap(readsIn);
}

function serverOf({ resource }: PolicyEst): string | undefined {
  const [entity] = scopeEntities(resource);
  return resource["op"] === "==" && entity?.type === "Server" ? entity.id : undefined;
}

/** The policies of a file that read annotations, in its order; those that do not parse are left out. */
export function annotationReads(source: CedarSource, tenant: string): readonly AnnotationReads[] {
  return parseSource(source, tenant).policies.flatMap(({ id, est }): readonly AnnotationReads[] => {
    const reads = est.conditions.flatMap(({ body }) => readsIn(body));
    if (reads.length === 0) return [];
    const names = reads.filter((name) => name !== null);
    const isWhole = names.length < reads.length;
    return [{ id, names: isWhole ? undefined : new Set(names), server: serverOf(est) }];
  });
}
