import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "#bundle";
import { planChanges, planDigest, renderPlanJson, renderPlanMarkdown, renderPlanText } from "#plan";
import type { DecisionChange, Plan } from "#plan";
import { compileEdited } from "./edited-sides.ts";

const plain = { color: false, printable: (text: string) => text };
const WIDENED = [
  { file: "policies/jira.yaml", find: "in: [Employee]", replace: "in: [Developer, Employee]" },
];
const unchanged = compileEdited([]);

function planWith(changes: readonly DecisionChange[]): Plan {
  return {
    base: { kind: "git", ref: "main", digest: "0".repeat(64) },
    head: { digest: "1".repeat(64) },
    searched: { principals: 1, leaves: 1, identicalLeaves: 0, calls: 1, decisions: 2, truncated: false },
    summary: {
      newlyAllowed: changes.length,
      newlyDenied: 0,
      reasonsChanged: 0,
      transformsChanged: 0,
      structural: 0,
    },
    changes,
  };
}

function row(principal: string, args: Readonly<Record<string, string>>): DecisionChange {
  const facts = { type: "User" as const, id: "x", tenant: "default", roles: [], groups: [], attributes: {} };
  return {
    kind: "newly-allowed",
    evidence: "matrix",
    principal,
    action: "tools/call:sql-prod/sql.query",
    before: { effect: "deny", reasons: [] },
    after: { effect: "allow", reasons: ["policies/a.cedar#0"] },
    witness: { principal: facts, arguments: args },
    changedCalls: 1,
    searchedCalls: 1,
  };
}

describe("JSON", () => {
  test("is canonical, deterministic, and its sha-256 is the digest", async () => {
    const [base, head] = [await unchanged, await compileEdited(WIDENED)];
    const options = { base: { kind: "git", ref: "main" } } as const;
    const plan = await planChanges(base, head, options);
    const text = renderPlanJson(plan);
    expect(text).toBe(canonicalJson(JSON.parse(text)));
    expect(createHash("sha256").update(text).digest("hex")).toBe(planDigest(plan));
    expect(renderPlanJson(await planChanges(base, head, options))).toBe(text);
    expect(JSON.parse(text)).toMatchObject({
      formatVersion: 1,
      base: { kind: "git", ref: "main", digest: base.bundle.digest },
      head: { digest: head.bundle.digest },
      summary: { newlyAllowed: 2, newlyDenied: 0, reasonsChanged: 0, transformsChanged: 0, structural: 1 },
    });
    const { searched } = plan;
    expect(searched.calls % searched.principals).toBe(0);
    expect(searched.calls).toBeGreaterThan(100);
    expect(searched.decisions).toBe(2 * searched.calls);
  });
});

describe("text", () => {
  test("tells rows that are alike once, and what was searched", async () => {
    const plan = await planChanges(await unchanged, await compileEdited(WIDENED));
    expect(renderPlanText(plan, plain)).toBe(`tools/call:jira/jira.search
  + allow  external                             2 of 2 calls  [matrix]
  + allow  role Developer, is_external = false  2 of 2 calls  [matrix]
      denied: no policy permits it → allowed by policies/jira.yaml#/allow/tools/0
      e.g. {"jql":"project = OPS"}

~ policy policies/jira.yaml#/allow/tools/0  [structural]
    permit, policies/jira.yaml:11:11
    on tools/call:jira/jira.search

Base (bundle ${plan.base.digest.slice(0, 12)}), head (bundle ${plan.head.digest.slice(0, 12)}).
Searched ${plan.searched.calls} calls: 7 callers × ${plan.searched.calls / 7} calls on 8 definitions.
Plan: 2 newly allowed, 0 newly denied, 0 transforms changed, 1 other change
`);
  });

  test("equal bundles are called equal; finding nothing otherwise is not called a proof", async () => {
    const base = await unchanged;
    const same = await planChanges(base, base);
    expect(same.changes).toEqual([]);
    expect(renderPlanText(same, plain)).toContain("No change: both sides compile to the same bundle.");
    const limit = { file: "limits.yaml", find: "limit: 600", replace: "limit: 60" };
    const other = await planChanges(base, await compileEdited([limit]));
    const text = renderPlanText(other, plain);
    expect(text).toContain("~ limit per-principal  [structural]\n    limit: 600 → 60\n");
    expect(text).toContain("That is a search, not a proof");
  });

  test("shows nothing that steers a terminal", () => {
    const text = renderPlanText(planWith([row("a\u001b[2Jb", {})]), {
      color: false,
      printable: (value) => value.replaceAll("\u001b", "?"),
    });
    expect(text).not.toContain("\u001b");
  });
});

describe("Markdown", () => {
  test("is cut at 60,000 characters and says how many rows are hidden", () => {
    const rows = Array.from({ length: 2_000 }, (_, index) => row(`caller ${index}`, { sql: "x".repeat(50) }));
    const text = renderPlanMarkdown(planWith(rows));
    expect(text.length).toBeLessThanOrEqual(60_000);
    const shownRows = text.split("\n").filter((line) => line.startsWith("| + ")).length;
    expect(text).toContain(`**${2_000 - shownRows} more rows not shown here:**`);
  });

  test("keeps what a pull request wrote inside code spans", () => {
    const text = renderPlanMarkdown(planWith([row("@team `x` | <img>", { sql: "a\nb|c`` ![](http://x)" })]));
    const line = text.split("\n").find((candidate) => candidate.startsWith("| + "));
    expect(line).toContain("``@team `x` \\| <img>``");
    expect(line).toContain('```{"sql":"a\\nb\\|c`` ![](http://x)"}```');
  });
});
