// aegis test --coverage: the table, the tracefile and the gate.
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const TEMPLATE = join(import.meta.dirname, "../../../policy-repo-template");
let repo = "";

beforeAll(async () => {
  repo = await mkdtemp(join(tmpdir(), "aegis-coverage-"));
  await cp(TEMPLATE, repo, { recursive: true });
});

afterAll(async () => {
  await rm(repo, { recursive: true, force: true });
});

test("the template is covered: a gate of 100 passes, and the tracefile is written", async () => {
  const file = join(repo, "lcov.info");
  const run = await runCommand(repo, "test", "--min-coverage", "100", "--coverage-out", file);
  expect(run).toMatchObject({ exitCode: 0, err: "" });
  expect(run.out).toMatch(/all policies +(\d+)\/\1 +(\d+)\/\2 +100 %/u);
  expect(run.out).not.toContain("Not covered");
  expect(await readFile(file, "utf8")).toMatch(
    /^TN:aegis\nSF:policies\/baseline\.yaml\n[^]*end_of_record\n$/u,
  );
});

test("below the gate: exit 4 with the number; JSON is one document; without the option nothing is counted", async () => {
  const file = join(repo, "tests/access_test.yaml");
  const before = await readFile(file, "utf8");
  await writeFile(file, before.slice(0, before.indexOf("  - name: nothing else")));
  const run = await runCommand(repo, "test", "--min-coverage", "90", "--format", "json");
  expect(run).toMatchObject({
    exitCode: 4,
    err: "coverage 83.3 % (10 of 12 clause outcomes) is below --min-coverage 90\n",
  });
  expect(JSON.parse(run.out)).toMatchObject({
    formatVersion: 1,
    coverage: {
      outcomes: { covered: 10, total: 12, percent: 83.3 },
      missing: [
        { kind: "clause", missing: "no call asks this policy" },
        {
          kind: "clause",
          missing: "never false",
          at: { file: "policies/sql-prod.cedar", line: 11, column: 3 },
        },
        ...Array.from({ length: 5 }, () => ({ kind: "leaf", missing: "never denied" })),
      ],
    },
  });
  expect(await runCommand(repo, "test", "--min-coverage", "83")).toMatchObject({ exitCode: 0, err: "" });
  const plain = await runCommand(repo, "test", "--format", "json");
  expect(JSON.parse(plain.out)).not.toHaveProperty("coverage");
  await writeFile(file, before);
});

test("JUnit carries the percentages as properties", async () => {
  const { out } = await runCommand(repo, "test", "--coverage", "--format", "junit");
  expect(out).toContain('<property name="coverage.clauses" value="100"/>');
});

test("a percentage that is none, and a file that cannot be written", async () => {
  expect(await runCommand(repo, "test", "--min-coverage", "101")).toMatchObject({
    exitCode: 1,
    err: "error: option '--min-coverage <n>' argument '101' is invalid. It must be a number from 0 to 100.\n(add --help for usage)\n",
  });
  const run = await runCommand(repo, "test", "--coverage-out", join(repo, "nowhere/lcov.info"));
  expect(run.exitCode).toBe(1);
  expect(run.err).toContain("error: cannot write the coverage: ENOENT");
});
