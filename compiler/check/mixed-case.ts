// Cedar compares text character by character. An id with capitals matches only the token that spells it so, and a text
// in lower case never equals one with capitals.
import { entitiesIn, entitySpan, isSymbol, spanOfTokens } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import type { CheckContext, CheckRule } from "./context.ts";

/** Methods and members of facts that are always lower case. */
const LOWER_CASE_MEMBERS: ReadonlySet<string> = new Set(["domain", "host", "scheme"]);
const CAPITAL = /\p{Lu}/u;
/** Names that people type, in contrast to generated ids, whose case is their own. */
const WRITTEN_NAME = /^[\p{L}][\p{L}._-]*$|^[^\s@]+@[^\s@]+\.[^\s@]+$/u;
const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/u;

export const mixedCase: CheckRule = {
  name: "mixed-case",
  run: (context) => {
    for (const policy of context.parsed.filter(({ authored }) => authored)) {
      reportIds(context, policy);
      reportTexts(context, policy);
    }
  },
};

function reportIds({ sink }: CheckContext, policy: ParsedPolicy): void {
  for (const entity of entitiesIn(policy)) {
    if (entity.type !== "User" && entity.type !== "Agent") continue;
    if (!CAPITAL.test(entity.id) || !WRITTEN_NAME.test(entity.id)) continue;
    const message = `${entity.type}::${JSON.stringify(entity.id)} is another one than ${JSON.stringify(entity.id.toLowerCase())}`;
    sink.report("ID_MIXED_CASE", entitySpan(policy, entity), message);
  }
}

function reportTexts({ sink }: CheckContext, policy: ParsedPolicy): void {
  const { tokens } = policy.text;
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "string" || !CAPITAL.test(token.value)) continue;
    const isEquality = isSymbol(tokens[index - 1], "==") || isSymbol(tokens[index - 1], "!=");
    if (isEquality && isLowerCase(policy, index - 2)) {
      const message = `${JSON.stringify(token.value)} has capitals, what it is compared with never has any`;
      sink.report("TEXT_CASE_NEVER_EQUAL", placeOfToken(policy, index), message);
    } else if (isEquality && ADDRESS.test(token.value)) {
      const message = `${JSON.stringify(token.value)} is compared character by character`;
      const help = "compare with `.email().domain`, or `.lower()` with the address in lower case";
      sink.report("ID_MIXED_CASE", placeOfToken(policy, index), message, help);
    }
  }
}

/** True where the expression that ends at the token is `….lower()` or a member of a fact that is lower case. */
function isLowerCase({ text: { tokens } }: ParsedPolicy, end: number): boolean {
  const isCallAt = (at: number): boolean => isSymbol(tokens[at - 1], "(") && isSymbol(tokens[at], ")");
  const last = tokens[end];
  if (isCallAt(end)) return tokens[end - 2]?.value === "lower";
  return (
    last !== undefined &&
    LOWER_CASE_MEMBERS.has(last.value) &&
    isSymbol(tokens[end - 1], ".") &&
    isCallAt(end - 2)
  );
}

function placeOfToken(policy: ParsedPolicy, index: number): SourceSpan {
  return spanOfTokens(policy, index, index);
}
