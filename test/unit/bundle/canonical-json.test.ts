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

  it("reads a long text as it reads a short one", () => {
    const member = fc.tuple(fc.string(), fc.jsonValue({ noUnicodeString: false }));
    fc.assert(
      fc.property(fc.array(member, { maxLength: 8 }), (members) => {
        const filler = Array.from({ length: 400 }, (_, index) => ({ index, text: '"[{,\\'.repeat(20) }));
        const value = { ...Object.fromEntries(members), list: filler, nested: { deep: { list: filler } } };
        const text = canonicalJson(value);
        expect(text.length).toBeGreaterThan(80_000);
        expect(canonicalJson(parseCanonicalJson(text))).toBe(text);
        expect(parseCanonicalJson(text)).toEqual(JSON.parse(text));
      }),
      { seed: 12, numRuns: 50 },
    );
  });

  describe("a long text that is not canonical is refused:", () => {
    const list = Array.from({ length: 20_000 }, (_, index) => index);
    const text = canonicalJson({ a: list, b: { ["__proto__"]: list }, c: 1 });
    const swap = (from: string, to: string): string => {
      expect(text).toContain(from);
      return text.replace(from, to);
    };
    it.each([
      ["white space in a list", swap("9999,", "9999, ")],
      ["white space before a member", swap('"b"', ' "b"')],
      ["a duplicate member", swap('"b"', '"a"')],
      ["members out of order", swap('"c"', '"aa"')],
      ["an escaped name", swap('"b"', '"\\u0062"')],
      ["another spelling of a number", swap("9999,", "9999.0,")],
      ["a trailing comma", swap("19999]", "19999,]")],
      ["a missing comma", swap("9999,10000", "9999 10000")],
      ["a missing end", text.slice(0, -1)],
      ["text after the end", `${text}1`],
      ["another bracket", swap("19999]", "19999}")],
    ])("%s", (_name, wrong) => {
      expect(() => parseCanonicalJson(wrong)).toThrow();
    });

    it("but it is itself read", () => {
      const value = parseCanonicalJson(text);
      expect(canonicalJson(value)).toBe(text);
      expect(Object.getPrototypeOf((value as { readonly b: object }).b)).toBe(Object.prototype);
      const raw = text.replace("9999,", "9007199254740993,");
      expect(canonicalJson(parseCanonicalJson(raw))).toBe(raw);
    });
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

  it.each([
    '{"a":{"c":1,"b":2}}',
    '[{"b":[],"a":1}]',
    '{"9":1,"10":2}',
    '"\\ud800"',
    '{"\\udc00":1}',
    "[-0]",
  ])("refuses what the engine itself would write as it stands, or not at all: %s", (text) => {
    expect(() => parseCanonicalJson(text)).toThrow();
  });

  it.each([
    '{"10":2,"9":1}',
    '{"__proto__":1,"a":{}}',
    '"\\\\ud800"',
    '{"toJSON":"x"}',
    "[".repeat(200) + "]".repeat(200),
  ])("reads what needs a second look: %s", (text) => {
    expect(canonicalJson(parseCanonicalJson(text))).toBe(text);
  });

  it("refuses deep nesting without exhausting the stack", () => {
    expect(() => parseCanonicalJson("[".repeat(202) + "]".repeat(202))).toThrow();
    expect(() => parseCanonicalJson("[".repeat(100_000) + "]".repeat(100_000))).toThrow();
  });
});
