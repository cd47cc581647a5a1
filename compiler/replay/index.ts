// Door #replay: recorded decisions, decided again.
export { explainRecord } from "./explain-record.ts";
export type { RecordExplanation } from "./explain-record.ts";
export { renderRecordJson, renderRecordText } from "./render-record.ts";
export { endLines, firmerEnd, readEnd } from "./recorded-end.ts";
export type { RecordedEnd } from "./recorded-end.ts";
export { readDecision } from "./recorded-decision.ts";
export type { FactState, RecordedDecision, RecordedFacts } from "./recorded-decision.ts";
export { DecisionReplay } from "./replay-decisions.ts";
export type { ReplayOutcome } from "./replay-decisions.ts";
export { AuditMissing, AuditTampered, openAuditLog, replayLogs } from "./replay-logs.ts";
export type { LogReplay } from "./replay-logs.ts";
export { ReplaySide } from "./replay-side.ts";
export type { ReplayInput, SideAnswer } from "./replay-side.ts";
