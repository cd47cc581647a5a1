// Formats Cedar source text. The methods of the dialect are not Cedar's, so each is formatted under the name of a Cedar
// method that takes as many arguments, and gets its own name back afterwards.
import { DERIVED_METHODS } from "./derived-methods.ts";
import type { DerivedMethod } from "./derived-methods.ts";
import { withCedar } from "./engine.ts";
import { finding, sortedFindings } from "./finding.ts";
import type { CedarFinding } from "./finding.ts";
import { isIdentifier, isSymbol, tokenize } from "./lexer.ts";
import type { Token } from "./lexer.ts";
import { complaintsIn } from "./messages.ts";
import { LineMap, MappedTextBuilder, utf16Offset } from "./position.ts";
import type { MappedText } from "./position.ts";
import { splitPolicies } from "./split.ts";
import { checkFileText, checkPolicyText } from "./text-checks.ts";

const LINE_WIDTH = 100;
const INDENT_WIDTH = 2;
const STAND_INS: Readonly<Record<DerivedMethod["argument"], string>> = { none: "isEmpty", pattern: "getTag" };

export type FormatOutcome =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly findings: readonly CedarFinding[] };

/** Formats a Cedar file, or says why it cannot. Idempotent; comments stay; meaning does not change. */
export function tryFormatCedar(file: string, text: string): FormatOutcome {
  const lines = new LineMap(file, text);
  const refusals = [
    ...checkFileText(text, lines),
    ...splitPolicies(text).flatMap((policy) => checkPolicyText(policy, lines, true)),
  ].filter((item) => item.severity === "error");
  if (refusals.length > 0) return { ok: false, findings: sortedFindings(refusals) };
  if (tokenize(text).length === 0) return { ok: true, text };
  const { mapped, renamed } = withStandIns(text);
  const answer = withCedar((cedar) =>
    cedar.formatPolicies({ policyText: mapped.text, lineWidth: LINE_WIDTH, indentWidth: INDENT_WIDTH }),
  );
  if (!answer.ok) {
    const message = `the Cedar engine failed: ${answer.message}`;
    return { ok: false, findings: [finding("CEDAR_ENGINE", lines.span({ start: 0, end: 0 }), message)] };
  }
  if (answer.value.type === "failure") {
    const findings = answer.value.errors
      .flatMap((error) => complaintsIn(error, "CEDAR_SYNTAX"))
      .map(({ code, message, help, bytes = { start: 0, end: 0 } }) => {
        const range = {
          start: utf16Offset(mapped.text, bytes.start),
          end: utf16Offset(mapped.text, bytes.end),
        };
        return finding(code, lines.span(mapped.sourceOf(range)), message, help);
      });
    return { ok: false, findings: sortedFindings(findings) };
  }
  return { ok: true, text: withoutStandIns(answer.value.formatted_policy, renamed) };
}

/** Formats Cedar text; throws SyntaxError with the first reason where it is not Cedar. */
export function formatCedar(text: string): string {
  const outcome = tryFormatCedar("", text);
  if (outcome.ok) return outcome.text;
  const [first] = outcome.findings;
  throw new SyntaxError(
    first === undefined ? "not Cedar" : `${String(first.line)}:${String(first.column)} ${first.message}`,
  );
}

/** Calls of `name`, as the tokens of the name. */
function callsOf(text: string, names: readonly string[]): readonly Token[] {
  const tokens = tokenize(text);
  return tokens.filter(
    (token, index) =>
      names.some((name) => isIdentifier(token, name)) &&
      isSymbol(tokens[index - 1], ".") &&
      isSymbol(tokens[index + 1], "("),
  );
}

/** `renamed[n]`: what the n-th call of any stand-in was called. The formatter keeps the order of tokens. */
function withStandIns(text: string): { readonly mapped: MappedText; readonly renamed: readonly string[] } {
  const builder = new MappedTextBuilder(text);
  const renamed: string[] = [];
  for (const token of callsOf(text, [...DERIVED_METHODS.keys(), ...Object.values(STAND_INS)])) {
    renamed.push(token.value);
    const method = DERIVED_METHODS.get(token.value);
    if (method === undefined) continue;
    builder.copyTo(token.start);
    builder.replaceTo(token.end, STAND_INS[method.argument]);
  }
  return { mapped: builder.finish(), renamed };
}

function withoutStandIns(text: string, renamed: readonly string[]): string {
  const builder = new MappedTextBuilder(text);
  for (const [index, token] of callsOf(text, Object.values(STAND_INS)).entries()) {
    builder.copyTo(token.start);
    builder.replaceTo(token.end, renamed[index] ?? token.value);
  }
  const formatted = builder.finish().text;
  return formatted.endsWith("\n") ? formatted : `${formatted}\n`;
}
