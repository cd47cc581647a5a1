// Measures decisions over one repository. Usage: node decision-process.ts <policies> <decisions> <engine>; JSON on stdout.
// The measured tool always has the same ten policies; all others belong to up to 500 other tools.
import { DEFAULT_TENANT, leafActionOf } from "#bundle";
import type { PrincipalFacts } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import { UNKNOWN_REQUEST, createCedarPdp, createEvaluator } from "#pdp";
import { ECHO_SERVER, ECHO_TOOL, MAX_OWN_POLICIES, benchRepo } from "../repo/bench-repo.ts";
import { quantile } from "../statistics.ts";
import { DECISION_ENGINES } from "./decision.ts";
import type { DecisionSample } from "./decision.ts";

const MAX_OTHER_TOOLS = 500;
const WARM_UP = 2_000;
/** Different arguments, callers and outcomes, so that no result can be remembered. */
const TEXTS = [
  "help me with",
  "an internal note about",
  "drop table of",
  "classified-3 but not",
  "the weather in",
];

const policies = Number(process.argv[2]);
const decisions = Number(process.argv[3]);
const engine = DECISION_ENGINES.find((name) => name === process.argv[4]);
if (engine === undefined) throw new Error(`the engine must be one of ${DECISION_ENGINES.join(", ")}`);
const otherPolicies = policies - MAX_OWN_POLICIES;
const files = benchRepo({
  ownPolicies: MAX_OWN_POLICIES,
  loaded: true,
  otherPolicies,
  otherTools: Math.min(MAX_OTHER_TOOLS, otherPolicies),
});
const { content } = await compile({ dir: "", workspace: memoryWorkspace(files) });
if (content === undefined) throw new Error("the bench repository does not compile");
const evaluator = await createEvaluator(
  content,
  engine === "cedar-wasm" ? { createPdp: createCedarPdp } : {},
);
const action = leafActionOf("tools/call", ECHO_SERVER, ECHO_TOOL);
const signal = new AbortController().signal;
const principals = [true, false].map((isExternal, index): PrincipalFacts => ({
  tenant: DEFAULT_TENANT,
  type: "User",
  id: `caller-${String(index)}`,
  roles: ["Developer", "Employee"],
  groups: [],
  attributes: { is_external: isExternal },
}));

const prepareMicros = new Float64Array(decisions);
const decideMicros = new Float64Array(decisions);
let allowed = 0;
for (let index = -WARM_UP; index < decisions; index++) {
  const principal = principals[index & 1];
  const text = `${TEXTS[Math.abs(index) % TEXTS.length] ?? ""} ${String(index)}`;
  if (principal === undefined) throw new Error("no principal");
  const startMs = performance.now();
  const prepared = await evaluator.prepare({
    tenant: DEFAULT_TENANT,
    action,
    arguments: { text },
    principal,
    request: UNKNOWN_REQUEST,
    signal,
  });
  const preparedMs = performance.now();
  if (!prepared.ok) throw new Error(prepared.detail);
  const decision = evaluator.decide(prepared.query);
  const decidedMs = performance.now();
  if (index < 0) continue;
  if (decision.effect === "allow") allowed++;
  prepareMicros[index] = (preparedMs - startMs) * 1_000;
  decideMicros[index] = (decidedMs - preparedMs) * 1_000;
}
evaluator.dispose();
if (allowed === 0 || allowed >= decisions) throw new Error("the decisions are all the same");
prepareMicros.sort();
decideMicros.sort();
const sample: DecisionSample = {
  prepareP50Micros: quantile(prepareMicros, 0.5),
  prepareP99Micros: quantile(prepareMicros, 0.99),
  decideP50Micros: quantile(decideMicros, 0.5),
  decideP99Micros: quantile(decideMicros, 0.99),
};
process.stdout.write(`${JSON.stringify(sample)}\n`);
