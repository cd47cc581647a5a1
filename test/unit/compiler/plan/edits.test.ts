import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { decisionDelta, planChanges } from "#plan";
import type { Plan, PlanChange } from "#plan";
import { compileEdited } from "./edited-sides.ts";
import type { Edit } from "./edited-sides.ts";
import { witnessEffects } from "./witness-effects.ts";

interface EditCase {
  readonly name: string;
  readonly both?: readonly Edit[];
  readonly head: readonly Edit[];
  readonly rows: readonly string[];
  /** Rows that decide alike by other policies. */
  readonly reasonsChanged?: number;
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/plan/edits.yaml"), "utf8"),
) as readonly EditCase[];

function rowText(change: PlanChange): string {
  if (change.evidence === "structural") return `${change.kind} | ${change.subject}`;
  const { arguments: args, read = {} } = change.witness;
  const facts = Object.entries(read).map(([name, value]) => `${name} = ${value}`);
  const shown = facts.length === 0 ? "" : ` with ${facts.join(", ")}`;
  return `${change.kind} | ${change.principal} | ${change.action} | ${JSON.stringify(args)}${shown}`;
}

function visibleRows(plan: Plan): readonly string[] {
  return plan.changes.filter((change) => change.kind !== "reasons-changed").map(rowText);
}

describe("edits of the template", () => {
  test.each(CASES)("$name", async ({ both = [], head, rows, reasonsChanged = 0 }) => {
    const before = await compileEdited(both);
    const after = await compileEdited([...both, ...head]);
    const plan = await planChanges(before, after);
    expect(visibleRows(plan)).toEqual(rows);
    expect(plan.summary.reasonsChanged).toBe(reasonsChanged);

    const decisions = plan.changes.filter((change) => change.evidence !== "structural");
    expect(await witnessEffects(before.bundle.content, plan)).toEqual(
      decisions.map((row) => row.before.effect),
    );
    expect(await witnessEffects(after.bundle.content, plan)).toEqual(
      decisions.map((row) => row.after.effect),
    );

    const delta = await decisionDelta(before, after);
    const asPlanned = decisions.filter((change) => change.kind !== "reasons-changed");
    expect(delta).toEqual(asPlanned);

    const mirrored = await planChanges(after, before);
    expect(mirrored.summary.newlyDenied).toBe(plan.summary.newlyAllowed);
    expect(mirrored.summary.newlyAllowed).toBe(plan.summary.newlyDenied);
  });
});
