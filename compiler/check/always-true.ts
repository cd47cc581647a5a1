// A condition that excludes nothing: its author meant another one.
import { isSymbol, spanOfTokens } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import { isAlwaysTrue } from "./condition-truth.ts";
import type { CheckRule } from "./context.ts";

export const alwaysTrue: CheckRule = {
  name: "always-true",
  run: ({ parsed, sink }) => {
    for (const policy of parsed.filter(({ authored }) => authored)) {
      for (const [index, clause] of policy.est.conditions.entries()) {
        if (!isAlwaysTrue(clause)) continue;
        const message = `this ${clause.kind} ${clause.kind === "when" ? "always holds" : "never holds"}, so it excludes nothing`;
        sink.report("CONDITION_ALWAYS_TRUE", clausePlace(policy, index), message);
      }
    }
  },
};

/** The keyword of the clause at `index`: `when` and `unless` stand before a brace only there. */
function clausePlace(policy: ParsedPolicy, index: number): SourceSpan {
  const { tokens, effectToken } = policy.text;
  const clauses = tokens.flatMap((token, at) => {
    const isClause =
      at > effectToken && /^(?:when|unless)$/u.test(token.value) && isSymbol(tokens[at + 1], "{");
    return token.kind === "identifier" && isClause ? [at] : [];
  });
  const at = clauses[index] ?? effectToken;
  return spanOfTokens(policy, at, at);
}
