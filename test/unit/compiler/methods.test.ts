// The methods of the dialect in Cedar policies, decided by the compiled bundle, and what they must not hide.
import { describe, expect, test } from "vitest";
import type { JsonObject } from "#std";
import { ONE_TOOL, callTool, compileTool } from "./one-tool.ts";

const PROPERTIES: JsonObject = {
  s: { type: "string" },
  n: { type: "integer" },
  l: { type: "array", items: { type: "string" } },
  o: { type: "object", properties: { u: { type: "string" } }, required: ["u"] },
};

function permit(condition: string): Promise<Awaited<ReturnType<typeof compileTool>>> {
  const text = `permit (principal, action == Action::"tools/call:one/${ONE_TOOL}", resource)\nwhen { ${condition} };\n`;
  return compileTool({ properties: PROPERTIES, required: ["s"], sql: "s" }, { "policies/p.cedar": text });
}

const DECISIONS: readonly (readonly [
  condition: string,
  allow: readonly JsonObject[],
  deny: readonly JsonObject[],
])[] = [
  ["context.arguments.s.length() == 2", [{ s: "ab" }, { s: "😀é" }], [{ s: "a" }]],
  ['context.arguments["s"].lower() == "ab"', [{ s: "aB" }], [{ s: "abc" }]],
  [
    "context.arguments has l && context.arguments.l.count() >= 2",
    [{ s: "", l: ["a", "a"] }],
    [{ s: "", l: ["a"] }, { s: "" }],
  ],
  ['context.arguments.s.url().host == "a.example"', [{ s: "https://A.example/" }], [{ s: "x" }]],
  [
    "!context.arguments.s.url().isPrivate",
    [{ s: "https://a.example/" }],
    [{ s: "http://127.1/" }, { s: "x" }],
  ],
  [
    'context.arguments has o && context.arguments.o.u.path().normalized like "/a/*"',
    [{ s: "", o: { u: "/a/b" } }],
    [{ s: "", o: { u: "/a/../b" } }, { s: "" }],
  ],
  [
    'context.arguments.s.email() == {ok: true, local: "a", domain: "b.example"}',
    [{ s: "a@B.example" }],
    [{ s: "a@c.example" }],
  ],
  ['context.arguments.s.sql().operations == ["SELECT"]', [{ s: "select 1" }], [{ s: "delete from t" }]],
  ["resource.labels.count() == 0 && resource.tier.length() == 8", [{ s: "" }], []],
  [
    `context.target.length() == ${String(ONE_TOOL.length)} && context.target.path().extension == "tool"`,
    [{ s: "" }],
    [],
  ],
  ["context.target.url().ok", [], [{ s: "" }]],
  [
    "if context.arguments.s.length() > 1 then context.arguments.s.url().ok else false",
    [{ s: "https://a.b/" }],
    [{ s: "ab" }, { s: "" }],
  ],
];

describe("methods", () => {
  test.each(DECISIONS)("%s", async (condition, allow, deny) => {
    const { content, diagnostics } = await permit(condition);
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    const verdicts = await callTool(content, [...allow, ...deny]);
    expect(verdicts.map(({ effect }) => effect)).toEqual([
      ...allow.map(() => "allow"),
      ...deny.map(() => "deny"),
    ]);
    expect(verdicts.flatMap(({ errors }) => errors)).toEqual([]);
  });
});

const FAULTS: readonly (readonly [condition: string, found: string])[] = [
  ["context.arguments.l.count() > 1", "CEDAR_OPTIONAL_ATTRIBUTE 2:8-35"],
  ["context.arguments.s.count() > 1", "CEDAR_TYPE 2:8-35"],
  ["context.arguments has n && context.arguments.n.length() > 1", "CEDAR_TYPE 2:35-54"],
  ["context.arguments.sx.length() > 1", "CEDAR_UNKNOWN_ATTRIBUTE 2:8-28"],
  ['context.arguments.s.length() == "a"', "CEDAR_TYPE 2:8-43"],
  ["context.arguments.s.url()", "CEDAR_TYPE 2:8-33"],
  ["context._d.l_00 == 1", "CEDAR_RESERVED_NAME 2:16-18"],
];

describe("faults of methods are found where they stand", () => {
  test.each(FAULTS)("%s", async (condition, expected) => {
    const { diagnostics } = await permit(condition);
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    const shown = errors.map(
      ({ code, line, column, endColumn }) => `${code} ${String(line)}:${String(column)}-${String(endColumn)}`,
    );
    expect(shown).toEqual([expected]);
  });
});

test("a text that is too long to be judged is refused", async () => {
  const { content } = await permit("!context.arguments.s.url().ok");
  const [verdict] = await callTool(content, [{ s: "a".repeat(65_537) }]);
  expect(verdict).toMatchObject({ effect: "deny", refusal: { code: "ARGUMENTS_NOT_REPRESENTABLE" } });
});
