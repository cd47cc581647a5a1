// Door #pdp: how a call is decided.
export type {
  Decision,
  DecisionMode,
  DecisionQuery,
  Pdp,
  PolicyEvaluationError,
  ShadowContext,
  ShadowDecision,
} from "./pdp.ts";
export { createCedarInstance, prepareCedar } from "./cedar-instance.ts";
export type { CedarInstance } from "./cedar-instance.ts";
export { createCedarPdp } from "./cedar-engine.ts";
export type { CedarPdpOptions } from "./cedar-engine.ts";
export { createInterpretedPdp } from "./interpreted-engine.ts";
export type { DecisionDifference, InterpretedPdp, InterpretedPdpOptions } from "./interpreted-engine.ts";
export { qualifiedId, TENANT_QUALIFIED } from "./cedar-request.ts";
export { ENGINE_FAULT } from "./decisions.ts";
export { createEvaluator } from "./evaluator.ts";
export type { CallInput, Evaluator, EvaluatorOptions, PreparedCall } from "./evaluator.ts";
export { isListed } from "./listed.ts";
export type { ListCaller } from "./listed.ts";
export { REQUEST_MEMBERS, UNKNOWN_REQUEST, requestContext } from "./request-context.ts";
export type { RequestMember } from "./request-context.ts";
export { viewSchema } from "./schema-view.ts";
export type { SchemaView } from "./schema-view.ts";
export { factReads } from "./fact-reads.ts";
export type { FactReads, ReadMember } from "./fact-reads.ts";
// Parts of the interpreter, for deciding off the gateway with facts that are not known.
export { principalEntity, serverEntity, tenantsOf } from "./cedar-request.ts";
export type { CedarEntity } from "./cedar-request.ts";
export { compileExpression } from "./interpreter/compile-expression.ts";
export type { Evaluate, Frame, KnownEntity } from "./interpreter/frame.ts";
export { EvaluationError } from "./interpreter/long.ts";
export { OPERATORS } from "./interpreter/operators.ts";
export type {
  BinaryOperator,
  ExtensionFunction,
  OperatorTable,
  UnaryOperator,
} from "./interpreter/operators.ts";
export { compileRequestTypes } from "./interpreter/request-types.ts";
export type { RequestTypes } from "./interpreter/request-types.ts";
export { ReferenceOnly, UnsupportedConstruct } from "./interpreter/unsupported.ts";
export { EntityValue, RecordValue, SetValue } from "./interpreter/values.ts";
export type { Value } from "./interpreter/values.ts";
