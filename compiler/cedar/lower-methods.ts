// The methods of `derived-methods.ts` are not Cedar. Each becomes a fact that the gateway derives before Cedar runs:
// `R.matches("re")` → `(R like "*" && context._m.r_<hash>)`, `R.length()` → `(if R like "*" then F else F)` where F is
// `context._d.l_<hash>`. The part about R keeps what R means to Cedar: its type check, the need for a `has` guard, and
// the error where it is missing.
import type { Derivation } from "#bundle";
import { closestName } from "#std";
import { CEDAR_METHODS, DERIVED_METHODS } from "./derived-methods.ts";
import type { DerivedMethod } from "./derived-methods.ts";
import { finding } from "./finding.ts";
import type { CedarCode, CedarFinding, CedarSpan } from "./finding.ts";
import { isSymbol } from "./lexer.ts";
import type { Token } from "./lexer.ts";
import { MappedTextBuilder } from "./position.ts";
import type { MappedText, SpanFinder, TextRange } from "./position.ts";
import { lintPattern, SQL_ADVICE } from "./regex-lints.ts";
import type { PolicyText } from "./split.ts";

export interface LoweredPolicy {
  readonly mapped: MappedText;
  readonly derivations: readonly Derivation[];
  /** Where each derivation is first asked for, by its name, in the policy text. */
  readonly calls: ReadonlyMap<string, TextRange>;
  /** Findings that hold only where nothing else judges the value, by the name of the derivation. */
  readonly advice: ReadonlyMap<string, CedarFinding>;
  readonly findings: readonly CedarFinding[];
}

const ROOTS: ReadonlySet<string> = new Set(["context", "principal", "resource"]);

/** Lowers every call of a derived method in one policy, and refuses methods that do not exist. */
export function lowerMethods(policy: PolicyText, lines: SpanFinder): LoweredPolicy {
  const builder = new MappedTextBuilder(policy.text);
  const derivations = new Map<string, Derivation>();
  const calls = new Map<string, TextRange>();
  const advice = new Map<string, CedarFinding>();
  const findings: CedarFinding[] = [];
  const span = (range: TextRange): CedarSpan =>
    lines.span({ start: policy.start + range.start, end: policy.start + range.end });
  for (const [index, token] of policy.tokens.entries()) {
    if (!isMethodCall(policy.tokens, index)) continue;
    const method = DERIVED_METHODS.get(token.value);
    const call = method === undefined ? unknownMethod(token) : readCall(policy.tokens, index, method);
    if (call?.ok === false) findings.push(finding(call.code, span(call.at), call.message, call.help));
    if (call?.ok !== true || method === undefined) continue;
    const path = call.root === "context" ? call.path : [call.root, ...call.path];
    const derivation = method.derive(path, call.pattern?.value ?? "");
    for (const item of call.pattern === undefined ? [] : patternFindings(call.pattern, span(call.pattern))) {
      if (item.code !== SQL_ADVICE) findings.push(item);
      else if (!advice.has(derivation.name)) advice.set(derivation.name, item);
    }
    derivations.set(derivation.name, derivation);
    if (!calls.has(derivation.name)) calls.set(derivation.name, { start: call.start, end: call.end });
    const { before, after } = loweredText(method, derivation);
    builder.copyTo(call.start);
    builder.replaceTo(call.start, before);
    builder.copyTo(policy.tokens[index - 1]?.start ?? token.start);
    builder.replaceTo(call.end, after);
  }
  return { mapped: builder.finish(), derivations: [...derivations.values()], calls, advice, findings };
}

function patternFindings(pattern: Token, at: CedarSpan): readonly CedarFinding[] {
  return lintPattern(pattern.value).map((lint) => finding(lint.code, at, lint.message, lint.help));
}

/** What is written before and after the receiver. */
function loweredText(
  method: DerivedMethod,
  { kind, name }: Derivation,
): { readonly before: string; readonly after: string } {
  const test = method.receiver === "Set" ? ".isEmpty()" : ' like "*"';
  if (kind === "matches") return { before: "(", after: `${test} && context._m.${name})` };
  const fact = `context._d.${name}`;
  return { before: "(if ", after: `${test} then ${fact} else ${fact})` };
}

function isMethodCall(tokens: readonly Token[], index: number): boolean {
  return (
    tokens[index]?.kind === "identifier" &&
    isSymbol(tokens[index - 1], ".") &&
    isSymbol(tokens[index + 1], "(")
  );
}

interface MethodCall {
  readonly ok: true;
  readonly root: string;
  readonly path: readonly string[];
  readonly pattern: Token | undefined;
  /** Offsets of the whole call, receiver included. */
  readonly start: number;
  readonly end: number;
}

interface BadCall {
  readonly ok: false;
  readonly code: CedarCode;
  readonly at: TextRange;
  readonly message: string;
  readonly help: string;
}

/** Letters of a method from which its beginning alone tells which one is meant: `.match`. */
const MIN_BEGINNING = 3;

function unknownMethod(token: Token): BadCall | undefined {
  const { value: name } = token;
  if (CEDAR_METHODS.includes(name)) return undefined;
  const known = [...DERIVED_METHODS.keys(), ...CEDAR_METHODS];
  const near =
    closestName(name, known) ??
    known.find((method) => name.length >= MIN_BEGINNING && method.startsWith(name));
  const help = near === undefined ? `Methods: ${known.join(", ")}.` : `Did you mean \`.${near}\`?`;
  return {
    ok: false,
    code: "CEDAR_UNKNOWN_FUNCTION",
    at: token,
    message: `there is no method \`.${name}\``,
    help,
  };
}

function readCall(tokens: readonly Token[], index: number, method: DerivedMethod): MethodCall | BadCall {
  const token = tokens[index];
  const bad = (code: CedarCode, message: string, help: string, at = token): BadCall => ({
    ...{ ok: false, code, message, help },
    at: { start: at?.start ?? 0, end: at?.end ?? 0 },
  });
  const pattern = method.argument === "pattern" ? tokens[index + 2] : undefined;
  const close = tokens[index + (method.argument === "pattern" ? 3 : 2)];
  if (!isSymbol(close, ")") || close === undefined || (pattern !== undefined && pattern.kind !== "string")) {
    const wanted = method.argument === "pattern" ? "exactly one string literal" : "no argument";
    return bad("CEDAR_METHOD_ARGUMENT", `.${method.name} takes ${wanted}`, `Write \`${method.example}\`.`);
  }
  const receiver = readReceiver(tokens, index - 1);
  if (receiver === undefined) {
    return bad(
      "CEDAR_METHOD_RECEIVER",
      `.${method.name} can be called only on an attribute path`,
      "The path begins with context, principal or resource, without parentheses and without another method.",
    );
  }
  const member = memberAfter(tokens, index + (method.argument === "pattern" ? 3 : 2));
  if (member !== undefined && method.attributes?.includes(member.value) === false) {
    const near = closestName(member.value, method.attributes);
    return bad(
      "CEDAR_UNKNOWN_ATTRIBUTE",
      `\`.${method.name}()\` has no \`${member.value}\``,
      near === undefined ? `It has: ${method.attributes.join(", ")}.` : `Did you mean \`${near}\`?`,
      member,
    );
  }
  return { ok: true, ...receiver, pattern, end: close.end };
}

/** The attribute that is read of the result of the call that ends at `close`. */
function memberAfter(tokens: readonly Token[], close: number): Token | undefined {
  const member = tokens[close + 2];
  const isRead =
    isSymbol(tokens[close + 1], ".") && member?.kind === "identifier" && !isSymbol(tokens[close + 3], "(");
  return isRead ? member : undefined;
}

/** Walks back from the dot before a method over `.name` and `["name"]` to the root variable. */
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
