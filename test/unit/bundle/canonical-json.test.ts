import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, parseCanonicalJson } from "#bundle";
import { isRawNumber, rawNumber } from "#std";

describe("canonical JSON", () => {
  it("agrees with another implementation of RFC 8785", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
        expect(parseCanonicalJson(canonicalJson(value))).toEqual(JSON.parse(canonicalJson(value)));
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it.each([
    ["9223372036854775807", "9223372036854775807"],
    ["-9007199254740993", "-9007199254740993"],
    ["1.0", "1"],
    ["100e-2", "1"],
    ["1E400", `1e400`],
    ["0.1000", "0.1"],
    ["0.12345678901234567890123", "12345678901234567890123e-23"],
    ["-0.0", "0"],
    ["92233720368547758070", "92233720368547758070"],
  ])("writes the number %s as %s", (source, expected) => {
    expect(canonicalJson(rawNumber(source))).toBe(expected);
    const parsed = parseCanonicalJson(`[${expected}]`);
    expect(canonicalJson(parsed)).toBe(`[${expected}]`);
  });

  it("keeps a number lossless only where it must", () => {
    const [small, large] = parseCanonicalJson("[12,9007199254740993]") as readonly unknown[];
    expect(small).toBe(12);
    expect(isRawNumber(large)).toBe(true);
  });

  it.each([undefined, Number.NaN, Infinity, 1n, () => 1, "\ud800", { a: undefined }, { "\udc00": 1 }])(
    "refuses what JSON cannot carry: %s",
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );

  it.each(['{"a":1,"a":1}', '{"b":1,"a":1}', '{"a": 1}', "1.0", "1E2", "-0", '"\\u0041"', "[1]\n", "[1,]"])(
    "refuses the text %s, which is not canonical",
    (text) => {
      expect(() => parseCanonicalJson(text)).toThrow();
    },
  );

  it("refuses deep nesting without exhausting the stack", () => {
    expect(() => parseCanonicalJson("[".repeat(100_000) + "]".repeat(100_000))).toThrow();
  });
});
