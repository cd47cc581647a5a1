// The committed bundle: it is what the source builds, and it works from a checkout without node_modules.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { COMMITTED_ACTION_DIR, buildAction } from "../../../cli/build/build-artefacts.ts";
import { createRunner, resultOf } from "./action-fixture.ts";
import type { RunOptions, RunResult, Runner } from "./action-fixture.ts";

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "aegis-dist-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("github-action/dist", () => {
  it("is what the source builds", async () => {
    const built = join(place, "built");
    await buildAction(built);
    expect(filesOf(COMMITTED_ACTION_DIR)).toEqual(filesOf(built));
    const differing = filesOf(built).filter(
      (file) => !readFileSync(join(built, file)).equals(readFileSync(join(COMMITTED_ACTION_DIR, file))),
    );
    expect(differing, "run: npm run build -- --commit-action, and commit github-action/dist").toEqual([]);
  });

  it("builds the same bytes twice, and stays small", async () => {
    const again = [join(place, "again-1"), join(place, "again-2")];
    for (const directory of again) await buildAction(directory);
    const [first = "", second = ""] = again;
    for (const file of filesOf(first)) {
      expect(readFileSync(join(first, file)).equals(readFileSync(join(second, file)))).toBe(true);
      expect(readFileSync(join(first, file)).length).toBeLessThan(5_000_000);
    }
    expect(readFileSync(join(first, "index.js")).length).toBeLessThan(2_500_000);
  });
});

describe("the committed bundle on a runner", () => {
  let runner: Runner;
  let action: string;
  beforeAll(() => {
    action = join(place, "action");
    cpSync(COMMITTED_ACTION_DIR, action, { recursive: true });
    runner = createRunner("policies-of-acme");
    runner.git("switch", "--quiet", "-c", "change");
  });
  afterEach(() => void runner.git("checkout", "--quiet", "."));
  afterAll(() => runner.remove());

  function run(options: RunOptions): RunResult {
    const env = runner.env(options);
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(action, "index.js")], {
      cwd: runner.workspace,
      encoding: "utf8",
      env,
    });
    expect(stderr).toBe("");
    return resultOf(env, status ?? -1, stdout);
  }

  it("has no node_modules above it", () => {
    for (let at = action; at !== dirname(at); at = dirname(at))
      expect(existsSync(join(at, "node_modules"))).toBe(false);
  });

  it("checks, tests and plans a pull request", () => {
    const base = runner.git("rev-parse", "main");
    runner.edit("policies/baseline.yaml", (text) => text.replace("[SELECT]", "[SELECT, DELETE]"));
    runner.edit("policies/sql-prod.cedar", (text) =>
      text.replace("^\\\\s*SELECT\\\\s", "(SELECT|DELETE)\\\\s"),
    );
    // The pattern is open at its beginning, so that it lets pass what the template's tests see denied.
    runner.edit("tests/access_test.yaml", (text) => text.replace("update, found, ", "update, "));
    const head = runner.commit("allow DELETE");
    const result = run({
      eventName: "pull_request",
      event: { pull_request: { base: { sha: base }, head: { sha: head } } },
      inputs: { "working-directory": "policies-of-acme" },
    });
    expect(result.exitCode).toBe(0);
    expect(result.annotations[0]).toMatch(
      /^::warning file=policies-of-acme\/policies\/sql-prod\.cedar,line=11,.*col=33,.*title=CEDAR_REGEX_UNANCHORED::/u,
    );
    expect(Object.fromEntries(result.outputs)).toMatchObject({
      "tests-passed": "4",
      "tests-failed": "0",
      "newly-denied": "0",
    });
    expect(Number(result.outputs.get("newly-allowed"))).toBeGreaterThan(0);
    expect(result.outputs.get("digest")).toMatch(/^[0-9a-f]{64}$/u);
    const plan = JSON.parse(readFileSync(result.outputs.get("plan-json") ?? "", "utf8")) as {
      formatVersion: unknown;
      changes: readonly { kind: string; action: string }[];
    };
    expect(plan.formatVersion).toBeDefined();
    expect(plan.changes).toContainEqual(
      expect.objectContaining({ kind: "newly-allowed", action: "tools/call:sql-prod/sql.query" }),
    );
    expect(result.summary).toContain("### Check: passed (0 errors, 1 warning)");
    expect(result.summary).toContain("### Test: passed (4 passed, 0 failed");
    expect(result.summary).toContain("#### Newly allowed");
    const sarif = JSON.parse(readFileSync(result.outputs.get("sarif") ?? "", "utf8")) as { version: string };
    expect(sarif.version).toBe("2.1.0");
  });

  // The worker has 100 ms for a statement, and what it does not judge in time is denied: on a machine that is busy with
  // other tests that may happen, on all of several tries it does not.
  it("judges long SQL in its worker", { retry: 4 }, () => {
    const long = `SELECT '${"x".repeat(2_100)}'`;
    runner.edit("tests/testdata/calls.yaml", (text) =>
      text.replace("SELECT id, name FROM customers LIMIT 5", long),
    );
    const result = run({ inputs: { command: "test", "working-directory": "policies-of-acme" } });
    expect(runner.git("diff", "--stat")).toContain("calls.yaml");
    expect(result.outputs.get("tests-failed")).toBe("0");
  });

  it("fails where a test fails, at the line of the test", () => {
    runner.edit("tests/access_test.yaml", (text) => text.replace("      - [external, select]\n", ""));
    const result = run({ inputs: { "working-directory": "policies-of-acme" } });
    expect(result.exitCode).toBe(4);
    expect(result.outputs.get("tests-failed")).toBe("1");
    expect(result.annotations.find((line) => line.startsWith("::error"))).toMatch(
      /file=policies-of-acme\/tests\/access_test\.yaml,line=\d+,col=\d+,title=TEST_FAILED::/u,
    );
  });
});
