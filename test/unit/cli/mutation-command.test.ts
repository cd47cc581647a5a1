// aegis test --mutation on a repository on disk: the gate, the base of a pull request, and the JSON document.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";
import { TEMPLATE, editIn, gitIn } from "./template-clone.ts";

let root = "";
let repo = "";

const git = (...args: readonly string[]): void => gitIn(repo, ...args);
const edit = (file: string, find: string, replace: string): Promise<void> =>
  editIn(repo, file, find, replace);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "aegis-mutation-"));
  repo = join(root, "policies-repo");
  await cp(TEMPLATE, repo, { recursive: true });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-q", "-m", "template");
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

test("a score below the threshold is exit 4, and each survivor comes with its test", async () => {
  await edit("policies/jira.yaml", "every employee", "each employee");
  await edit(
    "tests/access_test.yaml",
    "principals: [developer, employee, external]",
    "principals: [employee]",
  );
  await edit("tests/access_test.yaml", "      - [developer, select]\n      - [developer, jira-search]\n", "");
  await edit("tests/access_test.yaml", "      - [external, select]\n", "");
  const { exitCode, out, err } = await runCommand(repo, "test", "--mutation-threshold", "100");
  expect(exitCode).toBe(4);
  expect(err).toMatch(/^mutation score [\d.]+ % is below --mutation-threshold 100\n$/u);
  expect(out).toContain('survived policies/jira.yaml:9:3: widened principals from ["Employee"] to any');
  expect(out).toContain("    mutant:   allowed by policies/jira.yaml#/allow/tools/0\n");
});

test("with a base only the policies that differ from it are changed", async () => {
  await edit("policies/jira.yaml", "in: [Employee]", "in: [Employee, Developer]");
  await edit(
    "tests/access_test.yaml",
    "      - [external, select]\n",
    "      - [external, select]\n      - [external, jira-search]\n",
  );
  const { exitCode, out } = await runCommand(repo, "test", "--mutation-base", "main", "--format", "json");
  expect(exitCode).toBe(0);
  const { mutation, passed } = JSON.parse(out) as {
    readonly passed: number;
    readonly mutation: {
      readonly base: string;
      readonly mutants: readonly { readonly at: { readonly file: string } }[];
    };
  };
  expect({ passed, base: mutation.base }).toEqual({ passed: 4, base: "main" });
  expect(new Set(mutation.mutants.map(({ at }) => at.file))).toEqual(new Set(["policies/jira.yaml"]));
});

test("where a test fails no mutant is run", async () => {
  await edit("policies/jira.yaml", "in: [Employee]", "in: [Developer]");
  const { exitCode, out, err } = await runCommand(repo, "test", "--mutation");
  expect(exitCode).toBe(4);
  expect(err).toContain("no mutants were run");
  expect(out).not.toContain("mutation score");
});
