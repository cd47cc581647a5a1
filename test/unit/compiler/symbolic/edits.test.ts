// Edits of the template repository, proved and searched.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { describeSymbolic, planChanges, renderPlanMarkdown, renderPlanText } from "#plan";
import { showHidden } from "#compiler";
import { proveNoNewPermits, withSymbolic } from "#symbolic";
import { compileEdited } from "../plan/edited-sides.ts";
import type { Edit } from "../plan/edited-sides.ts";

const DATA = join(import.meta.dirname, "../../../data");
const TIMEOUT_MS = 120_000;

interface EditCase {
  readonly name: string;
  readonly both?: readonly Edit[];
  readonly head: readonly Edit[];
}

const EDITS = parse(readFileSync(join(DATA, "plan/edits.yaml"), "utf8")) as readonly EditCase[];
const CASES = parse(readFileSync(join(DATA, "symbolic/edits.yaml"), "utf8")) as readonly {
  readonly name: string;
  readonly asked: number;
  readonly proved: number;
  readonly found: number;
}[];

type Compiled = Awaited<ReturnType<typeof compileEdited>>;
const compiled = new Map<string, Promise<Compiled>>();

function compileOnce(edits: readonly Edit[]): Promise<Compiled> {
  const key = JSON.stringify(edits);
  const side = compiled.get(key) ?? compileEdited(edits);
  compiled.set(key, side);
  return side;
}

async function sidesOf(name: string): Promise<readonly Compiled[]> {
  const edit = EDITS.find((item) => item.name === name);
  if (edit === undefined) throw new Error(`no edit is called ${name}`);
  const both = edit.both ?? [];
  return [await compileOnce(both), await compileOnce([...both, ...edit.head])];
}

it.each(CASES)(
  "$name",
  async ({ name, asked, proved, found }) => {
    const [base, head] = await sidesOf(name);
    if (base === undefined || head === undefined) throw new Error("no sides");
    const { symbolic, changes } = await proveNoNewPermits(base, head);
    expect({ asked: symbolic.asked, proved: symbolic.proved, found: symbolic.found }).toEqual({
      asked,
      proved,
      found,
    });
    expect(symbolic.notAnalysed).toHaveLength(asked - proved - found);
    for (const { before, after } of changes) {
      expect([before.effect, after.effect]).toEqual(["deny", "allow"]);
      expect(after.reasons).not.toEqual([]);
    }
  },
  TIMEOUT_MS,
);

it(
  "adds nothing to a plan whose search found the same callers and leaf, but says so",
  async () => {
    const [base, head] = await sidesOf("role widened");
    if (base === undefined || head === undefined) throw new Error("no sides");
    const plan = await planChanges(base, head);
    const decisions = plan.changes.flatMap((change) => (change.evidence === "structural" ? [] : [change]));
    const known = await proveNoNewPermits(base, head, { found: decisions });
    expect(known.changes).toEqual([]);
    expect(known.symbolic).toEqual({ asked: 2, proved: 0, found: 2, notAnalysed: [] });

    const result = await proveNoNewPermits(base, head);
    const shown = withSymbolic(plan, result, base, head);
    expect(shown.summary.newlyAllowed).toBe(plan.summary.newlyAllowed + 1);
    const [line = ""] = describeSymbolic(result.symbolic);
    const text = renderPlanText(shown, { color: false, printable: showHidden });
    expect(text).toContain("[symbolic]");
    expect(text).toContain(line);
    expect(renderPlanMarkdown(shown)).toContain(line);
  },
  TIMEOUT_MS,
);

it(
  "leaves what it has no time for unanalysed, and ends with its signal",
  async () => {
    const [base, head] = await sidesOf("tool denied");
    if (base === undefined || head === undefined) throw new Error("no sides");
    const { symbolic } = await proveNoNewPermits(base, head, { totalTimeoutMs: 0 });
    expect(symbolic.notAnalysed.map(({ reason }) => reason)).toEqual([
      "users: the solver gave no answer: the time of the whole run is used up",
      "agents: the solver gave no answer: the time of the whole run is used up",
    ]);
    const aborted = AbortSignal.abort(new Error("stopped"));
    await expect(proveNoNewPermits(base, head, { signal: aborted })).rejects.toThrow("stopped");
  },
  TIMEOUT_MS,
);
