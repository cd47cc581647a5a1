// A hostile pull request gets diagnostics: it cannot crash, hang or exhaust the compiler.
import { describe, expect, test } from "vitest";
import { compile, memoryWorkspace } from "#compiler";
import { baseFiles } from "./case-project.ts";

const NEARLY_THE_CAP = 256 * 1024 - 64;
/** Far above what any of these takes; the cap on files exists because the parser is quadratic. */
const LIMIT_MS = 10_000;

function filled(unit: string, bytes = NEARLY_THE_CAP): string {
  return unit.repeat(Math.floor(bytes / unit.length));
}

function staircase(levels: number): string {
  return Array.from({ length: levels }, (_, level) => `${" ".repeat(level)}a:\n`).join("");
}

const ALIASES = Array.from(
  { length: 30 },
  (_, level) => `a${level}: &a${level} [*a${level - 1}, *a${level - 1}]`,
);

const FILES: Readonly<Record<string, string>> = {
  "open brackets": filled("["),
  "open braces": filled("{"),
  "nested sequences": filled("- "),
  "nested maps": staircase(1_400),
  "nested keys": filled("? "),
  "empty scalars": filled('"'),
  "alias bomb": `a0: &a0 [x]\n${ALIASES.slice(1).join("\n")}\n`,
  "empty scalars under the token cap": filled('"', 59_000),
  "many duplicate keys": filled("a: 1\n", 60_000),
  "many keys": Array.from({ length: 18_000 }, (_, index) => `k${index}: 1`).join("\n"),
  "URL heads": `# ${filled("a.")}`,
  "token heads": `# ${filled("-eyJ")}`,
  "key heads": `# ${filled("-----BEGIN A ")}`,
  "one long word": `# ${filled("x")}`,
  "prototype keys": "__proto__: { allow: 1 }\nconstructor: {}\n",
  "deny prototype":
    "constraints: { __proto__: { operations: [SELECT] }, toString: { operations: [SELECT] } }\n",
  NUL: "deny: \u0000\n",
};

describe("a hostile policy", () => {
  test.each(Object.entries(FILES))(
    "%s",
    async (_name, text) => {
      const files = baseFiles();
      files.set("policies/hostile.yaml", text);
      const startedMs = performance.now();
      const { diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
      expect(performance.now() - startedMs).toBeLessThan(LIMIT_MS);
      expect(
        diagnostics.some((item) => item.file === "policies/hostile.yaml" && item.severity === "error"),
      ).toBe(true);
    },
    3 * LIMIT_MS,
  );
});

test("parsing stops after a number of faulty documents", async () => {
  const files = baseFiles();
  for (let index = 0; index < 200; index += 1) files.set(`policies/p${index}.yaml`, filled('"', 20_000));
  const startedMs = performance.now();
  const { diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
  expect(performance.now() - startedMs).toBeLessThan(3 * LIMIT_MS);
  expect(
    diagnostics.filter((item) => item.code === "SOURCE_LIMIT" && item.file.startsWith("policies/")),
  ).toHaveLength(192);
}, 90_000);

test("hostile pins are a diagnostic", async () => {
  for (const text of [
    filled("["),
    '{"formatVersion":1,"server":"jira","tools":[{}]}',
    "null",
    '"x"',
    "{",
    "\ufeff{}",
  ]) {
    const files = baseFiles();
    files.set("registry/pins/jira.json", text);
    const { bundle, diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
    expect(bundle).toBeUndefined();
    expect(diagnostics.some((item) => item.code === "PIN_INVALID")).toBe(true);
  }
});
