// Each text of test/data/cedar/findings.yaml gives exactly its findings, at exactly their places.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CEDAR_CODES, compileCedar } from "../../../../compiler/cedar/index.ts";
import type { CedarFinding } from "../../../../compiler/cedar/index.ts";
import { MODEL } from "./model.ts";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly expect: readonly string[];
}

const cases = parse(
  readFileSync(new URL("../../../data/cedar/findings.yaml", import.meta.url), "utf8"),
) as readonly Case[];

function compile(text: string): readonly CedarFinding[] {
  return compileCedar({ sources: [{ file: "p.cedar", text }], generated: [], model: MODEL }).findings;
}

function place(item: CedarFinding): string {
  const end = `${String(item.endLine)}:${String(item.endColumn)}`;
  return `${item.severity} ${item.code} ${String(item.line)}:${String(item.column)}-${end}`;
}

describe("findings", () => {
  test.each(cases)("$name", ({ text, expect: expected }) => {
    const found = compile(text);
    expect(found.map(place)).toEqual(expected.map((line) => line.split(" ").slice(0, 3).join(" ")));
    for (const [index, item] of found.entries()) {
      const part = (expected[index] ?? "").split(" ").slice(3).join(" ");
      expect(item.message).toContain(part);
      expect(item.file).toBe("p.cedar");
    }
  });

  test("offer a correction", () => {
    const [first] = compile('permit (principal in Role::"Develper", action, resource);');
    expect(first?.help).toBe('Did you mean "Developer"?');
    const [second] = compile('forbid (principal, action, resource) when { principal.department like "*" };');
    expect(second?.help).toBe("Test it first: `principal has department && …`.");
  });

  test("have codes in order", () => {
    expect(Object.keys(CEDAR_CODES)).toEqual(Object.keys(CEDAR_CODES).toSorted());
  });
});
