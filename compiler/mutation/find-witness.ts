// A call that tells a surviving mutant from the original: searched as a plan searches, shown as the test to add.
import type { BundleContent, LeafAction, Slice } from "#bundle";
import type { CompileResult } from "#compiler";
import { describeDecision, planChanges } from "#plan";
import type { DecisionChange, PlanInput } from "#plan";
import { createEvaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { CompiledMutant } from "./compile-mutant.ts";
import type { MutantWitness } from "./mutant.ts";
import { matrixTest } from "./suggest-test.ts";
import type { TestTarget } from "./suggest-test.ts";
import { transformWitness } from "./transform-witness.ts";

type Model = Pick<CompileResult["model"], "roles" | "suites">;

/** Changes of which a witness is made. */
const MAX_TRIED = 50;

/** Undefined where no call was found; that proves nothing. */
export async function findWitness(
  compiled: CompiledMutant,
  model: Model,
  signal: AbortSignal | undefined,
): Promise<MutantWitness | undefined> {
  const changes = await decisionChanges(compiled, model, false, signal);
  const told = changes.filter((item) => item.kind !== "reasons-changed" || isTold(item));
  const witnesses = told.slice(0, MAX_TRIED).map((change) => witnessOf(compiled, change, undefined));
  // A call that a test can make is worth more than the first.
  const witness = witnesses.find(({ test }) => test !== "") ?? witnesses[0];
  if (witness !== undefined) return witness;
  const transformed = await transformWitness(compiled, model, signal);
  if (transformed !== undefined) return transformed;
  // What a policy in shadow mode would decide is seen where all of them are enforced.
  const [shadow] = await decisionChanges(compiled, model, true, signal);
  if (shadow === undefined || shadow.kind === "reasons-changed") return undefined;
  return witnessOf(compiled, shadow, await effectOf(compiled.base, shadow, signal));
}

async function decisionChanges(
  { base, content }: CompiledMutant,
  model: Model,
  enforced: boolean,
  signal: AbortSignal | undefined,
): Promise<readonly DecisionChange[]> {
  const side = (of: BundleContent, digest: string): PlanInput => ({
    bundle: { content: enforced ? withShadow(of) : of, digest },
    model,
  });
  if (
    enforced &&
    [base, content].every((of) => of.policies.slices.every(({ shadow }) => shadow.length === 0))
  )
    return [];
  const plan = await planChanges(side(base, "original"), side(content, "mutant"), {
    identicalLeaves: "skip",
    ...(signal === undefined ? {} : { signal }),
  });
  return plan.changes.filter((change): change is DecisionChange => change.evidence !== "structural");
}

/** A test can ask for reasons that must be there; it cannot ask for none other. */
function isTold({ before, after }: DecisionChange): boolean {
  return before.code === undefined && before.reasons.some((id) => !after.reasons.includes(id));
}

/** The content with the policies in shadow mode enforced. */
function withShadow(content: BundleContent): BundleContent {
  const slices = content.policies.slices.map((slice): Slice => {
    const { call, shadow, derivations, shadowFacts, ...rest } = slice;
    const program = shadowFacts?.argumentsProgram;
    return {
      ...rest,
      call: [...call, ...shadow],
      shadow: [],
      derivations: [...derivations, ...(shadowFacts?.derivations ?? [])],
      schema: shadowFacts?.schema ?? rest.schema,
      ...(program === undefined ? {} : { argumentsProgram: program }),
    };
  });
  return { ...content, policies: { ...content.policies, slices } };
}

async function effectOf(
  content: BundleContent,
  { action, witness }: DecisionChange,
  signal: AbortSignal | undefined,
): Promise<"allow" | "deny"> {
  const evaluator = await createEvaluator(content, signal === undefined ? {} : { signal });
  try {
    const { principal: facts, request } = witness;
    const caller = { facts, missingAttributes: [], ...(request === undefined ? {} : { request }) };
    return (await decideCall(evaluator, caller, action, witness.arguments, signal)).effect;
  } finally {
    evaluator.dispose();
  }
}

/** `enforced`: what is decided while the policies that tell the two apart are in shadow mode. */
function witnessOf(
  { base }: CompiledMutant,
  change: DecisionChange,
  enforced: "allow" | "deny" | undefined,
): MutantWitness {
  const { action, before, after, principal, witness } = change;
  const isShadow = enforced !== undefined;
  const mode = isShadow ? " in shadow mode" : "";
  return {
    principal,
    facts: witness.principal,
    ...(witness.request === undefined ? {} : { request: witness.request }),
    action,
    arguments: witness.arguments,
    original: `${describeDecision(before)}${mode}`,
    mutant: `${describeDecision(after)}${mode}`,
    test: matrixTest({
      target: targetOf(base, action),
      caller: witness,
      effect: enforced ?? before.effect,
      ...(isShadow ? { shadow: before.effect } : {}),
      ...(change.kind === "reasons-changed"
        ? { reasons: before.reasons.filter((id) => !after.reasons.includes(id)) }
        : {}),
    }),
  };
}

/** The definition that an action stands for; undefined where the original has none. */
function targetOf(content: BundleContent, action: LeafAction): TestTarget | undefined {
  for (const server of content.registry.servers) {
    const leaf = server.leaves.find((item) => item.action === action);
    if (leaf !== undefined) return { server: server.id, kind: leaf.kind, name: leaf.name, action };
  }
  return undefined;
}
