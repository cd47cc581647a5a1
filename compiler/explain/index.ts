// Door #explain: why a call is decided as it is.
export { whyNot } from "./why-not.ts";
export type { WhyNotRequest } from "./why-not.ts";
export { explainCall, operationDetail, pathText } from "./explain-call.ts";
export type { ExplainRequest } from "./explain-call.ts";
export { AskError, findCall, findCaller, namedCall, parseObject } from "./find-call.ts";
export type { FoundCall } from "./find-call.ts";
export { findRequest } from "./find-request.ts";
export type {
  ExplainedClause,
  ExplainedFact,
  ExplainedPolicy,
  ExplainedTerm,
  ExplainedTransform,
  Explanation,
  Outcome,
  PolicyPlace,
} from "./explanation.ts";
export {
  EXPLANATION_FORMAT_VERSION,
  renderExplanationJson,
  renderExplanationText,
  renderPolicies,
} from "./render-explanation.ts";
export type { ExplainTextOptions } from "./render-explanation.ts";
export { judgePolicies } from "./probe-policies.ts";
export type { JudgePolicy } from "./probe-policies.ts";
