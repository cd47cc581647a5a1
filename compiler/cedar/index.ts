// Door of the Cedar compiler: Cedar text and a model of the pinned servers in, slices and findings out.
export { compileCedar } from "./compile.ts";
export type { CedarInput, CedarModel, CedarOutput } from "./compile.ts";
export { CEDAR_CODES } from "./finding.ts";
export type { CedarCode, CedarFinding, CedarSeverity } from "./finding.ts";
export { formatCedar, tryFormatCedar } from "./format.ts";
export type { FormatOutcome } from "./format.ts";
export type { SqlArgument } from "./derived-facts.ts";
export { factName, matchesName, sqlDerivation } from "./derived-methods.ts";
export {
  bodyOf,
  childrenOf,
  entityLiteral,
  isVar,
  open,
  operand,
  pathOf,
  scopeEntities,
  someExpr,
  visitExprs,
} from "./est.ts";
export type { Clause, Expr, PolicyEst } from "./est.ts";
export { isSymbol } from "./lexer.ts";
export { entitiesIn, entitySpan, spanOfTokens, targetsIn } from "./name-checks.ts";
export type { CedarSource, GeneratedPolicy, ParsedPolicy } from "./parse.ts";
