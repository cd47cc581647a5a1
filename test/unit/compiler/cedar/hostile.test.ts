// Hostile text costs a finding, never the process: the engine's stack and time are bounded before it sees a text.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileCedar, tryFormatCedar } from "../../../../compiler/cedar/index.ts";
import type { CedarFinding } from "../../../../compiler/cedar/index.ts";
import { MODEL } from "./model.ts";

function compile(text: string): readonly CedarFinding[] {
  return compileCedar({ sources: [{ file: "p.cedar", text }], generated: [], model: MODEL }).findings;
}

function codes(text: string): readonly string[] {
  return [...new Set(compile(text).map((item) => item.code))];
}

function policyWith(condition: string): string {
  return `permit (principal, action, resource) when { ${condition} };`;
}

const b = "principal.is_external";
const SHAPES: Readonly<Record<string, (n: number) => string>> = {
  parentheses: (n) => "(".repeat(n) + b + ")".repeat(n),
  negations: (n) => `!(${b} && `.repeat(n) + b + ")".repeat(n),
  records: (n) => "{a: ".repeat(n) + b + "}".repeat(n) + ".a".repeat(Math.min(n, 90)),
  sets: (n) => `${"[".repeat(n)}${b}${"]".repeat(n)}.isEmpty()`,
  conditionals: (n) => `(if ${b} then `.repeat(n) + b + ` else ${b})`.repeat(n),
  "calls in arguments": (n) => "[true].contains(".repeat(n) + b + ")".repeat(n),
  arithmetic: (n) => `${"-(1 + ".repeat(n)}1${")".repeat(n)} == 1`,
  "unclosed brackets": (n) => "([{".repeat(n),
  "rows of or": (n) => `${b} || `.repeat(n) + b,
  "rows of and": (n) => `${b} && `.repeat(n) + b,
  sums: (n) => `${"1 + ".repeat(n)}1 == 1`,
  members: (n) => `context${".a".repeat(n)}`,
  "else if": (n) => `if ${b} then ${b} else `.repeat(n) + b,
};

describe("hostile text", () => {
  test.each(Object.entries(SHAPES))("%s without end", (_name, shape) => {
    expect(codes(policyWith(shape(600)))).toContain("CEDAR_TOO_DEEP");
    const formatted = tryFormatCedar("p.cedar", policyWith(shape(600)));
    expect(formatted.ok).toBe(false);
  });

  test.each(Object.entries(SHAPES))("%s at the limit do not harm the engine", (_name, shape) => {
    for (const n of [20, 50, 60, 100]) {
      const found = codes(policyWith(shape(n)));
      expect(found).not.toContain("CEDAR_ENGINE");
    }
    expect(compile("permit (principal, action, resource);")).toEqual([]);
  });

  test("rows as long as allowed compile: the JSON form is balanced", () => {
    expect(compile(policyWith(`${b} || `.repeat(99) + b))).toEqual([]);
    expect(compile(policyWith(`${b} && `.repeat(99) + b))).toEqual([]);
  });

  test("a set may be long", () => {
    const names = Array.from({ length: 1_000 }, () => '"sql.query"').join(", ");
    expect(compile(policyWith(`[${names}].contains(context.target)`))).toEqual([]);
  });

  test("sizes are bounded", () => {
    expect(codes(policyWith(`principal.email == "${"x".repeat(70_000)}"`))).toEqual(["CEDAR_TOO_LARGE"]);
  });

  test("any error empties every slice", () => {
    const text =
      "permit (principal, action, resource);\nforbid (principal, action, resource) when { principal.nope };";
    const { policies } = compileCedar({ sources: [{ file: "p.cedar", text }], generated: [], model: MODEL });
    expect(policies.slices).toHaveLength(6);
    expect(policies.slices.every((slice) => slice.call.length === 0 && slice.visibility.length === 0)).toBe(
      true,
    );
    expect(policies.residuals).toEqual({});
    expect(policies.slices.every((slice) => Object.hasOwn(policies.schemas, slice.schema))).toBe(true);
  });

  test("random tokens never throw", () => {
    const words = [
      "permit",
      "forbid",
      "(",
      ")",
      "{",
      "}",
      "[",
      "]",
      "principal",
      "action",
      "resource",
      "when",
      "unless",
    ];
    const signs = [
      ";",
      ",",
      ".",
      "==",
      "&&",
      "||",
      "!",
      "-",
      "::",
      '"a"',
      '"',
      "matches",
      "context",
      "has",
      "\\",
      "if",
    ];
    const token = fc.constantFrom(
      ...words,
      ...signs,
      "then",
      "else",
      "in",
      "1",
      "@id",
      "//",
      "\n",
      "é",
      "\u{1f600}",
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
        const text = `permit (principal, action, resource) when { ${tokens.join(" ")} };`;
        for (const item of compile(text)) {
          expect(item.code).not.toBe("CEDAR_ENGINE");
          expect(item.line).toBeGreaterThan(0);
          expect(item.column).toBeGreaterThan(0);
        }
        tryFormatCedar("p.cedar", text);
      }),
      { seed: 11, numRuns: 150 },
    );
  });
});
