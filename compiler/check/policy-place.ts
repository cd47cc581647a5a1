// Where a policy stands: the keyword of one written in Cedar, the line of a document for one generated from it.
import { spanOfTokens } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import type { SourceSpan } from "../diagnostics/index.ts";

export function placeOf(policy: ParsedPolicy): SourceSpan {
  const { effectToken } = policy.text;
  return spanOfTokens(policy, effectToken, effectToken);
}

/** `policies/a.cedar:3` */
export function lineOf(policy: ParsedPolicy): string {
  return `${policy.source.file}:${policy.source.line}`;
}
