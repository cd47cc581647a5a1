// Comparisons with a value that can never be there: a misspelt one makes a forbid that forbids nothing, and a permit
// that permits nothing.
import type { LeafEntry, SchemaNode, SchemaProgram } from "#bundle";
import { resolveProjection } from "#schema";
import { closestName } from "#std";
import type { JsonValue } from "#std";
import { bodyOf, childrenOf, open, operand, pathOf, spanOfTokens } from "../cedar/index.ts";
import type { Expr, ParsedPolicy, PolicyEst } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import type { CheckContext, CheckRule } from "./context.ts";

type Scalar = string | number | boolean;

/** A literal beside what it is compared with. */
interface Comparison {
  readonly path: readonly string[];
  readonly value: Scalar;
  /** The literal is compared with the elements of the set at `path`. */
  readonly isElement: boolean;
}

/** What is known of one comparison of one policy, over the definitions seen so far. */
interface Evidence {
  readonly comparison: Comparison;
  isPossible: boolean;
  readonly values: Set<JsonValue>;
}

/** Values that MCP itself gives what a request carries. */
const PROTOCOL_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ["context.protocol.era", ["legacy", "modern"]],
]);
/** Parameters of `sampling/createMessage` with fixed values; a value of a later revision is no fault of the request. */
const SAMPLING_VALUES: ReadonlyMap<string, readonly string[]> = new Map([
  ["context.arguments.includeContext", ["allServers", "none", "thisServer"]],
  ["context.arguments.toolChoice", ["auto", "none", "required"]],
]);

export const impossibleValue: CheckRule = {
  name: "impossible-value",
  run: (context) => {
    const authored = new Map(
      context.parsed.filter(({ authored }) => authored).map((policy) => [policy.id, policy] as const),
    );
    for (const [id, evidence] of evidenceOf(context, authored)) {
      const policy = authored.get(id);
      for (const item of policy === undefined ? [] : evidence.values()) {
        if (policy !== undefined && !item.isPossible) report(context, policy, item);
      }
    }
  },
};

function report({ sink }: CheckContext, policy: ParsedPolicy, { comparison, values }: Evidence): void {
  const { path, value } = comparison;
  const known = [...values].filter((item) => item !== null).map((item) => JSON.stringify(item));
  const near =
    typeof value === "string"
      ? closestName(
          value,
          [...values].filter((item) => typeof item === "string"),
        )
      : undefined;
  const message = `\`${path.join(".")}\` is never ${JSON.stringify(value)}`;
  const help =
    near === undefined ? `It is one of ${known.join(", ")}.` : `Did you mean ${JSON.stringify(near)}?`;
  sink.report("CEDAR_VALUE_IMPOSSIBLE", placeOfValue(policy, comparison), message, help);
}

type EvidenceByPolicy = ReadonlyMap<string, ReadonlyMap<string, Evidence>>;

/** Residuals say which comparisons are reached on a definition: what its name or kind excludes is folded away there. */
function evidenceOf(
  { policies, registry }: CheckContext,
  authored: ReadonlyMap<string, ParsedPolicy>,
): EvidenceByPolicy {
  const leaves = new Map(
    registry.section.servers.flatMap((server) => server.leaves.map((leaf) => [leaf.action, leaf] as const)),
  );
  const comparisons = new Map<string, readonly Comparison[]>();
  const comparisonsOf = (digest: string): readonly Comparison[] => {
    const known = comparisons.get(digest);
    if (known !== undefined) return known;
    const { conditions } = policies.residuals[digest] as unknown as PolicyEst;
    const found = conditions.flatMap(({ body }) => comparisonsIn(body));
    comparisons.set(digest, found);
    return found;
  };
  const evidence = new Map<string, Map<string, Evidence>>();
  for (const { action, call, shadow } of policies.slices) {
    const leaf = leaves.get(action);
    for (const { id, residual } of [...call, ...shadow]) {
      if (!authored.has(id)) continue;
      const own = evidence.get(id) ?? new Map<string, Evidence>();
      evidence.set(id, own);
      for (const comparison of comparisonsOf(residual)) note(own, comparison, leaf);
    }
  }
  return evidence;
}

function note(own: Map<string, Evidence>, comparison: Comparison, leaf: LeafEntry | undefined): void {
  const found = leaf === undefined ? "open" : valuesAt(leaf, comparison);
  if (found === "absent") return;
  const key = JSON.stringify([comparison.path, comparison.value, comparison.isElement]);
  const item = own.get(key) ?? { comparison, isPossible: false, values: new Set<JsonValue>() };
  own.set(key, item);
  if (found === "open" || found.includes(comparison.value)) item.isPossible = true;
  else for (const value of found) item.values.add(value);
}

/** Every value that can stand where the comparison looks; `absent`: nothing stands there. */
function valuesAt(
  { kind, argumentsProgram: program }: LeafEntry,
  { path, isElement }: Comparison,
): readonly JsonValue[] | "absent" | "open" {
  const written = path.join(".");
  const fixed =
    PROTOCOL_VALUES.get(written) ?? (kind === "sampling" ? SAMPLING_VALUES.get(written) : undefined);
  if (fixed !== undefined) return fixed;
  const [, group, ...members] = path;
  if (group !== "arguments" || members.length === 0) return "open";
  let index: number | undefined = program.root;
  for (const member of members) {
    const properties: Readonly<Record<string, number>> =
      resolveProjection(program, index)?.node.properties ?? {};
    index = Object.hasOwn(properties, member) ? properties[member] : undefined;
    if (index === undefined) return "absent";
  }
  const element = isElement ? resolveProjection(program, index)?.node.items : index;
  return element === undefined ? "open" : (listedValues(program, element, 0) ?? "open");
}

/** Nodes that stand for one another are followed no deeper. */
const MAX_BRANCH_DEPTH = 8;

/** The values that a schema lists; undefined where it lists none. */
function listedValues(
  program: SchemaProgram,
  index: number,
  depth: number,
): readonly JsonValue[] | undefined {
  const node: SchemaNode | undefined = program.nodes[index];
  if (node === undefined || depth > MAX_BRANCH_DEPTH) return undefined;
  if (node.enum !== undefined) return node.enum;
  const branches = node.anyOf ?? node.oneOf ?? (node.projectionOf === undefined ? [] : [node.projectionOf]);
  const lists = branches.map(
    (branch) => listedValues(program, branch, depth + 1) ?? nullOnly(program, branch),
  );
  if (lists.length === 0 || lists.includes(undefined)) return undefined;
  return lists.flatMap((list) => list ?? []);
}

function nullOnly(program: SchemaProgram, index: number): readonly JsonValue[] | undefined {
  return program.nodes[index]?.types?.join() === "null" ? [null] : undefined;
}

function comparisonsIn(expr: Expr): readonly Comparison[] {
  const [operator] = open(expr);
  const body = bodyOf(expr);
  const [left, right] = [operand(body, "left"), operand(body, "right")];
  const deeper = childrenOf(expr).flatMap(comparisonsIn);
  switch (operator) {
    case "==":
    case "!=":
      // Two sets are compared as wholes.
      if (left["Set"] !== undefined || right["Set"] !== undefined) return deeper;
      return [...between(left, right, false), ...between(right, left, false), ...deeper];
    case "contains":
      return [...between(left, right, true), ...between(right, left, false), ...deeper];
    case "containsAll":
    case "containsAny":
      return [...between(left, right, true), ...between(right, left, true), ...deeper];
    default:
      return deeper;
  }
}

/** The literals of `other`, where `expr` is something of the request. */
function between(expr: Expr, other: Expr, isElement: boolean): readonly Comparison[] {
  const path = pathOf(expr);
  if (path?.[0] !== "context") return [];
  return literalsOf(other).map((value) => ({ path, value, isElement }));
}

function literalsOf(expr: Expr): readonly Scalar[] {
  const [operator, body] = open(expr);
  if (operator === "Set" && Array.isArray(body)) return (body as readonly Expr[]).flatMap(literalsOf);
  const isScalar = operator === "Value" && ["string", "number", "boolean"].includes(typeof body);
  return isScalar ? [body as Scalar] : [];
}

/** The first such literal near the name of what it is compared with, else the first such literal. */
function placeOfValue(policy: ParsedPolicy, { path, value }: Comparison): SourceSpan {
  const { tokens } = policy.text;
  const found = tokens.flatMap((token, at) => {
    const isText = token.kind === "string";
    return isText === (typeof value === "string") && token.value === String(value) ? [at] : [];
  });
  const isNamed = (at: number): boolean =>
    tokens.slice(Math.max(0, at - 4), at).some((token) => token.value === path.at(-1));
  const place = found.find(isNamed) ?? found[0] ?? policy.text.effectToken;
  return spanOfTokens(policy, place, place);
}
