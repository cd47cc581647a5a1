// Plans one changed policy in a big repository, cold. Usage: node plan-process.ts <tools> <policies>; JSON on stdout.
import { compile, memoryWorkspace } from "#compiler";
import { planChanges, renderPlanJson } from "#plan";
import { MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import type { PlanSample } from "./plan.ts";

const tools = Number(process.argv[2]);
const policies = Number(process.argv[3]);
const files = benchRepo({
  ownPolicies: MAX_OWN_POLICIES,
  loaded: true,
  otherTools: tools - 1,
  otherPolicies: policies - MAX_OWN_POLICIES,
});

/** The repository with one of its policies granted to another role. */
function changed(): ReadonlyMap<string, string> {
  const before = 'Role::"Developer"';
  const file = [...files].findLast(([path, text]) => path.endsWith(".cedar") && text.includes(before));
  if (file === undefined) throw new Error("no policy of the bench repository names a role");
  const [path, text] = file;
  return new Map([...files, [path, text.replace(before, 'Role::"Employee"')]]);
}

const startMs = performance.now();
const base = await compile({ dir: "", workspace: memoryWorkspace(files) });
const head = await compile({ dir: "", workspace: memoryWorkspace(changed()) });
const compiledMs = performance.now();
const plan = await planChanges(base, head);
const json = renderPlanJson(plan);
const endMs = performance.now();
const { newlyAllowed, newlyDenied } = plan.summary;
if (newlyAllowed === 0 || newlyDenied === 0) throw new Error("the plan did not see the change");
const sample: PlanSample = {
  planMs: endMs - compiledMs,
  wholeMs: endMs - startMs,
  calls: plan.searched.calls,
  rows: plan.changes.length,
  planBytes: Buffer.byteLength(json),
};
process.stdout.write(`${JSON.stringify(sample)}\n`);
