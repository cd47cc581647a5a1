// No attack of the catalogue is without a case or a test, no case is without an attack, and the documentation lists them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readCaseFile } from "./case-file.ts";
import { readScriptFile } from "./script-file.ts";

interface Threat {
  readonly id: string;
  readonly title: string;
  readonly tests?: readonly { readonly file: string; readonly test: string }[];
}

const ROOT = join(import.meta.dirname, "..", "..");
const DATA = join(ROOT, "test", "data", "attack");
const read = (file: string): string => readFileSync(file, "utf8");
const { threats } = parse(read(join(DATA, "threats.yaml"))) as { threats: readonly Threat[] };
const upstream = parse(read(join(DATA, "upstream.yaml"))) as { cases: readonly { id: string }[] };
const cases = [
  ...readCaseFile(join(DATA, "http.yaml")).cases,
  ...readCaseFile(join(DATA, "json.yaml")).cases,
  ...readScriptFile(join(DATA, "scripts.yaml")).scripts,
  ...upstream.cases,
].map(({ id }) => id);
const threatOf = (id: string): string => id.slice(0, 3);

it("the catalogue is T01 to T38 and J01 to J16", () => {
  const numbered = (letter: string, last: number): readonly string[] =>
    Array.from({ length: last }, (_, at) => `${letter}${String(at + 1).padStart(2, "0")}`);
  expect(threats.map(({ id }) => id)).toEqual([...numbered("T", 38), ...numbered("J", 16)]);
});

describe.each(threats)("$id $title", ({ id, tests = [] }) => {
  it("is attacked", () => {
    expect(cases.filter((one) => threatOf(one) === id).length).toBeGreaterThan(0);
  });

  it("is documented", () => {
    expect(read(join(ROOT, "docs", "attack-corpus.md"))).toContain(`| ${id} |`);
  });

  it.each(tests)("is tested in $file: $test", ({ file, test }) => {
    expect(read(join(ROOT, file))).toContain(test);
  });
});

it("every case has an id of its own, and belongs to an attack", () => {
  expect(new Set(cases).size).toBe(cases.length);
  // T00: the well-formed requests that the others differ from.
  const known = new Set(["T00", ...threats.map(({ id }) => id)]);
  expect(cases.filter((id) => !known.has(threatOf(id)))).toEqual([]);
});
