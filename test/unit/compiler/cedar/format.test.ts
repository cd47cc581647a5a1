// Formatting keeps meaning, comments and `.matches`, and is idempotent.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCedar, tryFormatCedar } from "../../../../compiler/cedar/index.ts";
import { tokenize } from "../../../../compiler/cedar/lexer.ts";
import { SEED } from "./model.ts";
import { policy } from "./random-policies.ts";

function tokensOf(text: string): readonly string[] {
  return tokenize(text).map((token) => `${token.kind} ${token.value}`);
}

describe("formatCedar", () => {
  test("keeps tokens and comments", () => {
    const text = `// head\n@reason("why")\n${SEED}// tail\n`;
    const formatted = formatCedar(text);
    expect(tokensOf(formatted)).toEqual(tokensOf(text));
    expect(formatted).toContain("// head");
    expect(formatted).toContain("// tail");
    expect(formatted).toContain('context.arguments.sql.matches("(?i)^\\\\s*SELECT\\\\s")');
    expect(formatted.endsWith("\n")).toBe(true);
  });

  test("tells .matches from the method that stands in for it", () => {
    const text =
      'permit (principal, action, resource) when { principal.getTag("a") && context.a.matches("b") && x.getTag("c") };';
    // `x` is no variable: the formatter refuses it, as Cedar does.
    expect(tryFormatCedar("p.cedar", text).ok).toBe(false);
    const valid = text.replace("x.getTag", "resource.getTag");
    expect(tokensOf(formatCedar(valid))).toEqual(tokensOf(valid));
  });

  test("does not change what is formatted already", () => {
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1, maxLength: 3 }), (policies) => {
        const text = policies.map((item) => item.source).join("\n");
        const once = formatCedar(text);
        expect(formatCedar(once)).toBe(once);
        expect(tokensOf(once)).toEqual(tokensOf(text));
      }),
      { seed: 7, numRuns: 30 },
    );
  });

  test("says where a text is not Cedar", () => {
    const outcome = tryFormatCedar("p.cedar", "permit (principal, action, resource)\nwhen { tru };");
    expect(outcome).toMatchObject({
      ok: false,
      findings: [{ code: "CEDAR_SYNTAX", file: "p.cedar", line: 2, column: 8 }],
    });
    expect(() => formatCedar("permit")).toThrow(SyntaxError);
  });

  test("leaves a file without policies alone", () => {
    expect(formatCedar("// nothing\n")).toBe("// nothing\n");
    expect(formatCedar("")).toBe("");
  });
});
