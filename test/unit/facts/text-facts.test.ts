// URL, path and e-mail facts: tables of cases, and properties against the parsers of Node.
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";
import {
  UNKNOWN_EMAIL,
  UNKNOWN_PATH,
  UNKNOWN_URL,
  codePoints,
  readEmail,
  readPath,
  readUrl,
  textFact,
} from "#facts";
import type { JsonObject } from "#std";

type Case = readonly [text: string, expected: JsonObject | false];

function table(name: string): readonly Case[] {
  const text = readFileSync(join(import.meta.dirname, `../../data/facts/${name}.yaml`), "utf8");
  return parse(text) as readonly Case[];
}

const READERS = [
  ["url", readUrl, UNKNOWN_URL],
  ["path", readPath, UNKNOWN_PATH],
  ["email", readEmail, UNKNOWN_EMAIL],
] as const;

describe.each(READERS)("%s", (name, read, unknown) => {
  test.each(table(name))("%j", (text, expected) => {
    const facts = read(text);
    if (expected === false) expect(facts).toEqual(unknown);
    else expect(facts).toMatchObject({ ok: true, ...expected });
  });

  it("never throws, and always gives the same members", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(..."/\\.:@%[]~ab0C\0 -x２é"), maxLength: 40 }),
    );
    const members = Object.keys(unknown);
    fc.assert(
      fc.property(text, (input) => {
        const facts = read(input);
        expect(Object.keys(facts)).toEqual(members);
        if (!facts.ok) expect(facts).toEqual(unknown);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

const SEGMENT = fc.constantFrom("a", "b", "..", ".", "", "c.txt", "é", "%2e", "..a", "a..", "~", "x y");

it("resolves a path as POSIX does, and never leads out of where it starts", () => {
  fc.assert(
    fc.property(fc.array(SEGMENT, { maxLength: 8 }), fc.boolean(), (segments, absolute) => {
      const text = `${absolute ? "/" : ""}${segments.join("/")}`;
      const { ok, normalized } = readPath(text);
      if (!ok) return;
      expect(normalized).toBe(posix.normalize(text).replace(/(?<=.)\/$/, ""));
      expect(normalized.split("/")).not.toContain("..");
      const inside = posix.resolve("/base/dir", `./${normalized}`);
      expect(inside === "/base/dir" || inside.startsWith("/base/dir/")).toBe(true);
    }),
    { numRuns: 1000, seed: 11 },
  );
});

it("names the host that a WHATWG parser connects to", () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4Extended(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.string({ unit: fc.constantFrom(..."aB0.-x%@:[]①。é"), minLength: 1, maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.constantFrom("http", "https", "ws", "ftp"), host, (scheme, name) => {
      const text = `${scheme}://${name}/p`;
      const facts = readUrl(text);
      if (!facts.ok) return;
      const expected = new URL(text).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
      expect(facts.host).toBe(expected);
    }),
    { numRuns: 1000, seed: 13 },
  );
});

it("counts code points, and elements with duplicates", () => {
  expect(codePoints("a😀é")).toBe([..."a😀é"].length);
  expect(codePoints("\ud83d")).toBe(1);
  expect(textFact("count", ["a", "a"])).toEqual({ ok: true, fact: 2 });
  expect(textFact("lower", "ÀB")).toEqual({ ok: true, fact: "àb" });
});

it("gives the fact of nothing for what is absent or of another type", () => {
  for (const value of [undefined, null, 5, true, {}] as const) {
    expect(textFact("url", value)).toEqual({ ok: true, fact: { ...UNKNOWN_URL } });
    expect(textFact("length", value)).toEqual({ ok: true, fact: 0 });
    expect(textFact("count", value)).toEqual({ ok: true, fact: 0 });
  }
});

it("refuses what is too long to be judged, but not to be measured", () => {
  const long = "a".repeat(65_537);
  for (const kind of ["url", "path", "email", "lower"] as const)
    expect(textFact(kind, long)).toEqual({ ok: false });
  expect(textFact("length", long)).toEqual({ ok: true, fact: 65_537 });
});
