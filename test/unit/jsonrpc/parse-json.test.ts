import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLIENT_JSON_LIMITS, UPSTREAM_JSON_LIMITS, parseStrict, parseStrictText } from "#mcp";
import { isRawNumber } from "#std";

const SEED = 20260728;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "accepted";
};

/** JSON values without the names and numbers that the strict parse treats differently. */
const plainName = fc
  .string({ unit: "grapheme" })
  .filter((name) => !["__proto__", "constructor", "prototype"].includes(name));
const jsonValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.string({ unit: "grapheme" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(plainName, tie("value"), { maxKeys: 6, noNullPrototype: true }),
  ),
})).value;

describe("parseStrict", () => {
  it.each([
    ["constructor", "accepted"],
    ["prototype", "accepted"],
    ["__proto__", "JSON_INVALID"],
    ["\\u005f_proto__", "JSON_INVALID"],
  ])("%s as a name: from a server %s, from a client never", (name, fromServer) => {
    const text = `{"a":[{"${name}":{"type":"string"}}]}`;
    expect(codeOf(() => parseStrictText(text, UPSTREAM_JSON_LIMITS))).toBe(fromServer);
    expect(codeOf(() => parseStrictText(text))).toBe("JSON_INVALID");
  });

  it("gives what JSON.parse gives for every ordinary document", () => {
    fc.assert(
      fc.property(jsonValue, fc.constantFrom(undefined, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseStrict(encode(text))).toEqual(JSON.parse(text));
        expect(JSON.stringify(parseStrictText(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 300, seed: SEED },
    );
  });

  it("accepts nothing that JSON.parse refuses, and what it accepts means the same", () => {
    const fragments = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "\\u0061",
      '"a"',
      '"a":',
      "1",
      "-0",
      "1e400",
      ".5",
      "null",
      "tru",
      " ",
      "\u0001",
      "é",
      "\\ud800",
    );
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 14 }), (parts) => {
        const text = parts.join("");
        let parsed: unknown;
        try {
          parsed = parseStrict(encode(text));
        } catch (error) {
          expect((error as { name: string }).name).toBe("AegisError");
          return;
        }
        const reference: unknown = JSON.parse(text);
        if (!/[\d]/.test(text)) expect(parsed).toEqual(reference);
      }),
      { numRuns: 3_000, seed: SEED },
    );
  });

  it("refuses every document in which one member was written twice, however it is escaped", () => {
    const escapeFirst = (name: string): string =>
      `\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${JSON.stringify(name.slice(1)).slice(1, -1)}`;
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme-ascii", minLength: 1 }),
        jsonValue,
        fc.boolean(),
        (name, value, nested) => {
          const twice = `{${JSON.stringify(name)}:${JSON.stringify(value)},"${escapeFirst(name)}":1}`;
          expect(codeOf(() => parseStrict(encode(nested ? `[{"x":${twice}}]` : twice)))).toBe("JSON_INVALID");
        },
      ),
      { numRuns: 200, seed: SEED },
    );
  });

  it("carries every number through to its serialisation without loss", () => {
    const digits = fc.stringMatching(/^-?(?:0|[1-9]\d{0,24})(?:\.\d{1,24})?(?:[eE][+-]?\d{1,3})?$/);
    fc.assert(
      fc.property(digits, (source) => {
        const value = parseStrict(encode(`[${source}]`)) as readonly unknown[];
        const written = JSON.stringify(value).slice(1, -1);
        if (isRawNumber(value[0])) expect(written).toBe(source);
        else expect(decimal(written)).toEqual(decimal(source));
      }),
      { numRuns: 2_000, seed: SEED },
    );
  });

  it.each([
    ["9007199254740993", true],
    ["9007199254740992", false],
    ["12345678901234567890", true],
    ["1e400", true],
    ["1E999999", true],
    ["1e-400", true],
    ["10.0000000000000001", true],
    ["-0", true],
    ["-0.0", true],
    ["0e5", false],
    ["1.0", false],
    ["1e2", false],
    ["0.1", false],
    ["-5", false],
    ["1.7976931348623157e308", false],
  ])("keeps %s as source text: %s", (source, raw) => {
    const [value] = parseStrict(encode(`[${source}]`)) as readonly unknown[];
    expect(isRawNumber(value)).toBe(raw);
  });

  it("bounds depth before building anything", () => {
    const nested = (depth: number): Uint8Array => encode("[".repeat(depth) + "]".repeat(depth));
    expect(codeOf(() => parseStrict(nested(32)))).toBe("accepted");
    expect(codeOf(() => parseStrict(nested(33)))).toBe("JSON_INVALID");
    const unbounded = { ...CLIENT_JSON_LIMITS, maxBytes: 10_000_000 };
    expect(codeOf(() => parseStrict(encode("[".repeat(5_000_000)), unbounded))).toBe("JSON_INVALID");
    expect(codeOf(() => parseStrict(nested(64), { ...CLIENT_JSON_LIMITS, maxDepth: 64 }))).toBe("accepted");
  });

  it("bounds bytes and members", () => {
    expect(codeOf(() => parseStrict(encode('{"a":"€"}'), { ...CLIENT_JSON_LIMITS, maxBytes: 10 }))).toBe(
      "MESSAGE_TOO_LARGE",
    );
    expect(codeOf(() => parseStrictText('{"a":"€"}', { ...CLIENT_JSON_LIMITS, maxBytes: 10 }))).toBe(
      "MESSAGE_TOO_LARGE",
    );
    expect(codeOf(() => parseStrictText('{"a":"€"}', { ...CLIENT_JSON_LIMITS, maxBytes: 11 }))).toBe(
      "accepted",
    );
    const members = `[${Array.from({ length: 3 }, () => '{"k":1}').join(",")}]`;
    expect(codeOf(() => parseStrict(encode(members), { ...CLIENT_JSON_LIMITS, maxMembers: 3 }))).toBe(
      "accepted",
    );
    expect(codeOf(() => parseStrict(encode(members), { ...CLIENT_JSON_LIMITS, maxMembers: 2 }))).toBe(
      "MESSAGE_TOO_LARGE",
    );
  });

  it("does not take a colon, brace or quote within a string for structure", () => {
    const text = '{"a:{[":"b\\\\","c\\"":"\\\\\\":{","d":["}",":"]}';
    expect(parseStrict(encode(text))).toEqual(JSON.parse(text));
  });

  it("refuses a lone surrogate in decoded text as well", () => {
    expect(codeOf(() => parseStrictText('"\ud800"'))).toBe("JSON_INVALID");
  });

  it("counts the members of each object on its own", () => {
    const limits = { ...CLIENT_JSON_LIMITS, maxObjectMembers: 2 };
    const parsed = (text: string): string => codeOf(() => parseStrict(encode(text), limits));
    expect(parsed('[{"a":1,"b":{"c":1,"d":1}},{"a":1,"b":2}]')).toBe("accepted");
    expect(parsed('{"a":{"a":1,"b":2},"b":{"a":1,"b":2},"c":1}')).toBe("MESSAGE_TOO_LARGE");
    expect(parsed('{"a":{"a":1,"b":2,"c":3}}')).toBe("MESSAGE_TOO_LARGE");
  });

  it("takes only so many numbers that a double cannot carry: each is costly", () => {
    const numbers = (count: number): Uint8Array => encode(`[${Array(count).fill("1e999").join()}]`);
    expect(codeOf(() => parseStrict(numbers(1_000)))).toBe("accepted");
    expect(codeOf(() => parseStrict(numbers(1_001)))).toBe("MESSAGE_TOO_LARGE");
  });

  it("never leaves the prototype of a value changed", () => {
    expect(codeOf(() => parseStrict(encode('{"a":{"__proto__":null}}')))).toBe("JSON_INVALID");
    expect(Object.getPrototypeOf(parseStrict(encode('{"proto":1}')))).toBe(Object.prototype);
  });
});

/** Sign, digits and exponent of a decimal, with zeros moved into the exponent. */
function decimal(source: string): unknown {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  const fraction = match?.[3] ?? "";
  let digits = BigInt((match?.[2] ?? "") + fraction);
  let exponent = 0 + Number(match?.[4] ?? "0") - fraction.length;
  if (digits === 0n) return { sign: match?.[1], digits, exponent: 0 };
  while (digits % 10n === 0n) {
    digits /= 10n;
    exponent++;
  }
  return { sign: match?.[1], digits, exponent };
}
