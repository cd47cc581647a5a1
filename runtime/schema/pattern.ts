// Regular expressions of approved schemas, on a linear-time engine: an upstream wrote them, so they are hostile.
import { RE2JS } from "re2js";

/** Longest accepted pattern, in UTF-16 units. */
export const MAX_PATTERN_LENGTH = 2_000;
/** Largest accepted program, in engine instructions; matching costs at most this for each character of input. */
const MAX_PATTERN_INSTRUCTIONS = 10_000;

export interface Pattern {
  readonly source: string;
  /** Unanchored search. */
  test(text: string): boolean;
}

/**
 * Compiles RE2 syntax.
 * @throws Error where the pattern is not RE2 syntax or exceeds a limit; the message names the fault.
 */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_LENGTH)
    throw new Error(`pattern is longer than ${MAX_PATTERN_LENGTH} characters`);
  const compiled = RE2JS.compile(source);
  if (compiled.programSize() > MAX_PATTERN_INSTRUCTIONS) throw new Error("pattern is too complex");
  return { source, test: (text) => compiled.test(text) };
}
