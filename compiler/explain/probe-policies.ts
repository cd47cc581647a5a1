// Asks the engine about every policy of a slice and every term of its conditions: one decision over forbids, because
// Cedar names each satisfied forbid and each policy that errs.
import type { BundleContent, Derivation, Slice } from "#bundle";
import { ENGINE_FAULT, createCedarInstance, createCedarPdp, prepareCedar } from "#pdp";
import type { DecisionQuery } from "#pdp";
import type { JsonObject } from "#std";
import { asJson, policyEst } from "../cedar/est.ts";
import type { PolicyEst } from "../cedar/est.ts";
import { clausesOf, wholeProbe } from "./clauses.ts";
import type { ClauseParts } from "./clauses.ts";
import type { ExplainedClause, ExplainedPolicy, ExplainedTerm, Outcome } from "./explanation.ts";

/** More than this are not taken apart; each still says whether it is satisfied. */
const MAX_TERMS = 2_000;

interface ProbedPolicy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly whole: string;
  readonly clauses: readonly { readonly parts: ClauseParts; readonly probes: readonly string[] }[];
}

interface Answers {
  readonly satisfied: ReadonlySet<string>;
  readonly errors: ReadonlyMap<string, string>;
  /** Depend on a fact that is not known. */
  readonly unknown?: ReadonlySet<string>;
}

/** Whether one policy (EST) applies, as far as its facts are known. */
export type JudgePolicy = (policy: JsonObject) => "true" | "false" | "error" | "unknown";

/** Every enforced policy of the slice with its outcome, judged by `judge` instead of the engine. */
export async function judgePolicies(
  content: BundleContent,
  slice: Slice,
  judge: JudgePolicy,
  determining: ReadonlySet<string>,
): Promise<readonly ExplainedPolicy[]> {
  await prepareCedar();
  const probes = new Map<string, PolicyEst>();
  const policies = probed(content, slice, slice.derivations, probes);
  const judged = [...probes].map(([name, est]) => [name, judge(asJson(est))] as const);
  const having = (outcome: ReturnType<JudgePolicy>): readonly string[] =>
    judged.filter(([, found]) => found === outcome).map(([name]) => name);
  const answers: Answers = {
    satisfied: new Set(having("true")),
    errors: new Map(having("error").map((name) => [name, "cannot be evaluated"])),
    unknown: new Set(having("unknown")),
  };
  return policies.map((policy) => ({ ...explained(content, policy, answers, determining), mode: "enforce" }));
}

/**
 * Every policy in shadow mode with its outcome, in the order of the slice. Where a fact that they read has no value,
 * each is an error that says so.
 */
export async function probeShadowPolicies(
  content: BundleContent,
  slice: Slice,
  query: DecisionQuery,
  determining: ReadonlySet<string>,
): Promise<readonly ExplainedPolicy[]> {
  if (slice.shadow.length === 0) return [];
  const { schema, derivations } = slice.shadowFacts ?? { schema: slice.schema, derivations: [] };
  const asked: Slice = {
    ...slice,
    ...{ schema, call: slice.shadow, derivations: [...slice.derivations, ...derivations] },
  };
  const { shadow } = query;
  const context = shadow?.ok === true ? shadow.context : query.context;
  const policies = await probePolicies(content, asked, { ...query, context }, determining, "shadow");
  if (shadow?.ok !== false) return policies;
  const error = `a fact has no value: ${shadow.detail}`;
  return policies.map((policy) => ({ ...policy, outcome: "error", error, clauses: [] }));
}

/** Every enforced policy of the slice with its outcome, in the order of the slice. */
export async function probePolicies(
  content: BundleContent,
  slice: Slice,
  query: DecisionQuery,
  determining: ReadonlySet<string>,
  mode: ExplainedPolicy["mode"] = "enforce",
): Promise<readonly ExplainedPolicy[]> {
  await prepareCedar();
  const probes = new Map<string, PolicyEst>();
  const policies = probed(content, slice, slice.derivations, probes);
  const answers = await ask(content, slice, query, probes);
  return policies.map((policy) => ({ ...explained(content, policy, answers, determining), mode }));
}

function probed(
  content: BundleContent,
  slice: Slice,
  derivations: readonly Derivation[],
  probes: Map<string, PolicyEst>,
): readonly ProbedPolicy[] {
  const cedar = createCedarInstance();
  const add = (est: PolicyEst): string => {
    const name = `probe${probes.size}`;
    probes.set(name, est);
    return name;
  };
  return slice.call.flatMap(({ id, residual }) => {
    const est = policyEst(content.policies.residuals[residual]);
    if (est === undefined) return [];
    const whole = add(wholeProbe(est));
    const parts = probes.size < MAX_TERMS ? clausesOf(est, derivations, cedar) : [];
    const clauses = parts.map((clause) => ({ parts: clause, probes: clause.probes.map(add) }));
    return [{ id, effect: est.effect, whole, clauses }];
  });
}

async function ask(
  content: BundleContent,
  slice: Slice,
  query: DecisionQuery,
  probes: ReadonlyMap<string, PolicyEst>,
): Promise<Answers> {
  const residuals: Record<string, JsonObject> = {};
  for (const [name, est] of probes) residuals[name] = asJson(est);
  const call = [...probes.keys()].map((name) => ({ id: name, residual: name }));
  const section = {
    residuals,
    schemas: content.policies.schemas,
    slices: [{ ...slice, call, visibility: [], shadow: [] }],
  };
  const pdp = await createCedarPdp(section, content.registry);
  try {
    const { reasons, errors } = pdp.decide(query);
    const fault = errors.find(({ policy }) => policy === ENGINE_FAULT);
    if (fault !== undefined) {
      return {
        satisfied: new Set(),
        errors: new Map([...probes.keys()].map((name) => [name, fault.message])),
      };
    }
    return {
      satisfied: new Set(reasons),
      errors: new Map(errors.map(({ policy, message }) => [policy, message])),
    };
  } finally {
    pdp.dispose();
  }
}

function explained(
  content: BundleContent,
  policy: ProbedPolicy,
  answers: Answers,
  determining: ReadonlySet<string>,
): Omit<ExplainedPolicy, "mode"> {
  const { id, effect, whole } = policy;
  const source = Object.hasOwn(content.sources.policies, id) ? content.sources.policies[id] : undefined;
  const error = answers.errors.get(whole);
  const settled =
    error !== undefined ? "error" : answers.satisfied.has(whole) ? "satisfied" : "not-satisfied";
  return {
    id,
    effect,
    at: source === undefined ? undefined : { file: source.file, line: source.line, column: source.column },
    reason: source?.reason,
    outcome: answers.unknown?.has(whole) === true ? "unknown" : settled,
    error,
    isDetermining: determining.has(id),
    clauses: explainedClauses(policy.clauses, answers),
  };
}

/** Clauses in order of evaluation; what follows one that decides is not reached. */
function explainedClauses(clauses: ProbedPolicy["clauses"], answers: Answers): readonly ExplainedClause[] {
  let isReached = true;
  return clauses.map(({ parts, probes }) => {
    const { kind, combine } = parts;
    const terms: ExplainedTerm[] = [];
    let isOpen = isReached;
    for (const [index, probe] of probes.entries()) {
      const outcome = isOpen ? outcomeOf(probe, answers) : "not-reached";
      terms.push({ text: parts.texts[index] ?? "", outcome });
      // What follows an unknown term may be reached, and may settle the clause.
      if (outcome !== (combine === "any" ? "false" : "true") && outcome !== "unknown") isOpen = false;
    }
    const outcome = isReached ? combined(terms, combine) : "not-reached";
    if (outcome !== (kind === "unless" ? "false" : "true") && outcome !== "unknown") isReached = false;
    return { kind, combine, outcome, terms };
  });
}

function outcomeOf(probe: string, { satisfied, errors, unknown }: Answers): Outcome {
  if (unknown?.has(probe) === true) return "unknown";
  if (errors.has(probe)) return "error";
  return satisfied.has(probe) ? "true" : "false";
}

function combined(terms: readonly ExplainedTerm[], combine: ExplainedClause["combine"]): Outcome {
  const decisive = combine === "any" ? "true" : "false";
  const found = terms.find(({ outcome }) => outcome === "error" || outcome === decisive);
  const isUnknown = terms.some(({ outcome }) => outcome === "unknown");
  if (isUnknown && found?.outcome !== decisive) return "unknown";
  return found?.outcome ?? (combine === "any" ? "false" : "true");
}
