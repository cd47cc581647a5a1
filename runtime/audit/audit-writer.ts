// Entry of the audit writer process. It speaks over descriptor 3, and ends, with the log sealed, when the other end closes.
import { Socket } from "node:net";
import { isAegisError } from "#errors";
import { AuditStartError, faultText } from "./audit-errors.ts";
import { loadAuditKeys } from "./audit-keys.ts";
import type { AuditSettings } from "./audit-options.ts";
import { headListOf } from "./chain.ts";
import type { StartFailure, WriterReply } from "./writer-messages.ts";
import { decodeRequest, encodeReply, lineSplitter } from "./writer-messages.ts";
import type { AuditWriter } from "./writer.ts";
import { createAuditWriter } from "./writer.ts";
import type { RecordSink } from "./writer-state.ts";
import { unavailable } from "./writer-state.ts";

const CHANNEL_DESCRIPTOR = 3;
const STATE_INTERVAL_MS = 100;

interface Channel {
  readonly send: (reply: WriterReply) => void;
  readonly end: () => void;
}

/** Replies of one turn travel in one write. */
function createChannel(socket: Socket): Channel {
  let outbox: string[] = [];
  const flush = (): void => {
    const text = outbox.join("");
    outbox = [];
    if (!socket.destroyed) socket.write(text);
  };
  return {
    send: (reply) => {
      if (outbox.length === 0) queueMicrotask(flush);
      outbox.push(encodeReply(reply));
    },
    end: () => socket.end(),
  };
}

function startFailure(fault: unknown): StartFailure {
  if (fault instanceof AuditStartError) {
    const { code, file, line, detail } = fault;
    return { code, file, line, detail };
  }
  return {
    code: "AUDIT_UNAVAILABLE",
    file: "",
    line: 0,
    detail: isAegisError(fault) ? fault.detail : faultText(fault),
  };
}

async function open(settings: AuditSettings, channel: Channel): Promise<AuditWriter | undefined> {
  try {
    const keys = loadAuditKeys(settings.stateDir);
    const onCheckpoint = (line: string): void => channel.send({ kind: "checkpoint", line });
    const writer = await createAuditWriter({ ...settings, onCheckpoint }, keys);
    channel.send({ kind: "ready", heads: headListOf(writer.heads()) });
    return writer;
  } catch (fault) {
    channel.send({ kind: "failed", failure: startFailure(fault) });
    return undefined;
  }
}

/** Tells the gateway of every change of state soon, and of the numbers now and then. */
function reportState(writer: AuditWriter, channel: Channel): NodeJS.Timeout {
  let reported: string | undefined;
  return setInterval(() => {
    const state = { fault: writer.fault() ?? null, stats: writer.stats() };
    const text = JSON.stringify(state);
    if (text === reported) return;
    reported = text;
    channel.send({ kind: "state", state });
  }, STATE_INTERVAL_MS);
}

async function closeAndEnd(writer: AuditWriter | undefined, channel: Channel): Promise<void> {
  let fault: string | null = null;
  try {
    await writer?.close();
  } catch (closeFault) {
    fault = faultText(closeFault);
  }
  channel.send({ kind: "closed", fault });
  queueMicrotask(() => channel.end());
}

function serve(socket: Socket): void {
  const channel = createChannel(socket);
  let opening: Promise<AuditWriter | undefined> | undefined;
  let writer: AuditWriter | undefined;
  let state: NodeJS.Timeout | undefined;
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    clearInterval(state);
    void (opening ?? Promise.resolve(undefined)).then((opened) => closeAndEnd(opened, channel));
  };
  const start = async (settings: AuditSettings): Promise<AuditWriter | undefined> => {
    writer = await open(settings, channel);
    if (writer === undefined) channel.end();
    else if (!ending) state = reportState(writer, channel);
    return writer;
  };
  const sink: RecordSink = {
    acknowledged: (id, _tenant, { sequence, hash }) => channel.send({ kind: "durable", id, sequence, hash }),
    refused: (id, { detail }) => channel.send({ kind: "refused", id, detail }),
  };
  const split = lineSplitter((line) => {
    const request = decodeRequest(line);
    if (request.kind === "start") opening ??= start(request.settings);
    else if (request.kind === "close") end();
    else if (writer === undefined) sink.refused(request.id, unavailable("the audit writer is not ready"));
    else writer.enqueue(request.record, request.id, sink);
  });
  socket.on("data", (chunk: Buffer) => {
    split(chunk);
    writer?.flush();
  });
  socket.on("end", end);
  // The other end is gone; what it sent is still drained and sealed.
  socket.on("error", end);
  socket.on("close", end);
}

// The gateway decides when the writer ends: a Ctrl-C in the terminal reaches the whole group before the gateway has drained.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
serve(new Socket({ fd: CHANNEL_DESCRIPTOR, readable: true, writable: true, allowHalfOpen: true }));
