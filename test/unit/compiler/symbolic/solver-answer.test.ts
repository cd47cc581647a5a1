import { describe, expect, it } from "vitest";
import { readAnswer } from "../../../../compiler/symbolic/solver-answer.ts";
import { integerOf, text, textOfTerm } from "../../../../compiler/symbolic/terms.ts";

describe("readAnswer", () => {
  it("reads values of every sort", () => {
    const answer = readAnswer('sat\n((x0 true)\n (x1 (- 5))\n (x2 "a "" ) b"))\n', ["x0", "x1", "x2"]);
    expect(answer).toEqual({
      kind: "sat",
      values: new Map([
        ["x0", "true"],
        ["x1", "(- 5)"],
        ["x2", '"a "" ) b"'],
      ]),
    });
  });

  it.each([
    ['unsat\n(error "no model")', { kind: "unsat" }],
    ["unknown\n", { kind: "unknown", reason: "no answer" }],
    ['(error "line 1")\nunsat', { kind: "unknown", reason: "a question it refused" }],
    ["", { kind: "unknown", reason: "a question it refused" }],
    ["sat\n((x0 true))", { kind: "unknown", reason: "an answer without values" }],
  ])("takes %j for what it is", (output, answer) => {
    expect(readAnswer(output, ["x0", "x1"])).toEqual(answer);
  });
});

describe("terms", () => {
  it.each(["", "plain", 'a "quoted" text', "back\\slash", "é", "\u0000\n", "😀", "\\u{41}"])(
    "write and read %j",
    (value) => {
      expect(textOfTerm(text(value))).toBe(value);
    },
  );

  it("refuse what the solver has no characters for", () => {
    expect(() => text("\ud800")).toThrow("surrogate");
    expect(() => text("\u{100000}")).toThrow("U+2FFFF");
  });

  it("read integers", () => {
    expect(integerOf("(- 9223372036854775808)")).toBe(-(2n ** 63n));
    expect(integerOf("x1")).toBeUndefined();
  });
});
