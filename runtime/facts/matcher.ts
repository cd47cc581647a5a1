// `.matches()` of the policy language: RE2 search, linear in the input, compiled once for each bundle.
import { RE2JS } from "re2js";

/** UTF-16 code units of an input that a pattern is run on. */
export const MAX_MATCH_INPUT = 65_536;

/** Unanchored search. */
export type Matcher = (input: string) => boolean;

/** Compiles RE2 syntax. Throws RE2JSSyntaxException; lookaround and backreferences are syntax errors. */
export function compileMatcher(pattern: string): Matcher {
  const compiled = RE2JS.compile(pattern);
  return (input) => compiled.test(input);
}

/** A pattern that matches `text` and nothing else. */
export function quotePattern(text: string): string {
  return RE2JS.quote(text);
}
