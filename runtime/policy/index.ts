// Door #pdp.
export type { Decision, DecisionMode, DecisionQuery, Pdp, PolicyEvaluationError } from "./pdp.ts";
