// What is refused before the engine sees a text: things Cedar would accept but Aegis must not, and shapes that would
// overflow the engine's stack, which ruins its instance for good.
import { finding } from "./finding.ts";
import type { CedarFinding, CedarSpan } from "./finding.ts";
import { isIdentifier, isSymbol } from "./lexer.ts";
import type { Token } from "./lexer.ts";
import type { SpanFinder } from "./position.ts";
import type { PolicyText } from "./split.ts";

/** Largest policy that a person writes, in UTF-16 code units. */
const MAX_POLICY_LENGTH = 65_536;
/** Largest policy that the compiler writes: an action set may name every pinned definition. */
const MAX_GENERATED_POLICY_LENGTH = 4_194_304;
/** Deepest nesting of brackets. The engine's stack ends between 100 and 120. */
const MAX_NESTING = 60;
/** Most terms in a row of `||`, `&&`, arithmetic or member access, summed along the nesting. */
const MAX_CHAIN = 100;
/** Most annotations of one policy: the engine compares each with all others. */
export const MAX_ANNOTATIONS = 32;
/** The JSON form of a policy carries integers as doubles. */
const MAX_INTEGER_DIGITS = String(Number.MAX_SAFE_INTEGER);

const RESERVED_MEMBERS: ReadonlySet<string> = new Set(["_m", "_d"]);
const RESERVED_WORDS: ReadonlySet<string> = new Set(["__proto__", "__entity", "__extn", "__expr"]);
// Format and bidirectional controls, byte order mark, controls but tab and line ends, private use, lone surrogates,
// and letters that have no glyph. Emoji variation selectors are harmless and stay.
const HIDDEN =
  /\p{Cf}|\p{Co}|\p{Cs}|\p{Zl}|\p{Zp}|\u115f|\u1160|\u3164|\uffa0|\u034f|\u180b|\u180c|\u180d|(?![\t\n\r])\p{Cc}/gu;
const WORD = /[\p{L}\p{M}]+/gu;
const LOOK_ALIKE_SCRIPTS: readonly RegExp[] = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
];

/** Findings on the whole file, whose size its reader has bounded; an error here means that the file is not split or parsed at all. */
export function checkFileText(text: string, lines: SpanFinder): readonly CedarFinding[] {
  const findings: CedarFinding[] = [];
  for (const match of text.matchAll(HIDDEN)) {
    const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const span = lines.span({ start: match.index, end: match.index + match[0].length });
    const help = `Remove it, or write \\u{${code.toLowerCase()}} inside a string.`;
    findings.push(finding("CEDAR_HIDDEN_CHARACTER", span, `invisible or unsafe character U+${code}`, help));
    if (findings.length >= 20) return findings;
  }
  for (const match of text.matchAll(WORD)) {
    if (LOOK_ALIKE_SCRIPTS.filter((script) => script.test(match[0])).length < 2) continue;
    const span = lines.span({ start: match.index, end: match.index + match[0].length });
    const help = "Write the word in one script; letters of two scripts can look the same.";
    findings.push(
      finding("CEDAR_MIXED_SCRIPT", span, `"${match[0]}" mixes letters of several scripts`, help),
    );
    if (findings.length >= 20) return findings;
  }
  return findings;
}

/** Findings on one policy. `authored`: a person wrote it, so that names of the compiler are refused in it. */
export function checkPolicyText(
  policy: PolicyText,
  lines: SpanFinder,
  authored: boolean,
): readonly CedarFinding[] {
  const at = (start: number, end: number): CedarSpan =>
    lines.span({ start: policy.start + start, end: policy.start + end });
  const limit = authored ? MAX_POLICY_LENGTH : MAX_GENERATED_POLICY_LENGTH;
  if (policy.text.length > limit) {
    const help = `At most ${String(limit)} characters; name targets in a set or split the policy.`;
    return [finding("CEDAR_TOO_LARGE", at(0, 0), "the policy is too large", help)];
  }
  const head = policy.tokens.slice(0, policy.effectToken);
  if (head.filter((token) => isSymbol(token, "@")).length > MAX_ANNOTATIONS) {
    const help = `At most ${String(MAX_ANNOTATIONS)}.`;
    return [finding("CEDAR_TOO_LARGE", at(0, 1), "the policy has too many annotations", help)];
  }
  const findings: CedarFinding[] = [];
  for (const [index, token] of policy.tokens.entries()) {
    const span = at(token.start, token.end);
    const previous = policy.tokens[index - 1];
    const next = policy.tokens[index + 1];
    if (token.kind === "slot") {
      const help = "Write the role or user into the scope, one policy for each.";
      findings.push(finding("CEDAR_TEMPLATE", span, `template slot ${token.value}`, help));
    } else if (isIdentifier(token, "unknown") && isSymbol(next, "(")) {
      findings.push(finding("CEDAR_UNKNOWN_FUNCTION", span, "`unknown` is not a function of a policy"));
    } else if (token.kind === "number" && exceedsDouble(token.value)) {
      const help = `At most ${MAX_INTEGER_DIGITS} (2^53 - 1).`;
      findings.push(finding("CEDAR_NUMBER_RANGE", span, `the integer ${token.value} is too large`, help));
    } else if (authored && isReserved(token, previous, policy.tokens[index - 2])) {
      const help = "These names hold facts that the compiler derives; a policy cannot read them itself.";
      findings.push(finding("CEDAR_RESERVED_NAME", span, `\`${token.value}\` is a reserved name`, help));
    }
  }
  const deep = tooDeep(policy.tokens);
  if (deep !== undefined)
    findings.push(finding("CEDAR_TOO_DEEP", at(deep.token.start, deep.token.end), deep.message, deep.help));
  return findings;
}

function exceedsDouble(digits: string): boolean {
  const significant = digits.replace(/^0+/, "");
  if (significant.length !== MAX_INTEGER_DIGITS.length) return significant.length > MAX_INTEGER_DIGITS.length;
  return significant > MAX_INTEGER_DIGITS;
}

function isReserved(token: Token, previous: Token | undefined, beforePrevious: Token | undefined): boolean {
  if (token.kind === "identifier")
    return RESERVED_MEMBERS.has(token.value) || RESERVED_WORDS.has(token.value);
  if (token.kind !== "string") return false;
  if (RESERVED_WORDS.has(token.value)) return true;
  if (!RESERVED_MEMBERS.has(token.value)) return false;
  const isIndex =
    isSymbol(previous, "[") &&
    (beforePrevious?.kind === "identifier" || isSymbol(beforePrevious, ")") || isSymbol(beforePrevious, "]"));
  return isIndex || isIdentifier(previous, "has");
}

interface Frame {
  readonly depth: number;
  ors: number;
  ands: number;
  maxAnds: number;
  others: number;
  maxOthers: number;
  /** Heaviest frame inside this element. */
  inner: number;
  /** Heaviest of the elements before a `,`. */
  siblings: number;
}

function newFrame(depth: number): Frame {
  return { depth, ors: 0, ands: 0, maxAnds: 0, others: 0, maxOthers: 0, inner: 0, siblings: 0 };
}

function weightOf(frame: Frame): number {
  const own = frame.ors + Math.max(frame.ands, frame.maxAnds) + Math.max(frame.others, frame.maxOthers);
  return Math.max(frame.siblings, own + frame.inner);
}

interface TooDeep {
  readonly token: Token;
  readonly message: string;
  readonly help: string;
}

const CHAIN_OPERATORS: ReadonlySet<string> = new Set([".", "+", "-", "*", "!"]);

/** Where a policy exceeds the nesting or chain limits. Weights add up because the engine recurses into both. */
function tooDeep(tokens: readonly Token[]): TooDeep | undefined {
  const frames: Frame[] = [newFrame(0)];
  for (const token of tokens) {
    let frame = frames.at(-1) ?? newFrame(0);
    if (isIdentifier(token, "if") || isIdentifier(token, "then") || isIdentifier(token, "else"))
      frame.others += 1;
    if (token.kind !== "symbol") continue;
    if (token.value === "(" || token.value === "[" || token.value === "{") {
      frame = newFrame(frames.length);
      frames.push(frame);
      if (frame.depth > MAX_NESTING) {
        return {
          token,
          message: `more than ${String(MAX_NESTING)} nested brackets`,
          help: "Split the policy, or use a set with `.contains` instead of nesting.",
        };
      }
    } else if (token.value === ")" || token.value === "]" || token.value === "}") {
      closeFrame(frames);
      frame = frames.at(-1) ?? newFrame(0);
    } else countOperator(frame, token.value);
    if (weightOf(frame) > MAX_CHAIN) {
      return {
        token,
        message: `a chain of more than ${String(MAX_CHAIN)} operators`,
        help: 'Use a set: `["a", "b"].contains(context.target)` or `action in [Action::"a", Action::"b"]`.',
      };
    }
  }
  return undefined;
}

function closeFrame(frames: Frame[]): void {
  if (frames.length < 2) return;
  const closed = frames.pop();
  const parent = frames.at(-1);
  if (closed === undefined || parent === undefined) return;
  parent.inner = Math.max(parent.inner, weightOf(closed));
}

function countOperator(frame: Frame, operator: string): void {
  if (operator === "||") {
    frame.ors += 1;
    frame.maxAnds = Math.max(frame.maxAnds, frame.ands);
    frame.ands = 0;
    endOperand(frame);
  } else if (operator === "&&") {
    frame.ands += 1;
    endOperand(frame);
  } else if (operator === "," || operator === ";") {
    // The next element is a sibling: what counts is the heaviest one.
    frame.siblings = weightOf(frame);
    Object.assign(frame, { ors: 0, ands: 0, maxAnds: 0, others: 0, maxOthers: 0, inner: 0 });
  } else if (CHAIN_OPERATORS.has(operator)) frame.others += 1;
}

function endOperand(frame: Frame): void {
  frame.maxOthers = Math.max(frame.maxOthers, frame.others);
  frame.others = 0;
}
