// Messages that are too large to be parsed on the main thread: somebody else says what they are, and their content
// passes through unread. Only answers have content that is wanted; of anything else the envelope is enough.
import { isAegisError } from "#errors";
import type { ServerMessage } from "#mcp";
import { UpstreamFault } from "./upstream-fault.ts";

/** Reads messages off the main thread. */
export interface LargeMessages {
  /** Messages above it are large; UTF-16 units where a message comes as text. */
  readonly thresholdBytes: number;
  /** Takes `input` over. Rejects with an AegisError. */
  readonly inspect: (
    server: string,
    input: Uint8Array | string,
    maxBytes: number,
    signal: AbortSignal,
  ) => Promise<{ readonly envelope: ServerMessage; readonly bytes: Uint8Array }>;
}

export interface LargeMessage {
  /** A result is `{}` in it, an error has its code, a request or notification its method alone. */
  readonly envelope: ServerMessage;
  readonly bytes: Uint8Array;
}

/** @throws {UpstreamFault} UPSTREAM_PROTOCOL, RESULT_TOO_LARGE, RESULT_BLOCKED, or the code of the signal's reason */
export async function inspectLarge(
  reader: LargeMessages,
  server: string,
  input: Uint8Array | string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<LargeMessage> {
  try {
    return await reader.inspect(server, input, maxBytes, signal);
  } catch (fault) {
    if (!isAegisError(fault)) throw new UpstreamFault("RESULT_BLOCKED", "a large message was not read");
    switch (fault.code) {
      case "MESSAGE_TOO_LARGE":
        throw new UpstreamFault("RESULT_TOO_LARGE", "a message is larger than the response cap", {
          cause: fault,
        });
      case "JSON_INVALID":
      case "MESSAGE_INVALID":
      case "METHOD_UNKNOWN":
        throw new UpstreamFault("UPSTREAM_PROTOCOL", `a malformed message (${fault.detail})`, {
          cause: fault,
        });
      default:
        throw new UpstreamFault(fault.code, fault.detail, { cause: fault });
    }
  }
}
