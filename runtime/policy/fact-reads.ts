// What the policies of one slice read of a call: what a decision record keeps, and what a replay of it needs.
import type { BundleContent, Derivation, LeafEntry, SchemaProgram, Slice } from "#bundle";
import { resolveProjection, visibleAttributes } from "#schema";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { REQUEST_MEMBERS } from "./request-context.ts";
import type { RequestMember } from "./request-context.ts";
import { viewSchema } from "./schema-view.ts";

/** A member of the projected arguments; `members` are present where it is a record. */
export interface ReadMember {
  readonly name: string;
  readonly members?: readonly ReadMember[];
}

export interface FactReads {
  readonly arguments: readonly ReadMember[];
  /** Derivations by the name they write, under `_m` and `_d`. */
  readonly derivations: ReadonlyMap<string, Derivation>;
  /** Members of the request itself. */
  readonly request: readonly RequestMember[];
  /** Attributes of the caller, sorted. */
  readonly attributes: readonly string[];
  readonly readsGroups: boolean;
}

/**
 * What is read. `recorded`: by the enforced policies and by those in shadow mode, so that enforcing the latter can be
 * replayed. `enforced`: by the enforced ones alone.
 */
export function factReads(
  content: Pick<BundleContent, "policies">,
  slice: Slice,
  leaf: Pick<LeafEntry, "argumentsProgram">,
  which: "recorded" | "enforced" = "recorded",
): FactReads {
  const shadowFacts = which === "recorded" ? slice.shadowFacts : undefined;
  const derivations = [...slice.derivations, ...(shadowFacts?.derivations ?? [])];
  const program = shadowFacts?.argumentsProgram ?? slice.argumentsProgram ?? leaf.argumentsProgram;
  const schema = content.policies.schemas[shadowFacts?.schema ?? slice.schema];
  const declared = schema === undefined ? new Set() : viewSchema(schema).contextMembers(slice.action);
  const attributes = new Set(
    derivations.flatMap(({ path: [root, name] }) => (root === "principal" ? [name] : [])),
  );
  let readsGroups = false;
  for (const { residual } of which === "recorded" ? [...slice.call, ...slice.shadow] : slice.call) {
    const reads = principalReads(content.policies.residuals[residual] ?? null);
    for (const name of reads.attributes) attributes.add(name);
    readsGroups ||= reads.groups;
  }
  return {
    arguments: membersAt(program, program.root) ?? [],
    derivations: new Map(derivations.map((derivation) => [derivation.name, derivation])),
    request: REQUEST_MEMBERS.filter((name) => declared.has(name)),
    attributes: [...attributes].filter((name) => name !== undefined).sort(),
    readsGroups,
  };
}

function membersAt(program: SchemaProgram, index: number): readonly ReadMember[] | undefined {
  const resolved = resolveProjection(program, index);
  if (resolved?.projection !== "Record") return undefined;
  return visibleAttributes(program, resolved.node).map((attribute) => {
    const members = membersAt(program, attribute.index);
    return { name: attribute.name, ...(members === undefined ? {} : { members }) };
  });
}

/** What one policy (EST) reads of the caller beside roles. */
function principalReads(residual: JsonValue): {
  readonly attributes: ReadonlySet<string>;
  readonly groups: boolean;
} {
  const attributes = new Set<string>();
  let groups = false;
  // A list of open nodes, not recursion: `&&` nests once for each term.
  const open: JsonValue[] = [residual];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (Array.isArray(node)) {
      for (const item of node) open.push(item as JsonValue);
      continue;
    }
    if (!isJsonObject(node)) continue;
    if (node["type"] === "Group") groups = true;
    const { left, attr } = node;
    if (isJsonObject(left ?? null) && (left as Readonly<Record<string, JsonValue>>)["Var"] === "principal") {
      const name: unknown = Array.isArray(attr) ? attr[0] : attr;
      if (typeof name === "string") attributes.add(name);
    }
    for (const value of Object.values(node)) open.push(value);
  }
  return { attributes, groups };
}
