// Numbers in carried JSON: none loses a digit, whichever of the two ways it was parsed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rawNumber } from "#std";
import { parseJsonText } from "../../../runtime/transform/json-text.ts";

/** What a parse that asks about every number gives. */
function slowly(text: string): unknown {
  return parseJsonText(`[1e0,${text}]`);
}

const digits = fc.stringMatching(/^(?:0|[1-9]\d{0,24})$/);
const number = fc
  .tuple(
    fc.constantFrom("", "-"),
    digits,
    fc.option(fc.stringMatching(/^\d{1,24}$/), { nil: undefined }),
    fc.option(fc.integer({ min: -400, max: 400 }), { nil: undefined }),
  )
  .map(
    ([sign, whole, fraction, exponent]) =>
      `${sign}${whole}${fraction === undefined ? "" : `.${fraction}`}${exponent === undefined ? "" : `e${String(exponent)}`}`,
  );

describe("parseJsonText", () => {
  it.each([
    ["9007199254740993", rawNumber("9007199254740993")],
    ["-0", rawNumber("-0")],
    ["-0.0", rawNumber("-0.0")],
    ["1e400", rawNumber("1e400")],
    ["0.1", 0.1],
    ["-0.5", -0.5],
    ["123456789012345", 123456789012345],
    ["1.50", 1.5],
  ])("reads %s", (text, value) => {
    expect(parseJsonText(text)).toEqual(value);
    expect(parseJsonText(`{"a":"2024-01-05","b":[${text}]}`)).toEqual({ a: "2024-01-05", b: [value] });
  });

  it("gives the same for every number, with or without a reason to look at each", () => {
    fc.assert(
      fc.property(number, (text) => {
        expect([1, parseJsonText(text)]).toEqual(slowly(text));
      }),
      { seed: 7, numRuns: 2_000 },
    );
  });
});
