// Reads an event stream of an upstream (WHATWG server-sent events) into JSON-RPC message texts. Only `message` events
// carry messages; ids, retry delays and any other event are never passed on.
import { createParser } from "eventsource-parser";
import { UpstreamFault } from "./upstream-fault.ts";

export interface SseSink {
  readonly onData: (data: string) => void;
  /** Id of the last event, for resuming this very stream; only header-safe ids are reported. */
  readonly onEventId?: (id: string) => void;
  /** The server's reconnection delay, in milliseconds. */
  readonly onRetry?: (delayMs: number) => void;
  /** An event of another type than `message`; true where it is known. Absent = none is. */
  readonly onNamedEvent?: (type: string, data: string) => boolean;
  readonly onIgnored: (detail: string) => void;
}

export interface SseReader {
  /** @throws {UpstreamFault} RESULT_TOO_LARGE for an event over the cap, UPSTREAM_PROTOCOL for bytes that are not UTF-8. */
  readonly push: (chunk: Uint8Array) => void;
}

const HEADER_SAFE_ID = /^[\x21-\x7e]{1,512}$/;

/** @param maxEventBytes largest event that is buffered; counted in UTF-16 units while it arrives. */
export function createSseReader(sink: SseSink, maxEventBytes: number): SseReader {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let tooLarge = false;
  const parser = createParser({
    maxBufferSize: maxEventBytes,
    onEvent: (event) => {
      if (event.id !== undefined && HEADER_SAFE_ID.test(event.id)) sink.onEventId?.(event.id);
      if (event.event !== undefined && event.event !== "message" && event.event !== "") {
        const isKnown = sink.onNamedEvent?.(event.event, event.data) === true;
        if (!isKnown) sink.onIgnored("an event of another type than message");
        return;
      }
      // An event with an id and no data only primes a stream for resuming (MCP 2025-11-25).
      if (event.data === "") return;
      if (event.data.length > maxEventBytes) {
        tooLarge = true;
        return;
      }
      sink.onData(event.data);
    },
    onRetry: (delayMs) => sink.onRetry?.(delayMs),
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") tooLarge = true;
      else if (error.type === "unknown-field") sink.onIgnored("an unknown field in an event stream");
    },
  });
  const decode = (chunk: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: true });
    } catch (error) {
      throw new UpstreamFault("UPSTREAM_PROTOCOL", "an event stream that is not UTF-8", { cause: error });
    }
  };
  return {
    push: (chunk) => {
      const text = decode(chunk);
      if (!tooLarge) parser.feed(text);
      if (tooLarge) throw new UpstreamFault("RESULT_TOO_LARGE", "an event is larger than the response cap");
    },
  };
}
