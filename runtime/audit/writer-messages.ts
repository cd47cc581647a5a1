// What the gateway and its audit writer process say to each other: one message a line, fields apart by tabs, every field
// JSON or a number, so that neither newline nor tab can stand in one.
import { StringDecoder } from "node:string_decoder";
import type { AuditStats } from "./audit-log.ts";
import type { AuditSettings } from "./audit-options.ts";
import type { AuditStartCode } from "./audit-errors.ts";
import type { PendingRecord } from "./open-segment.ts";
import { isEventKind, ZERO_HASH } from "./record-format.ts";

const HASH_LENGTH = ZERO_HASH.length;

/** To the writer. `start` comes first, once. */
export type WriterRequest =
  | { readonly kind: "start"; readonly settings: AuditSettings }
  | { readonly kind: "append"; readonly id: number; readonly record: PendingRecord }
  | { readonly kind: "close" };

export interface StartFailure {
  readonly code: AuditStartCode | "AUDIT_UNAVAILABLE";
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

export interface WriterState {
  readonly fault: string | null;
  readonly stats: AuditStats;
}

/** From the writer. */
export type WriterReply =
  | { readonly kind: "ready"; readonly heads: readonly (readonly [string, number, string])[] }
  | { readonly kind: "failed"; readonly failure: StartFailure }
  | { readonly kind: "durable"; readonly id: number; readonly sequence: number; readonly hash: string }
  | { readonly kind: "refused"; readonly id: number; readonly detail: string }
  | { readonly kind: "state"; readonly state: WriterState }
  | { readonly kind: "checkpoint"; readonly line: string }
  | { readonly kind: "closed"; readonly fault: string | null };

function jsonOrEmpty(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

function parseOrUndefined<T>(text: string): T | undefined {
  return text === "" ? undefined : (JSON.parse(text) as T);
}

export function encodeRequest(request: WriterRequest): string {
  switch (request.kind) {
    case "start":
      return `I\t${JSON.stringify(request.settings)}\n`;
    case "append": {
      const { tenant, event, bodyJson, effect } = request.record;
      const fields = `${JSON.stringify(tenant)}\t${event}\t${jsonOrEmpty(effect.opens)}\t${jsonOrEmpty(effect.closes)}`;
      return `A\t${String(request.id)}\t${fields}\t${bodyJson}\n`;
    }
    case "close":
      return "Q\n";
  }
}

/** Reads a request line. Throws where it is not one: both ends are the same build, so that is a bug. */
export function decodeRequest(line: string): WriterRequest {
  const [kind = "", ...fields] = line.split("\t");
  if (kind === "Q") return { kind: "close" };
  if (kind === "I") return { kind: "start", settings: JSON.parse(fields[0] ?? "") as AuditSettings };
  const [id = "", tenant = "", event = "", opens = "", closes = "", bodyJson = ""] = fields;
  if (kind !== "A" || !isEventKind(event) || bodyJson === "")
    throw new Error("unknown request to the audit writer");
  const opened = parseOrUndefined<string>(opens);
  const closed = parseOrUndefined<string[]>(closes);
  return {
    kind: "append",
    id: Number(id),
    record: {
      tenant: JSON.parse(tenant) as string,
      event,
      bodyJson,
      effect: {
        ...(opened === undefined ? {} : { opens: opened }),
        ...(closed === undefined ? {} : { closes: closed }),
      },
    },
  };
}

export function encodeReply(reply: WriterReply): string {
  switch (reply.kind) {
    case "durable":
      return `K\t${String(reply.id)}\t${String(reply.sequence)}\t${reply.hash}\n`;
    case "refused":
      return `R\t${String(reply.id)}\t${JSON.stringify(reply.detail)}\n`;
    case "ready":
      return `Y\t${JSON.stringify(reply.heads)}\n`;
    case "failed":
      return `F\t${JSON.stringify(reply.failure)}\n`;
    case "state":
      return `S\t${JSON.stringify(reply.state)}\n`;
    case "checkpoint":
      return `P\t${JSON.stringify(reply.line)}\n`;
    case "closed":
      return `B\t${JSON.stringify(reply.fault)}\n`;
  }
}

/** Reads a reply line. Throws where it is not one. */
export function decodeReply(line: string): WriterReply {
  const [kind = "", first = "", second = "", third = ""] = line.split("\t");
  switch (kind) {
    case "K":
      // The other end is the same build, and a pattern for each record would cost more than reading it.
      if (third.length !== HASH_LENGTH) break;
      return { kind: "durable", id: Number(first), sequence: Number(second), hash: third };
    case "R":
      return { kind: "refused", id: Number(first), detail: JSON.parse(second) as string };
    case "Y":
      return { kind: "ready", heads: JSON.parse(first) as [string, number, string][] };
    case "F":
      return { kind: "failed", failure: JSON.parse(first) as StartFailure };
    case "S":
      return { kind: "state", state: JSON.parse(first) as WriterState };
    case "P":
      return { kind: "checkpoint", line: JSON.parse(first) as string };
    case "B":
      return { kind: "closed", fault: JSON.parse(first) as string | null };
    default:
      break;
  }
  throw new Error("unknown reply of the audit writer");
}

/** Splits a byte stream into lines; a rest without newline waits for more. */
export function lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new StringDecoder("utf8");
  let pending = "";
  return (chunk) => {
    const lines = (pending + decoder.write(chunk)).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  };
}
