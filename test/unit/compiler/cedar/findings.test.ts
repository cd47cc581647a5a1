// Each text of test/data/cedar/findings.yaml gives exactly its findings, at exactly their places.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CEDAR_CODES, compileCedar } from "../../../../compiler/cedar/index.ts";
import type { CedarFinding } from "../../../../compiler/cedar/index.ts";
import { MODEL, leaf, server, text, whole } from "./model.ts";

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

  test("arise on each leaf by the types it has", () => {
    const leaves = [
      leaf("shop", "tool", "a", [["q", text, true]]),
      leaf("shop", "tool", "b", [["q", text, true]]),
      leaf("shop", "tool", "c", [["q", whole, true]]),
      leaf("shop", "tool", "d", [["q", text, false]]),
      leaf("shop", "tool", "e", []),
    ];
    const model = { ...MODEL, servers: [server("shop", "internal", [], leaves)] };
    const source = 'permit (principal, action, resource) when { context.arguments.q == "x" };';
    const { findings } = compileCedar({ sources: [{ file: "p.cedar", text: source }], generated: [], model });
    expect(findings.map((item) => [item.code, item.message])).toEqual([
      ["CEDAR_OPTIONAL_ATTRIBUTE", expect.stringContaining("d on shop")],
      ["CEDAR_TYPE", expect.stringContaining("String")],
      ["CEDAR_UNKNOWN_ATTRIBUTE", expect.stringContaining("e on shop")],
    ]);
  });

  test("have codes in order", () => {
    expect(Object.keys(CEDAR_CODES)).toEqual(Object.keys(CEDAR_CODES).toSorted());
  });
});
