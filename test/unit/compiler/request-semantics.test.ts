// What policies over resources, methods and request facts mean, decided by the evaluator the gateway uses. The cases are
// data: test/data/semantics.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compile, memoryWorkspace } from "#compiler";
import { createEvaluator } from "#pdp";
import { decideCall } from "#policy-test";
import { baseFiles } from "./case-project.ts";

interface SemanticsFile {
  readonly about: string;
  /** Files added to the base repository. */
  readonly files: Readonly<Record<string, string>>;
  /** A test suite without tests: principals and calls. */
  readonly suite: string;
  readonly cases: readonly {
    readonly about: string;
    readonly files?: Readonly<Record<string, string>>;
    /** `<principal> <call>` of every cell that is allowed. */
    readonly allowed: readonly string[];
  }[];
}

const DIRECTORY = join(import.meta.dirname, "../../data/semantics");

async function allowedCells(
  files: Readonly<Record<string, string>>,
  suite: string,
): Promise<readonly string[]> {
  const all = baseFiles();
  const fixtures = parse(suite) as { readonly principals?: object; readonly calls?: object };
  const principals = Object.keys(fixtures.principals ?? {});
  const calls = Object.keys(fixtures.calls ?? {});
  const matrix = `matrix: { principals: [${principals.join(", ")}], calls: [${calls.join(", ")}] }`;
  all.set("tests/base_test.yaml", `${suite}\ntests:\n  - name: t\n    ${matrix}\n`);
  for (const [name, text] of Object.entries(files)) all.set(name, text);
  const { content, diagnostics, model } = await compile({ dir: "memory", workspace: memoryWorkspace(all) });
  expect(diagnostics.filter((item) => item.severity === "error")).toEqual([]);
  if (content === undefined) throw new Error("no content");
  const evaluator = await createEvaluator(content);
  const allowed: string[] = [];
  try {
    for (const item of model.suites.flatMap((each) => each.tests)) {
      if (item.kind !== "matrix") continue;
      for (const principal of item.principals) {
        for (const call of item.calls) {
          const verdict = await decideCall(evaluator, principal, call.action, call.arguments);
          if (verdict.effect === "allow") allowed.push(`${principal.name} ${call.name}`);
        }
      }
    }
  } finally {
    evaluator.dispose();
  }
  return allowed.sort();
}

for (const name of readdirSync(DIRECTORY).sort()) {
  const file = parse(readFileSync(join(DIRECTORY, name), "utf8")) as SemanticsFile;
  describe(file.about, () => {
    test.each(file.cases.map((item) => [item.about, item] as const))("%s", async (_about, item) => {
      const cells = await allowedCells({ ...file.files, ...item.files }, file.suite);
      expect(cells).toEqual([...item.allowed].sort());
    });
  });
}
