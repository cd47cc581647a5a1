// Random cases, proved and searched: what a proof says of them, and every contradiction between the two.
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import { proveNoNewPermits } from "#symbolic";
import type { EncodingTable } from "../../../../compiler/symbolic/encodings.ts";
import type { Solver } from "../../../../compiler/symbolic/solver.ts";
import { randomSides } from "./random-sides.ts";
import type { Call } from "./random-sides.ts";

export interface DifferentialReport {
  readonly proved: number;
  readonly found: number;
  /** Newly allowed in the brute search. */
  readonly searched: number;
  /** Proved, and yet a call is newly allowed. */
  readonly contradictions: readonly string[];
  /** A row whose witness the sides decide otherwise. */
  readonly falseRows: readonly string[];
  /** Neither proved nor found; every construct of the cases is in the fragment. */
  readonly undecided: readonly string[];
}

/** Whether the head allows a call that the base denies. */
export async function isNewlyAllowed(sides: Evaluators, action: string, call: Call): Promise<boolean> {
  const effects = [];
  for (const side of [sides.base, sides.head]) {
    const caller = {
      facts: call.principal,
      request: call.request,
      missingAttributes: Object.hasOwn(call.principal.attributes, "staff") ? [] : ["staff"],
    };
    const { effect } = await decideCall(side, caller, action, call.arguments);
    effects.push(effect);
  }
  return effects[0] === "deny" && effects[1] === "allow";
}

interface Evaluators {
  readonly base: Evaluator;
  readonly head: Evaluator;
}

export async function runDifferential(
  seed: number,
  count: number,
  solver: Solver,
  table?: EncodingTable,
): Promise<DifferentialReport> {
  const sides = randomSides(seed, count);
  const contents = [sides.base, sides.head].map(({ bundle }) => bundle?.content);
  const [baseContent, headContent] = contents;
  if (baseContent === undefined || headContent === undefined) throw new Error("no content");
  const evaluators = { base: await createEvaluator(baseContent), head: await createEvaluator(headContent) };
  try {
    const result = await proveNoNewPermits(sides.base, sides.head, {
      solver,
      queryTimeoutMs: 20_000,
      ...(table === undefined ? {} : { table }),
    });
    const falseRows: string[] = [];
    for (const row of result.changes) {
      const call = { request: row.witness.request, ...row.witness } as unknown as Call;
      if (!(await isNewlyAllowed(evaluators, row.action, call)))
        falseRows.push(`${row.action} ${row.principal}`);
    }
    const rows = new Set(result.changes.map(({ action }) => action));
    const open = new Set(result.symbolic.notAnalysed.map(({ action }) => action));
    const contradictions: string[] = [];
    let searched = 0;
    for (const { action, calls, base, head } of sides.cases) {
      let shown: Call | undefined;
      for (const call of calls) {
        if (!(await isNewlyAllowed(evaluators, action, call))) continue;
        shown = call;
        break;
      }
      if (shown === undefined) continue;
      searched += 1;
      if (!rows.has(action) && !open.has(action))
        contradictions.push(JSON.stringify({ seed, action, call: shown, base, head }));
    }
    const undecided = result.symbolic.notAnalysed.map(({ action, reason }) => `${action} ${reason}`);
    const { proved, found } = result.symbolic;
    return { proved, found, searched, contradictions, falseRows, undecided };
  } finally {
    evaluators.base.dispose();
    evaluators.head.dispose();
  }
}
