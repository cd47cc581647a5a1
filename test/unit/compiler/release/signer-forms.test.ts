// Command lines as they are split without a shell, and signatures in every form a program may print them in.
import { createSign, generateKeyPairSync, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitCommand } from "../../../../compiler/release/index.ts";
import { decodeSignature } from "../../../../compiler/release/signature-forms.ts";

describe("a command line", () => {
  it.each([
    ["kms-sign", ["kms-sign"]],
    ["  kms-sign \t --key  a ", ["kms-sign", "--key", "a"]],
    ["sign 'a b' \"c d\" e\\ f", ["sign", "a b", "c d", "e f"]],
    ["sign --key='a b'c", ["sign", "--key=a bc"]],
    ["sign '' \"\"", ["sign", "", ""]],
    [String.raw`sign "say \"no\" \\ \n" '\"'`, ["sign", String.raw`say "no" \ \n`, String.raw`\"`]],
    ["sign $HOME `id` $(id) a;b|c&d>e *", ["sign", "$HOME", "`id`", "$(id)", "a;b|c&d>e", "*"]],
    ["sign 'über' 🔑", ["sign", "über", "🔑"]],
  ])("%s", (text, words) => {
    expect(splitCommand(text)).toEqual(words);
  });

  it.each(["", "   ", "'' a", "sign 'a", 'sign "a', "sign a\\", "a\0b", "x".repeat(20_000)])(
    "is refused: %j",
    (text) => {
      expect(() => splitCommand(text)).toThrow("the signer command cannot be read");
    },
  );

  it("gives back any words that were quoted", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 6 }), (words) => {
        fc.pre(words[0] !== "" && words.every((word) => !word.includes("\0")));
        const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
        expect(splitCommand(quoted)).toEqual(words);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});

describe("a signature", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

  it("in DER verifies once it is in the form of JWS, whatever the lengths of r and s", () => {
    for (let index = 0; index < 300; index++) {
      const input = Buffer.from(`message ${index}`);
      const der = createSign("sha256").update(input).sign(privateKey);
      for (const output of [
        der,
        Buffer.from(der.toString("base64")),
        Buffer.from(`${der.toString("base64url")}\n`),
      ]) {
        const signature = decodeSignature(output, "ES256");
        expect(signature).toHaveLength(64);
        expect(
          verify("sha256", input, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature ?? Buffer.of()),
        ).toBe(true);
      }
    }
  });

  it("with a short r or s is filled up from the left", () => {
    const der = Buffer.from([0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x80]);
    const expected = new Uint8Array(64);
    expected[31] = 5;
    expected[63] = 0x80;
    expect(decodeSignature(der, "ES256")).toEqual(expected);
  });

  it.each([
    ["nothing", Buffer.of()],
    ["63 octets", Buffer.alloc(63, 0xff)],
    ["65 octets", Buffer.alloc(65, 0xff)],
    ["DER that ends early", Buffer.from("300702010502020080".slice(0, 16), "hex")],
    ["DER with something after it", Buffer.from("30070201050202008000", "hex")],
    ["DER with one integer", Buffer.from("3003020105", "hex")],
    [
      "DER with an integer of 33 digits",
      Buffer.concat([Buffer.from("30260221", "hex"), Buffer.alloc(33, 1), Buffer.from("020105", "hex")]),
    ],
    ["DER with an empty integer", Buffer.from("300502000201050000", "hex")],
    ["another tag", Buffer.from("310702010502020080", "hex")],
  ])("that is %s is none", (_name, output) => {
    expect(decodeSignature(output, "ES256")).toBeUndefined();
  });

  it("in DER is none for Ed25519", () => {
    const der = createSign("sha256").update("x").sign(privateKey);
    expect(decodeSignature(der, "Ed25519")).toBeUndefined();
  });

  it("of any bytes is 64 octets or none, and never a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isDer) => {
        const output = isDer ? Uint8Array.of(0x30, bytes.length & 0x7f, ...bytes) : bytes;
        for (const alg of ["Ed25519", "ES256"] as const) {
          const signature = decodeSignature(output, alg);
          expect(signature === undefined || signature.length === 64).toBe(true);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});
