// What servers ask of clients, in both eras.
export { ASK_METHODS, askArguments, isAskMethod, readAsk } from "./ask.ts";
export type { Ask, AskMethod } from "./ask.ts";
export { callerOf, underRelease } from "./ask-context.ts";
export type { AskContext, AskedCaller, AskedServer } from "./ask-context.ts";
export { createAskDesk } from "./ask-desk.ts";
export type { AskDesk, AskOutcome, ClientAnswer, GovernedAnswer, OpenAsk } from "./ask-desk.ts";
export { askInCall, askInSession, rememberCaller } from "./call-asks.ts";
export { answerAskMessage } from "./client-messages.ts";
export { forwardedCapabilities, isDeclared } from "./client-capabilities.ts";
export { legacyChannel } from "./legacy-channel.ts";
export { governAskAnswer } from "./govern-answer.ts";
export { governAsk } from "./govern-ask.ts";
export type { AskRefusal, AskVerdict } from "./govern-ask.ts";
export { META_ASKING_SERVER, presentedParams, refusedReply, relayAsk } from "./relay-ask.ts";
export type { AskedClient } from "./relay-ask.ts";
export { MAX_PENDING_ASKS, SessionAsks, asksOf } from "./session-asks.ts";
export type { PendingAsk } from "./session-asks.ts";
