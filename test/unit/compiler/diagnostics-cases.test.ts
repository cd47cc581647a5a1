// Every case of test/data/compile gives exactly the diagnostics of its expected.json, and every code has a case.
// AEGIS_UPDATE_CASES=1 writes what is found; review the difference.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DIAGNOSTIC_CODES, compile } from "#compiler";
import { CASES_DIR, caseNames, caseProject } from "./case-project.ts";

const EXPECTED = "expected.json";

/** Codes that no repository content can cause, or that have their own tests beside the part that reports them. */
const TESTED_ELSEWHERE: ReadonlySet<string> = new Set(["BUNDLE_REFUSED", "POLICY_FAN_OUT", "SOURCE_UNSAFE"]);

async function found(name: string): Promise<string> {
  const { workspace } = caseProject(name);
  const { diagnostics, bundle } = await compile({ dir: name, workspace });
  expect(bundle === undefined).toBe(diagnostics.some((item) => item.severity === "error"));
  return `${JSON.stringify(diagnostics, undefined, 2)}\n`;
}

describe("cases", () => {
  test.each(caseNames())("%s", async (name) => {
    const path = join(CASES_DIR, name, EXPECTED);
    const text = await found(name);
    if (process.env["AEGIS_UPDATE_CASES"] === "1") writeFileSync(path, text);
    expect(existsSync(path), "expected.json exists").toBe(true);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
});

test("every code of the compiler's own phases has a case", () => {
  const shown = new Set<string>();
  for (const name of caseNames()) {
    const items = JSON.parse(readFileSync(join(CASES_DIR, name, EXPECTED), "utf8")) as {
      readonly code: string;
    }[];
    for (const { code } of items) shown.add(code);
  }
  const own = Object.keys(DIAGNOSTIC_CODES).filter((code) => !/^(?:CEDAR|SCHEMA)_/u.test(code));
  expect(own.filter((code) => !shown.has(code) && !TESTED_ELSEWHERE.has(code))).toEqual([]);
});
