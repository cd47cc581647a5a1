// The cases of test/data/symbolic/changes.yaml: one tool each, of one bundle on either side.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { createCedarInstance } from "#pdp";
import type { PlanInput } from "#plan";
import { proveNoNewPermits } from "#symbolic";
import type { PolicyEst } from "../../../../compiler/cedar/est.ts";
import type { EncodingTable } from "../../../../compiler/symbolic/encodings.ts";
import type { Solver } from "../../../../compiler/symbolic/solver.ts";
import { inputOf } from "./random-sides.ts";

export interface ChangeCase {
  readonly of: string;
  readonly expect: "found" | "proved";
  readonly base: string;
  readonly head: string;
}

export const CHANGE_CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/symbolic/changes.yaml"), "utf8"),
) as readonly ChangeCase[];

const cedar = createCedarInstance();

function policiesOf(text: string): readonly PolicyEst[] {
  const written = /^\[(?:permit|forbid)\]/u.test(text) ? text : `[permit] ${text}`;
  return written
    .split(/\[(?=permit\]|forbid\])/u)
    .filter((part) => part !== "")
    .map((part) => {
      const [, effect, condition = ""] = /^(permit|forbid)\] (.*)$/u.exec(part.trim()) ?? [];
      const source = `${effect ?? ""}(principal, action, resource) when { ${condition.replace(/\bA\b/gu, "context.arguments")} };`;
      const answer = cedar.policyToJson(source);
      if (answer.type !== "success") throw new Error(`${source}: ${JSON.stringify(answer.errors)}`);
      return answer.json as unknown as PolicyEst;
    });
}

export function actionOf(index: number): string {
  return `tools/call:s/t${String(index).padStart(4, "0")}`;
}

function sideOf(cases: readonly ChangeCase[], side: "base" | "head"): PlanInput {
  return inputOf(cases.map((item, index) => [actionOf(index), policiesOf(item[side])]));
}

/** What a solver says of each case, in order; `open` is neither. */
export async function answersOf(
  cases: readonly ChangeCase[],
  solver: Solver,
  table?: EncodingTable,
): Promise<readonly ("found" | "open" | "proved")[]> {
  const { symbolic, changes } = await proveNoNewPermits(sideOf(cases, "base"), sideOf(cases, "head"), {
    solver,
    queryTimeoutMs: 20_000,
    ...(table === undefined ? {} : { table }),
  });
  const found = new Set(changes.map(({ action }) => action));
  const open = new Set(symbolic.notAnalysed.map(({ action }) => action));
  return cases.map((_case, index) => {
    const action = actionOf(index);
    return open.has(action) ? "open" : found.has(action) ? "found" : "proved";
  });
}
