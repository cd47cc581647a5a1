// What the main thread and an answer worker say to each other. Bytes are transferred, never copied.
import type { Era } from "#bundle";
import type { ErrorCode } from "#errors";
import type { RequestId, ServerMessage } from "#mcp";
import type { Translation } from "../bridge/translate-reply.ts";
import type { Denial } from "../pipeline/verdict.ts";
import type { TaskPlan } from "../tasks/task-answers.ts";

/** A message above this many bytes (UTF-16 units where it comes as text) is not parsed on the main thread. */
export const LARGE_MESSAGE_BYTES = 256 * 1024;

/** What makes the caller's message out of the upstream's. */
export interface FinishPlan {
  /** The caller's id. */
  readonly id: RequestId;
  readonly era: Era;
  /** Of the message that was sent upstream. */
  readonly method: string;
  readonly maxBytes: number;
  readonly transform: PlannedTransform | undefined;
  /** Present where the answer is about a task. */
  readonly task?: TaskPlan;
  /** Present where the server is of the other era. */
  readonly translation?: Translation;
  /** Present where the endpoint has several servers. */
  readonly names?: PlannedNames;
}

/** What clients of the endpoint call what the answer names. */
export interface PlannedNames {
  /** Hex SHA-256 of `routeJson`. */
  readonly digest: string;
  /** As `writeNames` of naming makes it. */
  readonly routeJson: string;
  /** Whose answer it is. */
  readonly server: string;
  /** Of the caller's message. */
  readonly method: string;
}

export interface PlannedTransform {
  /** Hex SHA-256 of `entryJson`. */
  readonly digest: string;
  /** A `TransformEntry`; as text, because a cloned value would lose its lossless numbers. */
  readonly entryJson: string;
  /** Keyed by tenant and purpose; see `hashKeyOf`. */
  readonly hashKey: Uint8Array;
}

/** The plan as it travels: an entry or a route that this worker has compiled is not sent again. */
export interface SentPlan extends Omit<FinishPlan, "names" | "transform" | "translation"> {
  readonly transform:
    (Omit<PlannedTransform, "entryJson"> & { readonly entryJson: string | undefined }) | undefined;
  readonly names?: Omit<PlannedNames, "routeJson"> & { readonly routeJson: string | undefined };
  /** As text: what a client declares may hold numbers that cannot be cloned. */
  readonly translationJson?: string;
  /** Everything compiled so far is dropped first. */
  readonly forget: boolean;
}

export type WorkerRequest =
  | { readonly kind: "inspect"; readonly input: Uint8Array | string; readonly maxBytes: number }
  | { readonly kind: "finish"; readonly bytes: Uint8Array; readonly plan: SentPlan };

/** A message without its content: of a result `{}`, of an error its code, of a request or notification its method. */
export interface Inspected {
  readonly kind: "inspected";
  readonly envelope: ServerMessage;
  /** The whole message, well-formed, as UTF-8. */
  readonly bytes: Uint8Array;
}

export interface Finished {
  readonly kind: "finished";
  /** The caller's JSON-RPC message on one line. */
  readonly body: Uint8Array;
  readonly outcome: "result" | "error";
  /** As the audit log has it. */
  readonly code: string | number | null;
  readonly applied: number;
}

export type WorkerReply =
  | { readonly kind: "ready" }
  | Inspected
  | Finished
  | { readonly kind: "denied"; readonly denial: Denial }
  | { readonly kind: "fault"; readonly code: ErrorCode; readonly detail: string };
