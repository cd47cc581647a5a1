import { describe, expect, test } from "vitest";
import { compilePattern } from "#schema";
import { matchingSamples, nearMisses } from "../../../../compiler/calls/sample-pattern.ts";

const PATTERNS: readonly string[] = [
  "(?i)^\\s*SELECT\\s",
  "^(?:GET|POST|DELETE) /v[12]/\\w+$",
  "^[A-Z]{3}-\\d{4}$",
  "^[^@\\s]+@example\\.com$",
  "a{2,4}b+c?d*",
  "(?P<key>[a-z]+)=(?P<value>.*)",
  "^\\$\\.items\\[0\\]$",
  "^$",
];

describe("samples", () => {
  test.each(PATTERNS)("%s: there are some, and all match; near misses do not", (pattern) => {
    const compiled = compilePattern(pattern);
    const samples = matchingSamples(pattern);
    expect(samples.length).toBeGreaterThan(0);
    expect(samples.every((text) => compiled.test(text))).toBe(true);
    expect(nearMisses(pattern).some((text) => compiled.test(text))).toBe(false);
  });

  test("every alternative is taken", () => {
    expect(matchingSamples("^(SELECT|WITH|VALUES) ")).toEqual(["SELECT ", "WITH ", "VALUES "]);
  });

  test("a pattern that the engine refuses gives none", () => {
    expect(matchingSamples("(?=x)")).toEqual([]);
    expect(nearMisses("(")).toEqual([]);
  });
});
