// `.matches("re")` is not Cedar. It becomes a Boolean that the gateway derives before Cedar runs:
// `R.matches("re")` → `(R like "*" && context._m.r_<hash>)`. The first half keeps what `R` means to Cedar: its type
// check, the need for a `has` guard, and the error where it is missing.
import { sha256Hex } from "#bundle";
import type { Derivation } from "#bundle";
import { finding } from "./finding.ts";
import type { CedarFinding, CedarSpan } from "./finding.ts";
import { isIdentifier, isSymbol } from "./lexer.ts";
import type { Token } from "./lexer.ts";
import { MappedTextBuilder } from "./position.ts";
import type { MappedText, SpanFinder } from "./position.ts";
import { lintPattern } from "./regex-lints.ts";
import type { PolicyText } from "./split.ts";

export interface LoweredPolicy {
  readonly policy: PolicyText;
  readonly mapped: MappedText;
  readonly derivations: readonly Derivation[];
  readonly findings: readonly CedarFinding[];
}

const ROOTS: ReadonlySet<string> = new Set(["context", "principal", "resource"]);

/** Name of the derived Boolean: the same pattern on the same path is computed once. */
export function matchesName(path: readonly string[], pattern: string): string {
  return `r_${sha256Hex(JSON.stringify([path, pattern])).slice(0, 10)}`;
}

/** Lowers every `.matches` call of one policy. */
export function lowerMatches(policy: PolicyText, lines: SpanFinder): LoweredPolicy {
  const builder = new MappedTextBuilder(policy.text);
  const derivations = new Map<string, Derivation>();
  const findings: CedarFinding[] = [];
  for (const [index, token] of policy.tokens.entries()) {
    if (!isMatchesCall(policy.tokens, index)) continue;
    const call = readCall(policy.tokens, index);
    const span = (start: number, end: number): CedarSpan =>
      lines.span({ start: policy.start + start, end: policy.start + end });
    if (!call.ok) {
      findings.push(finding(call.code, span(token.start, token.end), call.message, call.help));
      continue;
    }
    for (const lint of lintPattern(call.pattern.value)) {
      findings.push(finding(lint.code, span(call.pattern.start, call.pattern.end), lint.message, lint.help));
    }
    const path = call.root === "context" ? call.path : [call.root, ...call.path];
    const name = matchesName(path, call.pattern.value);
    derivations.set(name, { kind: "matches", name, path, pattern: call.pattern.value });
    const dot = policy.tokens[index - 1];
    builder.copyTo(call.start);
    builder.replaceTo(call.start, "(");
    builder.copyTo(dot?.start ?? token.start);
    builder.replaceTo(call.end, ` like "*" && context._m.${name})`);
  }
  return { policy, mapped: builder.finish(), derivations: [...derivations.values()], findings };
}

function isMatchesCall(tokens: readonly Token[], index: number): boolean {
  return (
    isIdentifier(tokens[index], "matches") &&
    isSymbol(tokens[index - 1], ".") &&
    isSymbol(tokens[index + 1], "(")
  );
}

interface MatchesCall {
  readonly ok: true;
  readonly root: string;
  readonly path: readonly string[];
  readonly pattern: Token;
  /** Offsets of the whole call, receiver included. */
  readonly start: number;
  readonly end: number;
}

interface BadCall {
  readonly ok: false;
  readonly code: "CEDAR_MATCHES_ARGUMENT" | "CEDAR_MATCHES_RECEIVER";
  readonly message: string;
  readonly help: string;
}

function readCall(tokens: readonly Token[], index: number): MatchesCall | BadCall {
  const pattern = tokens[index + 2];
  const close = tokens[index + 3];
  if (pattern?.kind !== "string" || !isSymbol(close, ")") || close === undefined) {
    return {
      ok: false,
      code: "CEDAR_MATCHES_ARGUMENT",
      message: ".matches takes exactly one string literal",
      help: 'Write the pattern in place: `context.arguments.sql.matches("^…$")`.',
    };
  }
  const receiver = readReceiver(tokens, index - 1);
  if (receiver === undefined) {
    return {
      ok: false,
      code: "CEDAR_MATCHES_RECEIVER",
      message: ".matches can be called only on an attribute path",
      help: "The path begins with context, principal or resource, without parentheses.",
    };
  }
  return { ok: true, ...receiver, pattern, end: close.end };
}

/** Walks back from the dot before `matches` over `.name` and `["name"]` to the root variable. */
function readReceiver(
  tokens: readonly Token[],
  dot: number,
): { readonly root: string; readonly path: readonly string[]; readonly start: number } | undefined {
  const path: string[] = [];
  let at = dot - 1;
  for (;;) {
    const token = tokens[at];
    if (token === undefined) return undefined;
    if (isSymbol(token, "]")) {
      const key = tokens[at - 1];
      if (key?.kind !== "string" || !isSymbol(tokens[at - 2], "[")) return undefined;
      path.unshift(key.value);
      at -= 3;
      continue;
    }
    if (token.kind !== "identifier") return undefined;
    if (isSymbol(tokens[at - 1], ".")) {
      path.unshift(token.value);
      at -= 2;
      continue;
    }
    const isRoot = ROOTS.has(token.value) && path.length > 0 && !isSymbol(tokens[at - 1], "::");
    return isRoot ? { root: token.value, path, start: token.start } : undefined;
  }
}
