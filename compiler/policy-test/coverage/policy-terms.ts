// The terms of one policy with the places where its author wrote them.
import type { PolicyId } from "#bundle";
import type { ParsedPolicy } from "../../cedar/index.ts";
import type { Clause, Expr } from "../../cedar/index.ts";
import { isIdentifier, isSymbol } from "../../cedar/lexer.ts";
import type { Token } from "../../cedar/lexer.ts";
import type { TextRange } from "../../cedar/position.ts";
import { conditionTerms } from "../../cedar/terms.ts";
import type { SourceSpan } from "#compiler";

export interface PolicyTerm {
  readonly text: string;
  readonly at: SourceSpan;
  /** Absent for the scope, which is asked as a scope. */
  readonly expr: Expr | undefined;
}

export interface TermGroup {
  readonly kind: "scope" | "unless" | "when";
  readonly combine: "all" | "any";
  readonly terms: readonly PolicyTerm[];
}

/** The principal scope of a policy where it has one, then its conditions: what must hold for it to be satisfied. */
export function termGroups(policy: ParsedPolicy): readonly TermGroup[] {
  return policy.authored ? writtenGroups(policy) : generatedGroups(policy);
}

function writtenGroups(policy: ParsedPolicy): readonly TermGroup[] {
  const { tokens, effectToken } = policy.text;
  const placed = (range: TextRange): Pick<PolicyTerm, "at" | "text"> => ({
    at: policy.spanOf(range),
    text: oneLine(policy.text.text.slice(range.start, range.end)),
  });
  const head = closing(tokens, effectToken + 1);
  const bodies = conditionBodies(tokens, head + 1);
  const groups: TermGroup[] = [];
  if (policy.scoped.whole.principal["op"] !== "All") {
    const range = rangeOf(tokens, effectToken + 2, endOfPart(tokens, effectToken + 2, head));
    groups.push({ kind: "scope", combine: "all", terms: [{ ...placed(range), expr: undefined }] });
  }
  for (const [index, clause] of policy.scoped.whole.conditions.entries()) {
    const { combine, terms } = conditionTerms(clause, policy.derivations);
    const body = bodies[index] ?? { from: 0, to: tokens.length };
    const pieces = rowRanges(tokens, body, combine === "any" ? "||" : "&&");
    // Where the text cannot be told apart as the engine did, every term stands for the whole condition.
    const ranges = pieces.length === terms.length ? pieces : terms.map(() => body);
    groups.push({
      kind: clause.kind,
      combine,
      terms: terms.map(({ expr }, at) => {
        const piece = ranges[at] ?? body;
        return { ...placed(rangeOf(tokens, piece.from, piece.to)), expr };
      }),
    });
  }
  return groups;
}

/** The line that the id of a policy names, e.g. `constraints.sql.query.operations`. */
export function linePath(id: PolicyId): string {
  const path = id.slice(id.indexOf("#/") + 2).replaceAll("/", ".");
  return path.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** A line of YAML has one condition at most, beside its principals, and is not taken apart further. */
function generatedGroups(policy: ParsedPolicy): readonly TermGroup[] {
  const { principal, conditions } = policy.scoped.whole;
  const { file, line, column } = policy.source;
  const at: SourceSpan = { file, line, column, endLine: line, endColumn: column };
  const group = (kind: TermGroup["kind"], text: string, expr: Expr | undefined): TermGroup => ({
    kind,
    combine: "all",
    terms: [{ text, at, expr }],
  });
  const scope = principal["op"] === "All" ? [] : [group("scope", "scope.principals", undefined)];
  return [
    ...scope,
    ...conditions.map(({ kind, body }) =>
      isRoleCondition({ kind, body })
        ? group("scope", "scope.principals", body)
        : group(kind, linePath(policy.id), body),
    ),
  ];
}

/** `principal in [roles]`, which is how several roles of a document are written. */
function isRoleCondition({ kind, body }: Clause): boolean {
  const inside = body["in"] as { readonly left?: { readonly Var?: string } } | undefined;
  return kind === "when" && inside?.left?.Var === "principal";
}

/** Token indexes, end exclusive. */
interface Piece {
  readonly from: number;
  readonly to: number;
}

const OPENERS: readonly string[] = ["(", "[", "{"];
const CLOSERS: readonly string[] = [")", "]", "}"];

function depthStep(token: Token | undefined): number {
  if (token?.kind !== "symbol") return 0;
  return OPENERS.includes(token.value) ? 1 : CLOSERS.includes(token.value) ? -1 : 0;
}

/** Index of the token that closes what the token at `from` opens. */
function closing(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let index = from; index < tokens.length; index += 1) {
    depth += depthStep(tokens[index]);
    if (depth === 0) return index;
  }
  return tokens.length - 1;
}

/** Index of the first comma of the scope that is not inside anything. */
function endOfPart(tokens: readonly Token[], from: number, to: number): number {
  let depth = 0;
  for (let index = from; index < to; index += 1) {
    if (depth === 0 && isSymbol(tokens[index], ",")) return index;
    depth += depthStep(tokens[index]);
  }
  return to;
}

function conditionBodies(tokens: readonly Token[], from: number): readonly Piece[] {
  const bodies: Piece[] = [];
  for (let index = from; index < tokens.length; index += 1) {
    const isCondition = isIdentifier(tokens[index], "when") || isIdentifier(tokens[index], "unless");
    if (!isCondition || !isSymbol(tokens[index + 1], "{")) continue;
    const end = closing(tokens, index + 1);
    bodies.push({ from: index + 2, to: end });
    index = end;
  }
  return bodies;
}

/** The sides of a row of one operator; rows in parentheses inside a row are part of it. */
function rowRanges(tokens: readonly Token[], piece: Piece, operator: "&&" | "||"): readonly Piece[] {
  const inner = withoutParentheses(tokens, piece);
  const cuts: number[] = [];
  let depth = 0;
  for (let index = inner.from; index < inner.to; index += 1) {
    const token = tokens[index];
    depth += depthStep(token);
    if (depth !== 0) continue;
    // `if` takes everything after it; `||` binds less than `&&`.
    if (isIdentifier(token, "if") && index === inner.from) return [inner];
    if (operator === "&&" && isSymbol(token, "||")) return [inner];
    if (isSymbol(token, operator)) cuts.push(index);
  }
  if (cuts.length === 0) return [inner];
  const starts = [inner.from, ...cuts.map((cut) => cut + 1)];
  return starts.flatMap((from, index) => rowRanges(tokens, { from, to: cuts[index] ?? inner.to }, operator));
}

function withoutParentheses(tokens: readonly Token[], piece: Piece): Piece {
  let { from, to } = piece;
  while (to - from > 2 && isSymbol(tokens[from], "(") && closing(tokens, from) === to - 1) {
    from += 1;
    to -= 1;
  }
  return { from, to };
}

function rangeOf(tokens: readonly Token[], from: number, to: number): TextRange {
  const start = tokens[from]?.start ?? 0;
  return { start, end: tokens[to - 1]?.end ?? start };
}

function oneLine(text: string): string {
  return text
    .replaceAll(/\s*\/\/[^\n]*\n\s*/gu, " ")
    .replaceAll(/\s+/gu, " ")
    .trim();
}
