// Reads the body of one HTTP answer, JSON or event stream, into the messages it carries.
import type { Response } from "undici";
import { BridgeError } from "./bridge-error.ts";
import { readEvents } from "./event-stream.ts";
import type { StreamPosition } from "./event-stream.ts";
import { readServerText } from "./message.ts";
import type { ServerText } from "./message.ts";

const MAX_BODY_BYTES = 16_777_216;

export type OnMessage = (message: ServerText) => Promise<void>;

/** Essence of the media type, in lower case. */
export function mediaTypeOf(response: Response): string {
  return (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** The whole body. @throws {BridgeError} GATEWAY_ANSWER_INVALID where it is too large or not UTF-8 */
export async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).length;
    if (length > MAX_BODY_BYTES) throw invalid("an answer that is too large");
    chunks.push(chunk as Uint8Array);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks, length));
  } catch (cause) {
    throw invalid("an answer that is not UTF-8", { cause });
  }
}

/** One message from text. @throws {BridgeError} GATEWAY_ANSWER_INVALID */
export function messageOf(text: string): ServerText {
  try {
    return readServerText(text);
  } catch (cause) {
    throw invalid("an answer that is not JSON", { cause });
  }
}

/** Every message of an answer with a good status. An answer without any body has none. */
export async function readAnswer(
  response: Response,
  position: StreamPosition,
  onMessage: OnMessage,
): Promise<void> {
  const mediaType = mediaTypeOf(response);
  if (mediaType === "text/event-stream") {
    const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
    await readEvents(body, position, (text) => onMessage(messageOf(text)));
    return;
  }
  const text = await readBody(response);
  if (mediaType === "application/json") await onMessage(messageOf(text));
  else if (text.trim() !== "") throw invalid(`an answer of type ${mediaType === "" ? "none" : mediaType}`);
}

function invalid(what: string, options?: ErrorOptions): BridgeError {
  return new BridgeError(
    "GATEWAY_ANSWER_INVALID",
    `the gateway sent ${what}`,
    "check that the URL is that of an MCP endpoint",
    options,
  );
}
