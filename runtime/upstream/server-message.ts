// One message of an upstream, through the one strict parser. Whatever that parser refuses is the upstream's fault.
import { isAegisError } from "#errors";
import { UPSTREAM_JSON_LIMITS, parseServerMessage } from "#mcp";
import type { ServerMessage } from "#mcp";
import { UpstreamFault } from "./upstream-fault.ts";

/**
 * @param maxBytes UTF-8 bytes the message may have.
 * @throws {UpstreamFault} UPSTREAM_PROTOCOL where it is not exactly one well-formed message, RESULT_TOO_LARGE over the cap.
 */
export function readServerMessage(input: Uint8Array | string, maxBytes: number): ServerMessage {
  try {
    return parseServerMessage(input, { ...UPSTREAM_JSON_LIMITS, maxBytes });
  } catch (error) {
    if (isAegisError(error) && error.code === "MESSAGE_TOO_LARGE") {
      throw new UpstreamFault("RESULT_TOO_LARGE", "a message is larger than the response cap", {
        cause: error,
      });
    }
    const why = isAegisError(error) ? error.detail : "unreadable";
    throw new UpstreamFault("UPSTREAM_PROTOCOL", `a malformed message (${why})`, { cause: error });
  }
}
