// Runs in a child process, as source and as a bundle: decides one short and one long call and prints the effects.
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import type { BundleContent } from "#bundle";
import { readFileSync } from "node:fs";

const [file = "", action = ""] = process.argv.slice(2);
const content = JSON.parse(readFileSync(file, "utf8")) as Pick<BundleContent, "registry" | "policies">;
const evaluator = await createEvaluator(content, { sqlParseLimitMs: 15_000 });
const principal = {
  type: "User",
  id: "ada",
  tenant: "default",
  roles: ["Developer"],
  groups: [],
  attributes: { is_external: false },
} as const;
const signal = AbortSignal.timeout(20_000);
const effects: string[] = [];
for (const sql of ["select 1", "select 1; drop table t", `select 1 where 1 in (${"1,".repeat(1_500)}1)`]) {
  const prepared = await evaluator.prepare({
    ...{ tenant: "default", action, arguments: { sql } },
    ...{ principal, request: UNKNOWN_REQUEST, signal },
  });
  effects.push(prepared.ok ? evaluator.decide(prepared.query).effect : prepared.code);
}
evaluator.dispose();
process.stdout.write(JSON.stringify(effects));
