// Reads the records of a log that was verified, or of one segment of it, a line at a time.
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { classifyFiles, segmentName } from "./log-files.ts";
import { MAX_HEADER_BYTES, oneLineJson, parseHeader, parseRecord } from "./record-format.ts";
import type { AuditRecord } from "./record-format.ts";

/** The first line that is not what its writer wrote. */
export interface BadLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Hands over every record in order, of all segments of a directory or of a single file, checking the bytes of each line
 * by its own hash. `onRecords` gets those of one MiB at a time. Memory does not grow with the log. Returns the first bad
 * line, and stops there; a torn last line is left out. Rejects where the path cannot be read.
 */
export async function readAuditRecords(
  path: string,
  onRecords: (records: readonly AuditRecord[]) => Promise<void> | void,
): Promise<BadLine | undefined> {
  const isDirectory = (await stat(path)).isDirectory();
  const files = isDirectory
    ? classifyFiles(await readdir(path)).segments.map((segment) => join(path, segmentName(segment)))
    : [path];
  for (const file of files) {
    const bad = await readSegment(file, onRecords);
    if (bad !== undefined) return bad;
  }
  return undefined;
}

async function readSegment(
  file: string,
  onRecords: (records: readonly AuditRecord[]) => Promise<void> | void,
): Promise<BadLine | undefined> {
  let rest = Buffer.alloc(0);
  let line = 0;
  let logJson: string | undefined;
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
    const block = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    const records: AuditRecord[] = [];
    let start = 0;
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
      const bytes = block.subarray(start, end);
      start = end + 1;
      line += 1;
      logJson ??= logOf(bytes);
      const record = parseRecord(bytes, logJson);
      if (typeof record !== "string") records.push(record);
      else if (typeof parseHeader(bytes, logJson) === "string") return { file, line, reason: record };
    }
    rest = Buffer.from(block.subarray(start));
    if (rest.length > MAX_HEADER_BYTES) return { file, line: line + 1, reason: "the line is too long" };
    if (records.length > 0) await onRecords(records);
  }
  return undefined;
}

/** The id of the log as JSON text, as its first line has it. */
function logOf(line: Buffer): string {
  try {
    const first: unknown = JSON.parse(line.toString("utf8"));
    return oneLineJson((first as { readonly log?: unknown } | null)?.log ?? "");
  } catch {
    return '""';
  }
}
