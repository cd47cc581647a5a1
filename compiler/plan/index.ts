// Door #plan: which decisions change between two versions of a repository.
export { decisionDelta, planChanges } from "./plan-changes.ts";
export type { PlanOptions } from "./plan-changes.ts";
export { bundleInput } from "../calls/plan-side.ts";
export type { PlanInput } from "../calls/plan-side.ts";
export { checkInvariants } from "./check-invariants.ts";
export type { InvariantResult } from "../model/invariant.ts";
export { violatedGates, withGates } from "../gates/evaluate-gates.ts";
export { describeGate } from "../gates/render-gates.ts";
export { violated } from "../invariants/render-invariants.ts";
export type {
  DecisionChange,
  DecisionChangeKind,
  DecisionEvidence,
  GateResult,
  Plan,
  PlanBase,
  PlanChange,
  PlanDecision,
  PlanMatrix,
  PlanReplay,
  PlanSearch,
  PlanSource,
  PlanSummary,
  PlanSymbolic,
  PlanWitness,
  RecordedWitness,
  StructuralChange,
  StructuralChangeKind,
} from "./plan-types.ts";
export {
  describeDecision,
  describeRow,
  describeSubject,
  describeWitness,
  isImplied,
  nothingFound,
  plural,
  searchLine,
  signOf,
} from "./describe-change.ts";
export { notedPolicies } from "./policy-changes.ts";
export { planSources } from "./plan-sources.ts";
export { PROVED_SCOPE, describeSymbolic, isAllProved } from "./describe-symbolic.ts";
export { describeReplay } from "./describe-replay.ts";
export { renderPlanHtml } from "../plan-html/index.ts";
export { renderPlanMarkdown } from "./render-markdown.ts";
export { PLAN_FORMAT_VERSION, planDigest, renderPlanJson, renderPlanText } from "./render-plan.ts";
export type { PlanTextOptions } from "./render-plan.ts";
