// Every operator: its mutants survive a suite that looks elsewhere, and the tests that are suggested kill them.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSeq, parse, parseDocument } from "yaml";
import { describe, expect, test } from "vitest";
import { runMutants } from "#mutation";
import type { MutationReport } from "#mutation";
import { runSuites } from "#policy-test";
import type { JsonObject } from "#std";
import { CEDAR, compiled, knownCall, shop, WEAK_SUITE, YAML } from "./shop.ts";

const DATA = join(import.meta.dirname, "../../../data/mutation");

interface Case {
  readonly name: string;
  readonly cedar?: string;
  readonly yaml?: string;
  /** A call that the policies allow, where a search would not find one by itself. */
  readonly known?: JsonObject;
  /** `status line:column description` of every mutant. A trailing ` (no call)` says that none was found. */
  readonly mutants: readonly string[];
}

function linesOf({ mutants }: MutationReport): readonly string[] {
  return mutants.map(({ at, description, status, witness }) => {
    const found = status === "survived" && witness === undefined ? " (no call)" : "";
    return `${status} ${at.line}:${at.column} ${description}${found}`;
  });
}

async function mutate(
  files: Readonly<Record<string, string>>,
): Promise<{ readonly report: MutationReport; readonly failed: number }> {
  const workspace = shop(files);
  const result = await compiled(workspace);
  const { failed } = await runSuites(result);
  return { report: await runMutants(result, { source: { dir: "memory", workspace } }), failed };
}

for (const file of readdirSync(DATA).sort()) {
  const path = join(DATA, file);
  describe(file, () => {
    const cases = parse(readFileSync(path, "utf8")) as readonly Case[];
    test.each(cases)("$name", async ({ name, cedar, yaml, known, mutants }) => {
      const policies = {
        ...(cedar === undefined ? {} : { [CEDAR]: cedar }),
        ...(yaml === undefined ? {} : { [YAML]: yaml }),
        ...(known === undefined ? {} : { "tests/known_test.yaml": knownCall(known) }),
      };
      const { report } = await mutate({ ...policies, "tests/weak_test.yaml": WEAK_SUITE });
      const lines = linesOf(report);
      if (process.env["AEGIS_UPDATE_CASES"] === "1") return void update(path, name, lines);
      expect(lines).toEqual(mutants);

      const suggested = report.mutants
        .flatMap(({ witness }) => witness?.test ?? [])
        .filter((text) => text !== "");
      const suites = Object.fromEntries(
        [...new Set(suggested)].map((text, index) => [`tests/suggested-${index}_test.yaml`, text]),
      );
      const again = await mutate({ ...policies, "tests/weak_test.yaml": WEAK_SUITE, ...suites });
      expect(again.failed).toBe(0);
      const unkilled = linesOf(again.report).filter((line) => line.startsWith("survived"));
      expect(unkilled).toEqual(lines.filter((line) => line.endsWith("(no call)")));
    });
  });
}

function update(path: string, name: string, lines: readonly string[]): void {
  const document = parseDocument(readFileSync(path, "utf8"));
  const { contents } = document;
  if (!isSeq(contents)) throw new Error("a list of cases is expected");
  const index = contents.items.findIndex((_item, at) => document.getIn([at, "name"]) === name);
  document.setIn([index, "mutants"], lines);
  writeFileSync(path, document.toString({ lineWidth: 0 }));
}
