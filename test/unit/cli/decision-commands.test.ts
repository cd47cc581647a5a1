// aegis test, explain and plan on a repository on disk: output, exit codes, exact errors.
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createThrowawayTrust } from "../../../cli/dev/throwaway-trust.ts";
import { runCommand } from "./run-command.ts";
import { TEMPLATE, editIn, gitIn } from "./template-clone.ts";
import type { CommandRun } from "./run-command.ts";

let root = "";
let repo = "";

const git = (...args: readonly string[]): void => gitIn(repo, ...args);
const edit = (file: string, find: string, replace: string): Promise<void> =>
  editIn(repo, file, find, replace);

/** Puts the committed files back. */
function restore(): void {
  git("checkout", "-q", ".");
  git("clean", "-qfd");
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "aegis-cli-"));
  repo = join(root, "policies-repo");
  await cp(TEMPLATE, repo, { recursive: true });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-q", "-m", "template");
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const run = (...argv: readonly string[]): Promise<CommandRun> => runCommand(repo, ...argv);

describe("aegis test", () => {
  test("passes on the template: exit 0, nothing on standard error", async () => {
    const { exitCode, out, err } = await run("test");
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
    expect(out.split("\n").at(-2)).toBe("4 tests: 4 passed, 0 failed (28 calls decided)");
  });

  test("a failing cell: exit 4, its place, what was expected and decided, and by which policy", async () => {
    await edit("policies/jira.yaml", "in: [Employee]", "in: [Developer]");
    const { exitCode, out } = await run("test", "--filter", "truth");
    restore();
    expect(exitCode).toBe(4);
    expect(out).toContain(`    tests/access_test.yaml:6:11: external calls jira-search
      expected: deny, as no entry of allow lists it
      decided:  allow
      by:       policies/jira.yaml#/allow/tools/0 (policies/jira.yaml:11:11)
`);
    expect(out).toContain("1 test: 0 passed, 1 failed");
  });

  test("a repository that does not compile: exit 3, the diagnostics, no report", async () => {
    await edit("policies/jira.yaml", "jira.search", "jira.serch");
    const { exitCode, out, err } = await run("test");
    restore();
    expect({ exitCode, out }).toEqual({ exitCode: 3, out: "" });
    expect(err).toContain("policies/jira.yaml:11:");
    expect(err).toContain("not tested: the repository does not compile");
  });

  test("no tests, no match, unknown format: exit 1 with a message", async () => {
    expect(await run("test", "--filter", "zzz")).toMatchObject({
      exitCode: 1,
      out: "",
      err: 'error: no test matches "zzz"\n  help: --filter is looked for in the file, the suite and the name of a test\n',
    });
    expect(await run("test", "--format", "yaml")).toMatchObject({
      exitCode: 1,
      err: "error: option '--format <format>' argument 'yaml' is invalid. Allowed choices are text, json, junit.\n(add --help for usage)\n",
    });
    await rm(join(repo, "tests"), { recursive: true });
    const { exitCode, err } = await run("test");
    restore();
    expect(exitCode).toBe(1);
    expect(err).toContain("error: there are no tests");
  });

  test("json and junit are documents of their own", async () => {
    expect(JSON.parse((await run("test", "--format", "json")).out)).toMatchObject({
      formatVersion: 1,
      passed: 4,
      failed: 0,
    });
    expect((await run("test", "--format", "junit")).out).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites /u,
    );
  });
});

describe("invariants", () => {
  const held =
    "{ name: no agent moves money, callers: { type: Agent }, targets: { tiers: [restricted] }, expect: denied }";
  const broken =
    "{ name: nobody searches, reason: contract 12, targets: { tools: [jira.search] }, expect: denied }";
  const write = async (...invariants: readonly string[]): Promise<void> => {
    await mkdir(join(repo, "invariants"), { recursive: true });
    await writeFile(join(repo, "invariants/all.yaml"), `invariants: [${invariants.join(", ")}]\n`);
  };

  test("one that holds is told with its evidence: exit 0", async () => {
    await write(held);
    const { exitCode, out } = await run("test");
    const planned = await run("plan", "--base", "main", "--detailed-exitcode");
    restore();
    expect(exitCode).toBe(0);
    expect(out).toMatch(/\nInvariants\n {2}✓ no agent moves money \(proved for \d definitions\)\n/u);
    expect(out).toContain("1 invariant: 0 violated\n");
    // An invariant that came is a change of its own.
    expect(planned).toMatchObject({ exitCode: 2 });
    expect(planned.out).toContain("✓ no agent moves money");
  });

  test("a violated one: exit 5 of test and plan, the call, and the policy that lets it through", async () => {
    await write(held, broken);
    const text = await run("test", "--filter", "nobody");
    const json = await run("test", "--format", "json");
    const junit = await run("test", "--format", "junit");
    const planned = await run("plan", "--base", "main", "--format", "markdown");
    await edit("policies/jira.yaml", "in: [Employee]", "in: [Developer]");
    const failing = await run("test");
    restore();
    expect(text.exitCode).toBe(5);
    expect(text.out).toContain(`  ✗ nobody searches
    invariants/all.yaml:1:`);
    expect(text.out).toContain(`      reason:   contract 12
      caller:   developer
      call:     tools/call:jira/jira.search {"jql":"project = OPS"}
      decided:  allowed
      by:       policies/jira.yaml#/allow/tools/0 (policies/jira.yaml:11:11)
`);
    expect(JSON.parse(json.out)).toMatchObject({
      formatVersion: 1,
      invariants: [
        { name: "no agent moves money", status: "proved" },
        { name: "nobody searches", status: "violated", witnesses: [{ caller: "developer" }, {}, {}] },
      ],
    });
    expect(junit.out).toContain(
      '<testsuite name="invariants" tests="2" failures="1" errors="0" skipped="0">',
    );
    expect(planned.exitCode).toBe(5);
    expect(planned.out).toContain("- ✗ `nobody searches`");
    expect(failing.exitCode).toBe(4);
  });
});

describe("aegis explain", () => {
  test("a denial is an answer: exit 0, deciding policy with place, every clause", async () => {
    const { exitCode, out } = await run("explain", "--principal", "developer", "--call", "drop");
    expect(exitCode).toBe(0);
    expect(out).toContain(
      "because    forbidden by policies/baseline.yaml#/constraints/sql.query/operations (policies/baseline.yaml:6:5)",
    );
    expect(out).toContain('when  true         context.arguments.sql.matches("(?i)^\\\\s*SELECT\\\\s")');
  });

  test("a request of a server, and how the caller calls", async () => {
    const params = '{"maxTokens":100,"messages":[]}';
    const target = ["--server", "jira", "--sampling", params, "--request", '{"sourceIp":"10.0.0.7"}'];
    const { exitCode, out } = await run("explain", "--principal", "developer", ...target);
    expect(exitCode).toBe(0);
    expect(out).toContain("DENY  sampling/createMessage:jira\n");
    expect(out).toContain("because    no permit applies to it");
  });

  test.each([
    [["--server", "jira", "--sampling", "[]"], "--sampling must be a JSON object"],
    [["--server", "jira", "--task", "got"], "unknown --task"],
    [["--logging", "debug"], "--logging needs --server"],
    [["--server", "jira", "--logging", "debug", "--request", '{"sourceIP":"10.0.0.7"}'], "sourceIP"],
    [["--server", "jira", "--tool", "jira.search", "--root", "file:///"], "give one of --tool"],
  ])("%j: exit 1", async (argv, message) => {
    const { exitCode, out, err } = await run("explain", "--principal", "developer", ...argv);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: "" });
    expect(err).toContain(message);
  });

  test("a call written out; JSON", async () => {
    const principal = '{"id":"dana","roles":["Developer"],"attrs":{"is_external":false}}';
    const target = ["--server", "sql-prod", "--tool", "sql.query", "--arguments", '{"sql":"SELECT 1"}'];
    const { exitCode, out } = await run("explain", "--principal", principal, ...target, "--format", "json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      formatVersion: 1,
      decision: "allow",
      reasons: ["policies/sql-prod.cedar#0"],
      context: { arguments: { sql: "SELECT 1" } },
    });
  });

  test.each([
    [
      ["--server", "sql-prod", "--tool", "sql.qury"],
      'sql-prod has no pinned tool named "sql.qury"',
      'did you mean "sql.query"?',
    ],
    [
      ["--server", "sql-prd", "--tool", "sql.query"],
      'no server is named "sql-prd"',
      'did you mean "sql-prod"?',
    ],
    [["--call", "selct"], 'no call of the tests is named "selct"', 'did you mean "select"?'],
    [
      ["--server", "sql-prod", "--tool", "sql.query", "--arguments", "[]"],
      "--arguments must be a JSON object",
      undefined,
    ],
    [
      ["--server", "sql-prod", "--tool", "sql.query", "--arguments", "{a"],
      "--arguments is not JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)",
      undefined,
    ],
    [["--tool", "sql.query"], "--tool needs --server", undefined],
    [[], "which call?", "give --call <name>, or --server <id> and --tool <name>"],
    [
      ["--call", "select", "--server", "jira"],
      "--call names a whole call: leave out --server, --tool and --arguments",
      undefined,
    ],
  ])("%j cannot be decided: exit 1", async (argv, message, help) => {
    const { exitCode, out, err } = await run("explain", "--principal", "developer", ...argv);
    const expected = `error: ${message}\n${help === undefined ? "" : `  help: ${help}\n`}`;
    expect({ exitCode, out, err }).toEqual({ exitCode: 1, out: "", err: expected });
  });
});

describe("aegis explain --decision", () => {
  test("is refused beside what describes another call", async () => {
    const asked = ["--decision", "d1", "--audit", root, "--why-not", "--principal", "employee"];
    const { exitCode, err } = await run("explain", ...asked);
    expect(exitCode).toBe(1);
    expect(err).toContain("leave out --principal, --why-not");
  });
});

describe("aegis plan", () => {
  test("an invariant that is violated is told on standard error: exit 5", async () => {
    const target = "callers: { roles: [Employee] }, targets: { tools: [jira.search] }, expect: denied";
    await mkdir(join(repo, "invariants"), { recursive: true });
    await writeFile(join(repo, "invariants/one.yaml"), `invariants: [{ name: none, ${target} }]\n`);
    const { exitCode, err } = await run("plan", "--base", "main");
    restore();
    expect(exitCode).toBe(5);
    expect(err).toMatch(/^invariant violated: invariants\/one\.yaml:1:\d+ none\n$/u);
  });

  test("against a commit: rows, --detailed-exitcode, and a JSON file whose sha-256 is the digest", async () => {
    await edit("policies/jira.yaml", "in: [Employee]", "in: [Developer, Employee]");
    const { exitCode, out } = await run("plan", "--base", "main");
    const detailed = await run("plan", "--base", "HEAD", "--detailed-exitcode", "--out", "plan.json");
    const bytes = await readFile(join(repo, "plan.json"));
    const again = await run("plan", "--base", "HEAD", "--format", "json");
    restore();
    expect(exitCode).toBe(0);
    expect(out).toContain("  + allow  external                             2 of 2 calls  [matrix]\n");
    expect(out.split("\n").at(-2)).toBe(
      "Plan: 2 newly allowed, 0 newly denied, 0 transforms changed, 1 other change",
    );
    expect(detailed.exitCode).toBe(2);
    expect(detailed.err).toBe(
      `wrote plan.json (sha256 ${createHash("sha256").update(bytes).digest("hex")})\n`,
    );
    expect(again.out).toBe(bytes.toString("utf8"));
    expect(JSON.parse(again.out)).toMatchObject({
      base: { kind: "git", ref: "HEAD" },
      summary: { newlyAllowed: 2 },
    });
  });

  test("against itself: no change, exit 0 also with --detailed-exitcode", async () => {
    const { exitCode, out } = await run("plan", "--base", "main", "--detailed-exitcode");
    expect(exitCode).toBe(0);
    expect(out).toContain("No change: both sides compile to the same bundle.");
  });

  test("against a bundle file, and Markdown", async () => {
    await run("build", "-o", join(root, "base.aegis"));
    await edit("limits.yaml", "limit: 600", "limit: 60");
    const { exitCode, out } = await run("plan", "--base", join(root, "base.aegis"), "--format", "markdown");
    restore();
    expect(exitCode).toBe(0);
    expect(out).toContain(
      "### Policy plan: 0 newly allowed, 0 newly denied, 0 transforms changed, 1 other change\n",
    );
    expect(out).toContain("- ~ `limit per-principal` (structural)\n  - `limit: 600 → 60`\n");
  });

  test("a directory without segments is no audit log: exit 1", async () => {
    const empty = join(root, "no-log");
    await mkdir(empty, { recursive: true });
    const { exitCode, err } = await run("plan", "--base", "main", "--replay", empty);
    expect(exitCode).toBe(1);
    expect(err).toContain(`no audit log in ${empty}`);
    const explained = await run("explain", "--decision", "d1", "--audit", empty);
    expect(explained.exitCode).toBe(1);
    expect(explained.err).toContain(`no audit log in ${empty}`);
  });

  test.each([
    [["--label", ""], "no name of a label"],
    [["--label", " ok"], "no name of a label"],
    [["--label", "label:ok"], "--label ok"],
  ])("%j is refused: exit 1", async (options, text) => {
    const { exitCode, err } = await run("plan", "--base", "main", ...options);
    expect(exitCode).toBe(1);
    expect(err).toContain(text);
  });

  test("the end of the name of a file says its form, in capitals too", async () => {
    const out = join(root, "PLAN.JSON");
    const { err } = await run("plan", "--base", "main", "--out", out);
    expect(err).toContain("sha256");
    expect(JSON.parse(await readFile(out, "utf8"))).toMatchObject({ formatVersion: 1 });
  });

  test("a forbid that goes is a row also where no decision changes today", async () => {
    await edit("policies/sql-prod.cedar", "when { principal.is_external == true };", "when { false };");
    const { out } = await run("plan", "--base", "main");
    restore();
    expect(out).toContain("- policy policies/sql-prod.cedar#1  [structural, guards less]\n");
  });

  test("against a channel directory", async () => {
    const trust = await createThrowawayTrust(root, "dev");
    await run("build", "-o", join(root, "released.aegis"));
    await trust.release(await readFile(join(root, "released.aegis")));
    await edit("policies/jira.yaml", "in: [Employee]", "in: [Developer, Employee]");
    const { exitCode, out } = await run("plan", "--base", trust.channelDir, "--format", "json");
    restore();
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ base: { kind: "channel" }, summary: { newlyAllowed: 2 } });
  });

  test("a head that does not compile: exit 3; a base that does not: exit 1 with its diagnostics", async () => {
    await edit("policies/jira.yaml", "jira.search", "jira.serch");
    expect((await run("plan", "--base", "main")).exitCode).toBe(3);
    git("commit", "-qam", "broken");
    git("checkout", "-q", "HEAD~1", "--", ".");
    const { exitCode, err } = await run("plan", "--base", "HEAD");
    git("reset", "-q", "--hard", "HEAD~1");
    expect(exitCode).toBe(1);
    expect(err).toContain("policies/jira.yaml:11:");
    expect(err).toMatch(
      /error: the base HEAD \([0-9a-f]{12}\) does not compile, so there is nothing to compare with/u,
    );
  });

  test("a base that does not exist: exit 1, exact words", async () => {
    await mkdir(join(root, "empty"), { recursive: true });
    const words = async (base: string): Promise<string> => {
      const { exitCode, out, err } = await run("plan", "--base", base);
      expect({ exitCode, out }).toEqual({ exitCode: 1, out: "" });
      return err;
    };
    expect(await words("nowhere")).toBe("error: nowhere is not a commit, branch or tag of this repository\n");
    expect(await words("--upload-pack=x")).toContain("--upload-pack=x is not a commit, branch or tag");
    expect(await words("gone.aegis")).toBe("error: no such file: gone.aegis\n");
    expect(await words(join(root, "empty"))).toContain(
      "is a directory without release.json, and no Git reference either",
    );
  });

  test("a truncated bundle is refused as tampering", async () => {
    await run("build", "-o", join(root, "whole.aegis"));
    const bytes = await readFile(join(root, "whole.aegis"));
    await writeFile(join(root, "cut.aegis"), bytes.subarray(0, bytes.length / 2));
    const { exitCode, err } = await run("plan", "--base", join(root, "cut.aegis"));
    expect(exitCode).toBe(6);
    expect(err).toContain("error[BUNDLE_INVALID]");
  });
});
