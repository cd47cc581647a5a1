// Server-sent events of one response, message by message, with what a later GET needs to go on.
import { createParser } from "eventsource-parser";

export interface StreamPosition {
  lastEventId: string | undefined;
  /** What the server asked for; milliseconds. */
  retryMs: number | undefined;
}

/** A stream whose single event is larger than this is given up. */
const MAX_EVENT_CHARACTERS = 33_554_432;
const HEADER_SAFE_ID = /^[\x21-\x7e]{1,512}$/u;

/** Calls `onMessage` for each message, one after the other, and keeps `position` up to date. Rejects as the body does. */
export async function readEvents(
  body: AsyncIterable<Uint8Array>,
  position: StreamPosition,
  onMessage: (text: string) => Promise<void>,
): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const ready: string[] = [];
  let isTooLarge = false;
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: ({ id, event, data }) => {
      if (id !== undefined && HEADER_SAFE_ID.test(id)) position.lastEventId = id;
      if (data !== "" && (event === undefined || event === "message")) ready.push(data);
    },
    onRetry: (retryMs) => {
      position.retryMs = retryMs;
    },
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded") isTooLarge = true;
    },
  });
  for await (const chunk of body) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (isTooLarge) throw new Error("an event of the stream is too large");
    for (let text = ready.shift(); text !== undefined; text = ready.shift()) await onMessage(text);
  }
}
