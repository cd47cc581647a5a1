// The gateway as a local MCP server: newline-delimited messages on standard input and output (MCP, stdio). Standard
// output carries messages and nothing else.
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { EndReason } from "./connection-table.ts";
import { createLineSplitter } from "./line-splitter.ts";
import { createMessageStream } from "./message-stream.ts";
import { MessageConnection } from "./message-connection.ts";
import type { ConnectionOptions } from "./message-connection.ts";

export interface StdioStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/** Why a local server ended. `input`: the client closed its side, and every answer has been written. */
export type StdioEnd = "input" | "output" | EndReason;

export interface StdioConnection {
  readonly connection: MessageConnection;
  readonly end: (reason: EndReason) => void;
  /** Resolves when the connection has ended and what was written has left the process. */
  readonly ended: Promise<StdioEnd>;
}

type StdioOptions = Omit<ConnectionOptions, "transport" | "out" | "flow" | "onSessionEnd">;

/**
 * Standard output that does not block the process while the client reads slowly. Node writes to pipes synchronously, so
 * that a client that stops reading would stop the whole gateway.
 */
export function standardStreams(): StdioStreams {
  const target = fstatSync(process.stdout.fd);
  const isPipe = target.isFIFO() || target.isSocket();
  const output = isPipe
    ? new Socket({ fd: process.stdout.fd, readable: false, writable: true })
    : process.stdout;
  return { input: process.stdin, output };
}

export function openStdio({ input, output }: StdioStreams, options: StdioOptions): StdioConnection {
  const { limits } = options;
  const ending = Promise.withResolvers<StdioEnd>();
  let outcome: StdioEnd | undefined;
  const finish = (reason: StdioEnd): void => {
    outcome ??= reason;
    connection.close();
  };
  const { stream, onDrain, onClose } = createMessageStream(
    {
      write: (message) => void output.write(`${message}\n`, () => onDrain()),
      bufferedBytes: () => output.writableLength,
      end: () => flush(output, limits.stallMs, () => ending.resolve(outcome ?? "output")),
      cut: () => {
        output.destroy();
        finish("output");
      },
    },
    limits,
  );
  const connection = new MessageConnection({
    ...options,
    transport: "stdio",
    out: stream,
    flow: { pause: () => input.pause(), resume: () => input.resume() },
    // An expired token may be renewed in its file; a session that is over cannot be opened again by most clients.
    onSessionEnd: (goesOn) => {
      if (!goesOn) finish("session");
    },
  });
  const lines = createLineSplitter(
    limits.maxMessageBytes,
    (line) => connection.receive(line),
    () => connection.receiveTooLong(),
  );
  input.on("data", (chunk: Buffer) => lines.push(chunk));
  const onInputEnd = (): void => {
    lines.finish();
    void connection.whenIdle().then(() => finish("input"));
  };
  input.once("end", onInputEnd).once("error", onInputEnd);
  output.once("error", () => {
    onClose();
    finish("output");
    ending.resolve("output");
  });
  return { connection, end: finish, ended: ending.promise };
}

/** Calls back when all that was written has left, or after `timeoutMs`. */
function flush(output: Writable, timeoutMs: number, done: () => void): void {
  if (output.destroyed) return done();
  const timer = setTimeout(done, timeoutMs);
  output.write("", () => {
    clearTimeout(timer);
    done();
  });
}
