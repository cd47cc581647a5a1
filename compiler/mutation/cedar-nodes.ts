// The expressions of a Cedar policy with the place of each in its text: what an operator changes is named, and changed,
// as it is written. Text that the engine accepted is read; what is not understood has no nodes.
import type { Token } from "../cedar/lexer.ts";
import { isSymbol } from "../cedar/index.ts";

/** UTF-16 offsets into the text of the policy, end exclusive. */
export interface NodeRange {
  readonly start: number;
  readonly end: number;
}

export type CedarNode = NodeRange &
  (
    | { readonly kind: "chain"; readonly operator: "&&" | "||"; readonly terms: readonly CedarNode[] }
    | { readonly kind: "if"; readonly parts: readonly CedarNode[] }
    | { readonly kind: "not"; readonly operand: CedarNode }
    | { readonly kind: "paren"; readonly inner: CedarNode }
    | {
        readonly kind: "relation";
        readonly operator: Token;
        readonly left: CedarNode;
        readonly right: CedarNode;
      }
    /** `has`, `like`, `is`; `pattern` is the string after `like`. */
    | { readonly kind: "test"; readonly left: CedarNode; readonly pattern?: Token }
    /** A method or a function. */
    | { readonly kind: "call"; readonly name: Token; readonly parts: readonly CedarNode[] }
    | { readonly kind: "set"; readonly items: readonly CedarNode[] }
    | { readonly kind: "number"; readonly value: number }
    | { readonly kind: "boolean"; readonly value: boolean }
    | { readonly kind: "string"; readonly token: Token }
    /** A variable, an entity, a member, a record, arithmetic. */
    | { readonly kind: "other"; readonly parts: readonly CedarNode[] }
  );

/** One place of the scope, e.g. `principal in Role::"Developer"`. */
export interface ScopeSlot extends NodeRange {
  readonly name: string;
  /** Nothing follows the name. */
  readonly isOpen: boolean;
  /** The entities of `in [ … ]`. */
  readonly members: readonly NodeRange[];
}

export interface ConditionNode extends NodeRange {
  readonly keyword: "when" | "unless";
  readonly body: CedarNode;
}

export interface PolicyNodes {
  readonly effect: Token;
  readonly scope: readonly ScopeSlot[];
  readonly conditions: readonly ConditionNode[];
}

const RELATIONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">=", "in"]);

/** Reads tokens from left to right; `undefined` anywhere means that the text is not understood. */
class Reader {
  readonly #tokens: readonly Token[];
  #next: number;

  constructor(tokens: readonly Token[], start: number) {
    this.#tokens = tokens;
    this.#next = start;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#next + ahead];
  }

  is(value: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token !== undefined && token.kind !== "string" && token.value === value;
  }

  take(value?: string): Token {
    const token = this.peek();
    if (token === undefined || (value !== undefined && !this.is(value))) throw new NotUnderstood();
    this.#next += 1;
    return token;
  }

  /** End of the token that was taken last. */
  get end(): number {
    return this.#tokens[this.#next - 1]?.end ?? 0;
  }

  get position(): number {
    return this.#next;
  }
}

class NotUnderstood extends Error {}

/** The parts of one policy; undefined where its text is not understood. */
export function policyNodes(tokens: readonly Token[], effectToken: number): PolicyNodes | undefined {
  const reader = new Reader(tokens, effectToken);
  try {
    const effect = reader.take();
    const scope = readScope(reader);
    const conditions: ConditionNode[] = [];
    while (reader.is("when") || reader.is("unless")) {
      const keyword = reader.take();
      reader.take("{");
      const body = readExpression(reader);
      reader.take("}");
      const kind = keyword.value === "when" ? "when" : "unless";
      conditions.push({ keyword: kind, body, start: keyword.start, end: reader.end });
    }
    reader.take(";");
    return { effect, scope, conditions };
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

function readScope(reader: Reader): readonly ScopeSlot[] {
  const slots: ScopeSlot[] = [];
  reader.take("(");
  while (!reader.is(")")) {
    const name = reader.take();
    const members: NodeRange[] = [];
    let depth = 0;
    const isOpen = reader.is(",") || reader.is(")");
    while (depth > 0 || !(reader.is(",") || reader.is(")"))) {
      const token = reader.peek();
      if (depth === 1 && token !== undefined && !reader.is("]") && !reader.is(",")) {
        members.push(readEntity(reader));
        continue;
      }
      if (isSymbol(token, "[")) depth += 1;
      if (isSymbol(token, "]")) depth -= 1;
      reader.take();
    }
    slots.push({ name: name.value, isOpen, members, start: name.start, end: reader.end });
    if (reader.is(",")) reader.take();
  }
  reader.take(")");
  return slots;
}

function readEntity(reader: Reader): NodeRange {
  const { start } = reader.take();
  while (reader.is("::")) {
    reader.take();
    reader.take();
  }
  return { start, end: reader.end };
}

function readExpression(reader: Reader): CedarNode {
  if (!reader.is("if"))
    return readChain(reader, "||", () => readChain(reader, "&&", () => readRelation(reader)));
  const { start } = reader.take();
  const condition = readExpression(reader);
  reader.take("then");
  const yes = readExpression(reader);
  reader.take("else");
  const no = readExpression(reader);
  return { kind: "if", parts: [condition, yes, no], start, end: reader.end };
}

function readChain(reader: Reader, operator: "&&" | "||", readTerm: () => CedarNode): CedarNode {
  const first = readTerm();
  const terms = [first];
  while (reader.is(operator)) {
    reader.take();
    terms.push(readTerm());
  }
  return terms.length === 1 ? first : { kind: "chain", operator, terms, start: first.start, end: reader.end };
}

function readRelation(reader: Reader): CedarNode {
  const left = readSum(reader);
  const { start } = left;
  const token = reader.peek();
  if (token === undefined || token.kind === "string") return left;
  if (RELATIONS.has(token.value)) {
    const operator = reader.take();
    const right = readSum(reader);
    return { kind: "relation", operator, left, right, start, end: reader.end };
  }
  switch (token.value) {
    case "has":
      reader.take();
      reader.take();
      while (reader.is(".")) {
        reader.take();
        reader.take();
      }
      return { kind: "test", left, start, end: reader.end };
    case "like": {
      reader.take();
      const pattern = reader.take();
      return { kind: "test", left, pattern, start, end: reader.end };
    }
    case "is":
      reader.take();
      readEntity(reader);
      if (reader.is("in")) {
        reader.take();
        readSum(reader);
      }
      return { kind: "test", left, start, end: reader.end };
    default:
      return left;
  }
}

function readSum(reader: Reader): CedarNode {
  const first = readUnary(reader);
  const parts = [first];
  while (reader.is("+") || reader.is("-") || reader.is("*")) {
    reader.take();
    parts.push(readUnary(reader));
  }
  return parts.length === 1 ? first : { kind: "other", parts, start: first.start, end: reader.end };
}

function readUnary(reader: Reader): CedarNode {
  if (reader.is("!")) {
    const { start } = reader.take();
    const operand = readUnary(reader);
    return { kind: "not", operand, start, end: reader.end };
  }
  if (reader.is("-")) {
    const { start } = reader.take();
    const inner = readUnary(reader);
    if (inner.kind === "number") return { kind: "number", value: -inner.value, start, end: reader.end };
    return { kind: "other", parts: [inner], start, end: reader.end };
  }
  return readMember(reader);
}

function readMember(reader: Reader): CedarNode {
  let node = readPrimary(reader);
  const { start } = node;
  while (reader.is(".") || reader.is("[")) {
    if (reader.take().value === "[") {
      const index = readExpression(reader);
      reader.take("]");
      node = { kind: "other", parts: [node, index], start, end: reader.end };
      continue;
    }
    const name = reader.take();
    if (!reader.is("(")) {
      node = { kind: "other", parts: [node], start, end: reader.end };
      continue;
    }
    const args = readList(reader, "(", ")");
    node = { kind: "call", name, parts: [node, ...args], start, end: reader.end };
  }
  return node;
}

function readList(reader: Reader, open: string, close: string): readonly CedarNode[] {
  const items: CedarNode[] = [];
  reader.take(open);
  while (!reader.is(close)) {
    items.push(readExpression(reader));
    if (reader.is(",")) reader.take();
  }
  reader.take(close);
  return items;
}

function readPrimary(reader: Reader): CedarNode {
  const token = reader.peek();
  if (token === undefined) throw new NotUnderstood();
  const { start, end } = token;
  if (token.kind === "string") {
    reader.take();
    return { kind: "string", token, start, end };
  }
  if (token.kind === "number") {
    reader.take();
    return { kind: "number", value: Number(token.value), start, end };
  }
  if (isSymbol(token, "(")) {
    reader.take();
    const inner = readExpression(reader);
    reader.take(")");
    return { kind: "paren", inner, start, end: reader.end };
  }
  if (isSymbol(token, "[")) {
    const items = readList(reader, "[", "]");
    return { kind: "set", items, start, end: reader.end };
  }
  if (isSymbol(token, "{")) return readRecord(reader);
  if (token.kind !== "identifier") throw new NotUnderstood();
  if (token.value === "true" || token.value === "false") {
    reader.take();
    return { kind: "boolean", value: token.value === "true", start, end };
  }
  readEntity(reader);
  if (!reader.is("(")) return { kind: "other", parts: [], start, end: reader.end };
  const parts = readList(reader, "(", ")");
  return { kind: "call", name: token, parts, start, end: reader.end };
}

function readRecord(reader: Reader): CedarNode {
  const { start } = reader.take("{");
  const parts: CedarNode[] = [];
  while (!reader.is("}")) {
    reader.take();
    reader.take(":");
    parts.push(readExpression(reader));
    if (reader.is(",")) reader.take();
  }
  reader.take("}");
  return { kind: "other", parts, start, end: reader.end };
}
