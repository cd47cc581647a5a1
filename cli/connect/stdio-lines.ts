// Newline-delimited JSON over standard input and output (MCP stdio transport): bounded lines in, whole lines out.
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

/** A longer line is dropped and reported; it cannot be a message that the gateway would take. */
const MAX_LINE_BYTES = 16_777_216;

export type Line =
  { readonly kind: "line"; readonly text: string } | { readonly kind: "unreadable"; readonly why: string };

const LINE_FEED = 0x0a;

/** The lines of a stream, without their line break; ends with the stream. Empty lines are left out. */
export async function* readLines(input: Readable, maxBytes: number = MAX_LINE_BYTES): AsyncGenerator<Line> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let pieces: Buffer[] = [];
  let length = 0;
  let isSkipping = false;
  const take = (): Line | undefined => {
    const bytes = Buffer.concat(pieces, length);
    const wasSkipping = isSkipping;
    pieces = [];
    length = 0;
    isSkipping = false;
    if (wasSkipping) return { kind: "unreadable", why: `a message above ${String(maxBytes)} bytes` };
    try {
      const text = decoder.decode(bytes).replace(/\r$/u, "");
      return text.trim() === "" ? undefined : { kind: "line", text };
    } catch {
      return { kind: "unreadable", why: "a message that is not UTF-8" };
    }
  };
  for await (const chunk of input as AsyncIterable<Buffer | string>) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    for (let at = rest.indexOf(LINE_FEED); at !== -1; at = rest.indexOf(LINE_FEED)) {
      pieces.push(rest.subarray(0, at));
      length += at;
      if (length > maxBytes) isSkipping = true;
      const line = take();
      if (line !== undefined) yield line;
      rest = rest.subarray(at + 1);
    }
    if (rest.length === 0) continue;
    length += rest.length;
    if (length > maxBytes) {
      isSkipping = true;
      pieces = [];
      length = 0;
    } else if (!isSkipping) pieces.push(rest);
    else length = 0;
  }
  const last = take();
  if (last !== undefined) yield last;
}

/** Writes whole lines in order; resolves when the reader can take more. */
export function createLineWriter(output: Writable): (text: string) => Promise<void> {
  return async (text) => {
    if (output.destroyed || output.writableEnded) return;
    if (output.write(`${text}\n`)) return;
    const settled = new AbortController();
    try {
      await Promise.race([
        once(output, "drain", { signal: settled.signal }),
        once(output, "close", { signal: settled.signal }),
      ]);
    } finally {
      settled.abort();
    }
  };
}
