// Splits a Cedar file into policies. A policy ends at its `;`, which cannot occur inside one, so that a syntax error
// in one policy never hides another.
import { isSymbol, tokenize } from "./lexer.ts";
import type { Token } from "./lexer.ts";

export interface PolicyText {
  /** Position among the policies of the file, from 0. */
  readonly index: number;
  /** From the first annotation to the `;`, inner comments included. */
  readonly text: string;
  /** UTF-16 offset of `text` in the file. */
  readonly start: number;
  /** Tokens with offsets relative to `text`. */
  readonly tokens: readonly Token[];
  /** Index of the `permit` or `forbid` token; 0 where there is none. */
  readonly effectToken: number;
}

/** The policies of a file in order. Text after the last `;` is a policy too, which the engine then refuses. */
export function splitPolicies(text: string): readonly PolicyText[] {
  const policies: PolicyText[] = [];
  let pending: Token[] = [];
  const flush = (): void => {
    const first = pending[0];
    const last = pending.at(-1);
    if (first === undefined || last === undefined) return;
    const tokens = pending.map((token) => ({
      ...token,
      start: token.start - first.start,
      end: token.end - first.start,
    }));
    policies.push({
      index: policies.length,
      text: text.slice(first.start, last.end),
      start: first.start,
      tokens,
      effectToken: effectTokenOf(tokens),
    });
    pending = [];
  };
  for (const token of tokenize(text)) {
    pending.push(token);
    if (isSymbol(token, ";")) flush();
  }
  flush();
  return policies;
}

function effectTokenOf(tokens: readonly Token[]): number {
  const at = tokens.findIndex(
    (token, index) =>
      token.kind === "identifier" &&
      (token.value === "permit" || token.value === "forbid") &&
      !isSymbol(tokens[index - 1], "@"),
  );
  return Math.max(0, at);
}
