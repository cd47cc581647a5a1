import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compile } from "#compiler";
import {
  bundleInput,
  planChanges,
  renderPlanMarkdown,
  renderPlanText,
  violatedGates,
  withGates,
} from "#plan";
import type { Plan } from "#plan";
import { compileEdited, editedWorkspace } from "./edited-sides.ts";
import type { Edit } from "./edited-sides.ts";

interface GateCase {
  readonly name: string;
  readonly both?: readonly Edit[];
  readonly base?: string;
  readonly head?: string;
  readonly edits: readonly Edit[];
  readonly labels?: readonly string[];
  readonly results: readonly string[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/plan/gates.yaml"), "utf8"),
) as readonly GateCase[];

interface ReplayCase {
  readonly name: string;
  readonly changed: number;
  readonly counts: readonly [records: number, indeterminate: number, skipped: number];
  readonly result: string;
  readonly message: string;
}

const REPLAYS = parse(
  readFileSync(join(import.meta.dirname, "../../../data/plan/replay-shares.yaml"), "utf8"),
) as readonly ReplayCase[];

const gatesEdit = (text: string | undefined): readonly Edit[] =>
  text === undefined ? [] : [{ file: "aegis.yaml", replace: `${text}\n` }];

const WIDENED: Edit = {
  file: "policies/jira.yaml",
  find: "in: [Employee]",
  replace: "in: [Developer, Employee]",
};

function resultLines({ gates = [] }: Plan): readonly string[] {
  return gates.map(({ name, side, result, rows }) => `${name} | ${side} | ${result} | ${rows.length}`);
}

describe("gates", () => {
  test.each(CASES)("$name", async ({ both = [], base, head, edits, labels = [], results }) => {
    const before = await compileEdited([...both, ...gatesEdit(base)]);
    const after = await compileEdited([...both, ...gatesEdit(head), ...edits]);
    const plan = withGates(await planChanges(before, after), before, after, { labels });
    expect(resultLines(plan)).toEqual(results);
    for (const { rows } of plan.gates ?? []) {
      for (const row of rows) expect(plan.changes[row]).toBeDefined();
    }
  });

  test("a violated gate is told with its place and its rows", async () => {
    const gates = 'gates:\n  newlyAllowed:\n    tiers: { internal: { require: "label:ok" } }';
    const before = await compileEdited(gatesEdit(gates));
    const after = await compileEdited([...gatesEdit(gates), WIDENED]);
    const plan = withGates(await planChanges(before, after), before, after, { labels: [] });
    const [gate] = violatedGates(plan);
    expect(gate?.at).toMatchObject({ file: "aegis.yaml" });
    const text = renderPlanText(plan, { color: false, printable: (value) => value });
    const place = `aegis.yaml:${gate?.at?.line}:${gate?.at?.column}`;
    expect(text).toContain(`  ✗ ${place} newlyAllowed.tiers.internal: 2 rows without the label ok\n`);
    expect(text).toContain("      + newly allowed: external, tools/call:jira/jira.search [matrix]\n");
    expect(text).toMatch(/\nPlan: 2 newly allowed, .*1 gate violated\n$/u);
    expect(renderPlanMarkdown(plan)).toContain(`- ✗ \`${place} newlyAllowed.tiers.internal`);
  });

  test("a base that is only a bundle has no gates, and the head's are asked", async () => {
    const before = bundleInput((await compileEdited([])).bundle.bytes);
    const after = await compileEdited([...gatesEdit("gates: { newlyAllowed: deny }"), WIDENED]);
    const plan = withGates(await planChanges(before, after), before, after, { labels: [] });
    expect(resultLines(plan)).toEqual(["newlyAllowed | head | violated | 2"]);
    expect(plan.changes.filter(({ kind }) => kind.startsWith("gate-"))).toEqual([]);
  });

  test.each(REPLAYS)("$name: $result", async ({ changed, counts, result, message }) => {
    const before = await compileEdited([]);
    const after = await compileEdited([
      ...gatesEdit("gates: { newlyAllowed: { default: allow, maxPercentOfReplay: 2 } }"),
      WIDENED,
    ]);
    const plan = await planChanges(before, after);
    const [first] = plan.changes;
    if (first === undefined || first.evidence === "structural") throw new Error("no decision changed");
    const replay = {
      ...first,
      evidence: "replay" as const,
      changedCalls: changed,
      searchedCalls: changed,
    };
    const [records, indeterminate, skipped] = counts;
    const unchanged = records - changed - indeterminate - skipped;
    const gated = withGates(
      {
        ...plan,
        changes: changed === 0 ? plan.changes : [...plan.changes, replay],
        replay: { records, unchanged, changed, indeterminate, skipped, missingFacts: [] },
      },
      before,
      after,
      { labels: [] },
    );
    expect(gated.gates?.at(-1)).toMatchObject({ name: "newlyAllowed.maxPercentOfReplay", result, message });
  });

  test.each([
    ["gates: { newlyAllowd: deny }", "DOCUMENT_UNKNOWN_KEY", 'did you mean "newlyAllowed"?'],
    ["gates: { newlyAllowed: den }", "DOCUMENT_INVALID", 'did you mean "deny"?'],
    ["gates: { newlyAllowed: { tiers: { restrictd: deny } } }", "SCOPE_EMPTY", 'did you mean "restricted"?'],
    ["gates: { newlyAllowed: { labels: { pi: deny } } }", "SCOPE_EMPTY", undefined],
    ["gates: { newlyAllowed: { require: security } }", "DOCUMENT_INVALID", undefined],
    ["gates: { newlyAllowed: { require: 'label:a', default: deny } }", "DOCUMENT_INVALID", undefined],
    ["gates: { pinChanged: { maxPercentOfReplay: 1 } }", "DOCUMENT_UNKNOWN_KEY", undefined],
    ["gates: { limitLoosened: { tiers: { restricted: deny } } }", "DOCUMENT_UNKNOWN_KEY", undefined],
    ["gates: { newlyDenied: { maxPercentOfReplay: 101 } }", "DOCUMENT_INVALID", undefined],
    ["gates: {}", "DOCUMENT_INVALID", undefined],
  ])("%s is refused", async (text, code, help) => {
    const edits = gatesEdit(text);
    const { diagnostics, bundle } = await compile({ dir: "", workspace: editedWorkspace(edits) });
    expect(bundle).toBeUndefined();
    const found = diagnostics.find((item) => item.code === code && item.file === "aegis.yaml");
    expect(found).toBeDefined();
    if (help !== undefined) expect(`${found?.help}`.toLowerCase()).toContain(help.toLowerCase());
  });
});
