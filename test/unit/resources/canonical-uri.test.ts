// One spelling for each resource, and patterns that hold for exactly what they say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";
import { compileMatcher } from "#facts";
import {
  canonicalSpelling,
  createResourceIndex,
  expandPattern,
  isCanonicalUri,
  patternFault,
  patternRegex,
  uriFault,
} from "#resources";
import type { LeafEntry } from "#bundle";

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../data/resources-uris.yaml"), "utf8"),
) as readonly (readonly [uri: string, fault: string])[];

test.each(CASES)("%j: %s", (uri, fault) => {
  expect(uriFault(uri) ?? "ok").toBe(fault);
});

const segment = fc.constantFrom(
  "a",
  "B",
  "..",
  ".",
  "",
  "%2e",
  "%2E%2e",
  "é",
  "%C3%A9",
  "a%20b",
  "x*",
  "~",
  "a;b",
);

test("what is canonical means the same to a URL parser", () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
      const uri = `https://host.example/${segments.join("/")}`;
      if (!isCanonicalUri(uri)) return;
      const parsed = new URL(uri);
      // Only letters outside ASCII are escaped by the parser.
      expect(decodeURIComponent(parsed.pathname)).toBe(
        decodeURIComponent(uri.slice("https://host.example".length)),
      );
    }),
    { numRuns: 2_000, seed: 7 },
  );
});

describe("patterns", () => {
  const matches = (pattern: string, uri: string): boolean => compileMatcher(patternRegex(pattern))(uri);

  it.each([
    ["file:///a/*", "file:///a/b", true],
    ["file:///a/*", "file:///a/", true],
    ["file:///a/*", "file:///a/b/c", false],
    ["file:///a/*", "file:///ab", false],
    ["file:///a/*", "xfile:///a/b", false],
    ["file:///a/*", "file:///a/b?c", false],
    ["file:///a/**", "file:///a/b/c?d", true],
    ["/a/*.md", "file:///a/x.md", true],
    ["/a/*.md", "file:///a/xmd", false],
    ["/a/%C3%A9*", "file:///a/%C3%A91", true],
    ["/a/team+hr/**", "file:///a/team+hr/x", true],
    ["/a/team%2Bhr/**", "file:///a/team+hr/x", true],
    ["/a/%2A*", "file:///a/*b", true],
    ["/a/%2A*", "file:///a/b", false],
    ["/a/é*", "file:///a/%C3%A91", true],
    ["jira://*/x", "jira://a/x", true],
  ])("%s on %s: %s", (pattern, uri, expected) => {
    expect(patternFault(pattern)).toBeUndefined();
    expect(matches(pattern, uri)).toBe(expected);
  });

  it.each(["*://a", "https://*.example.com/a", "file:///a/../*", "a/*", "file:///*#x", "https://a*/b"])(
    "refuses %s",
    (pattern) => {
      expect(patternFault(pattern)).toBeDefined();
    },
  );

  it("takes what has no star literally", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 20 }), (text) => {
        const pattern = `file:///${text.replaceAll("*", "")}`;
        const uri = canonicalSpelling(expandPattern(pattern));
        expect(matches(pattern, uri)).toBe(true);
        expect(matches(pattern, `${uri}x`)).toBe(false);
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe("index", () => {
  const leaf = (kind: LeafEntry["kind"], name: string): LeafEntry => ({
    ...{ action: `resources/read:s/${name}`, kind, name, definitions: [], paramHeaders: [] },
    argumentsProgram: { nodes: [{ always: true }], root: 0 },
  });
  const index = createResourceIndex([
    leaf("resource", "file:///a/x"),
    leaf("resource-template", "file:///t/{id}"),
    leaf("resource-rule", "file:///**"),
    leaf("resource-rule", "file:///a/**"),
    leaf("resource-rule", "file:///a/b/*"),
  ]);

  it("takes a pinned name in its own spelling and in the canonical one, and no other", () => {
    const pinned = createResourceIndex([
      leaf("resource", "file:///é%2Bx"),
      leaf("resource-rule", "file:///**"),
    ]);
    for (const uri of ["file:///é%2Bx", "file:///%C3%A9+x"]) {
      expect(pinned.faultOf(uri)).toBeUndefined();
      expect(pinned.leafOf(uri)?.name).toBe("file:///é%2Bx");
    }
    for (const uri of ["file:///é+x", "file:///%C3%A9%2Bx", "file:///é"])
      expect(pinned.faultOf(uri)).toBeDefined();
    expect(createResourceIndex([leaf("resource", "file:///a/../b")]).faultOf("file:///a/../b")).toBeDefined();
  });

  it.each([
    ["file:///a/x", "file:///a/x"],
    ["file:///t/1", "file:///t/{id}"],
    ["file:///a/b/c", "file:///a/b/*"],
    ["file:///a/b/c/d", "file:///a/**"],
    ["file:///z", "file:///**"],
    ["https://z/", undefined],
  ])("%s is %s", (uri, name) => {
    expect(index.leafOf(uri)?.name).toBe(name);
  });
});
