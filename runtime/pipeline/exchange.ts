// One downstream JSON-RPC message and everything learned about it. Each stage adds one field and returns the
// stronger form; the forms below are the contract between stages. Two of them carry a private brand that only one
// file can mint, so that a pipeline without `authorize` or without `record` does not compile.
import type { Era, LeafAction, LeafEntry } from "#bundle";
import type { ErrorCode } from "#errors";
import type { ClientMessage, MethodRow } from "#mcp";
import type { JsonObject } from "#std";
import type { Decision, DecisionQuery } from "#pdp";
import type { OutboundRequest } from "#upstream";
import type { AuditReceipt } from "#audit";
import type { InboundHttp } from "../listener/inbound.ts";
import type { Principal } from "../authn/principal.ts";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import type { TaskReference } from "../tasks/task-ids.ts";
import type { ReplyChannel } from "./reply-channel.ts";

export interface Exchange {
  /** Decision id: names this exchange in audit, logs and `error.data.decisionId`. */
  readonly id: string;
  readonly receivedAtMs: number;
  readonly startedMonotonicMs: number;
  readonly inbound: InboundHttp;
  readonly reply: ReplyChannel;
  readonly control: ExchangeControl;
  /** The one snapshot that governs this exchange from admission to reply. */
  readonly snapshot: Snapshot;
  /** The writing of its decision, once that has begun: a caller who goes meanwhile leaves no second decision. */
  readonly recording?: Promise<unknown> | undefined;
  /** The writing of its result, once that has begun: a caller who goes meanwhile leaves no second result. */
  readonly recordingResult?: Promise<unknown> | undefined;
  /** Records how something ended that was opened under this decision; only the first call counts. */
  readonly conclude?: ((code: ErrorCode | null) => Promise<void>) | undefined;
}

/** What the stages learn, in one word: every field that an exchange may have later. */
type Unlearned = Record<Exclude<keyof Answered & string, keyof Exchange>, undefined>;

/**
 * An exchange of which nothing is learned yet. Its later fields are there from the start, so that learning one neither
 * changes the shape of the object nor moves what it holds.
 */
export function newExchange({
  id,
  receivedAtMs,
  startedMonotonicMs,
  inbound,
  reply,
  control,
  snapshot,
}: Exchange): Exchange {
  const whole: Exchange & Unlearned = {
    id,
    receivedAtMs,
    startedMonotonicMs,
    inbound,
    reply,
    control,
    snapshot,
    recording: undefined,
    recordingResult: undefined,
    conclude: undefined,
    route: undefined,
    principal: undefined,
    message: undefined,
    method: undefined,
    era: undefined,
    protocolVersion: undefined,
    session: undefined,
    requestBytes: undefined,
    target: undefined,
    query: undefined,
    gateQuery: undefined,
    decision: undefined,
    limitsChecked: undefined,
    outbound: undefined,
    answersTo: undefined,
    receipt: undefined,
    answer: undefined,
    transformed: undefined,
  };
  return whole;
}

/**
 * The stronger form of an exchange: the same object, with what a stage has learned. Only the stage that is running holds
 * it. A copy at every stage was the largest part of what a call leaves to the garbage collector.
 */
export function learn<E extends Exchange, L extends object>(exchange: E, learned: L): E & L {
  return Object.assign(exchange, learned);
}

/** Ends an exchange early: its deadline, the caller's cancel, or a dropped connection. */
export interface ExchangeControl {
  readonly signal: AbortSignal;
  /** Starts or shortens the deadline. */
  readonly setDeadline: (deadlineMs: number) => void;
  /** In the legacy era a dropped connection does not cancel (MCP 2025-11-25, transports). */
  readonly keepAfterDisconnect: () => void;
  readonly cancel: () => void;
  /** From now until the returned function is called, a deadline that passes is UPSTREAM_TIMEOUT: the server's time. */
  readonly waitForServer: () => () => void;
}

declare const checked: unique symbol;
declare const permitted: unique symbol;
declare const recorded: unique symbol;
declare const verified: unique symbol;
declare const redacted: unique symbol;
declare const concluded: unique symbol;

export interface Checked extends Exchange {
  /** Present only in types: Host, Origin and header rules held. */
  readonly [checked]: true;
}

export interface Located extends Checked {
  readonly route: Route;
}

export interface Authenticated extends Located {
  readonly principal: Principal;
}

export interface Admitted extends Authenticated {
  readonly message: ClientMessage;
  readonly method: MethodRow;
  readonly era: Era;
  readonly protocolVersion: string;
  /** Present for every legacy message but `initialize`. */
  readonly session: LegacySession | undefined;
  readonly requestBytes: number;
}

/** What a message is about. */
export type Target =
  | {
      readonly kind: "leaf";
      readonly server: RoutedServer;
      readonly leaf: LeafEntry;
      readonly action: LeafAction;
      /** `visibility` where the message has no arguments to judge, such as completion. */
      readonly mode: "call" | "visibility";
      readonly arguments: JsonObject;
      /** The method itself, where it is decided beside what it is about: completion, subscriptions, tasks. */
      readonly gate?: MethodGate;
      /** The task that the message is about; the leaf is that of the tool that made it. */
      readonly task?: TargetTask;
    }
  /** The endpoint itself: lists, lifecycle, liveness. */
  | { readonly kind: "endpoint" };

export interface TargetTask {
  readonly reference: TaskReference;
  /** The id that the client has. */
  readonly id: string;
  /** Names the task in audit records. */
  readonly digest: string;
}

export interface MethodGate {
  readonly action: LeafAction;
  readonly arguments: JsonObject;
}

export interface Targeted extends Admitted {
  readonly target: Target;
}

export interface Projected extends Targeted {
  /** Absent where the target has no leaf. */
  readonly query: DecisionQuery | undefined;
  /** Whether the method may be used at all; absent where the target has no gate. */
  readonly gateQuery: DecisionQuery | undefined;
}

export interface Permitted extends Projected {
  /** Absent where the target has no leaf: lists are filtered leaf by leaf when they are answered. */
  readonly decision: Decision | undefined;
  readonly [permitted]: true;
}

export interface Throttled extends Permitted {
  readonly limitsChecked: number;
}

export interface Transformed extends Throttled {
  /** What will be sent upstream; absent where the gateway answers itself. */
  readonly outbound: OutboundRequest | undefined;
  /** Decision ids of the server's requests that a retry answers (MCP 2026-07-28); absent where it is none. */
  readonly answersTo: readonly string[] | undefined;
}

export interface Recorded extends Transformed {
  /** Absent for message kinds that are counted, not recorded (ping, progress). */
  readonly receipt: AuditReceipt | undefined;
  readonly [recorded]: true;
}

/** What goes back downstream. */
export type Answer =
  | {
      readonly kind: "result";
      readonly result: JsonObject;
      readonly headers?: Readonly<Record<string, string>>;
      /** Present where it is about a task and was governed as such. */
      readonly task?: AnsweredTask;
      /** It asks the client for something, and was judged and transformed entry by entry. */
      readonly isAsking?: true;
      /** As the server asked it: what ends the server's waiting where the client is not told of it after all. */
      readonly asked?: JsonObject;
    }
  | {
      readonly kind: "error";
      readonly code: number;
      readonly message: string;
      readonly data?: JsonObject;
      /** As for a result. */
      readonly isAsking?: true;
    }
  /** Accepted notification or posted response: HTTP 202 without a body. */
  | { readonly kind: "accepted" }
  | UnreadAnswer
  | WrittenAnswer;

/** What an answer has to do with a task. */
export interface AnsweredTask {
  /** Names the task in audit records. */
  readonly digest: string;
  /** The id that the client has. */
  readonly id: string;
  /** How the task goes, or the result of the tool itself. */
  readonly holds: "state" | "result";
}

/** A large answer of the upstream, well-formed but not read on this thread; it never goes downstream as it is. */
export interface UnreadAnswer {
  readonly kind: "unread";
  readonly bytes: Uint8Array;
}

/** What an answer worker made of a large answer: the whole message to the caller, on one line. */
export interface WrittenAnswer {
  readonly kind: "written";
  readonly body: Uint8Array;
  readonly outcome: "result" | "error";
  /** Code of an error, TOOL_ERROR, or null, for audit. */
  readonly code: string | number | null;
}

export interface Answered extends Recorded {
  readonly answer: Answer;
  /** Number of values a transform replaced in the answer. */
  readonly transformed: number;
}

/** The answer has the shape its method and era require. */
export interface Verified extends Answered {
  readonly [verified]: true;
}

/** Every copy of a value that a transform covers is gone from the answer. */
export interface Redacted extends Verified {
  readonly [redacted]: true;
}

/** The outcome is in the audit log; the answer may go downstream. */
export interface Concluded extends Redacted {
  readonly [concluded]: true;
}

/** The strongest form an exchange reached when it was denied: any field beyond `Exchange` may be missing. */
export type Reached = Exchange & Partial<Omit<Answered, keyof Exchange>>;
