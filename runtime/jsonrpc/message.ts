// JSON-RPC 2.0 messages after the one strict parse.
import type { JsonObject, JsonValue } from "#std";

/** A string or a safe integer; `1` and `"1"` are different ids. */
export type RequestId = string | number;

export interface RequestMessage {
  readonly kind: "request";
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface NotificationMessage {
  readonly kind: "notification";
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/** A client's answer to a server-initiated request (legacy only). */
export interface ResponseMessage {
  readonly kind: "response";
  readonly id: RequestId;
  readonly result?: JsonValue;
  readonly error?: JsonObject;
}

export type ClientMessage = RequestMessage | NotificationMessage | ResponseMessage;

/** A server's answer. `id` is null on an error about a message whose id the server could not read. */
export interface ServerResponseMessage {
  readonly kind: "response";
  readonly id: RequestId | null;
  readonly result?: JsonObject;
  readonly error?: JsonObject;
}

export type ServerMessage = RequestMessage | NotificationMessage | ServerResponseMessage;
