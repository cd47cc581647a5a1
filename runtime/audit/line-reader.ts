// Reads a log file line by line, a chunk at a time.
import type { AuditFs } from "./audit-fs.ts";

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export interface RawLine {
  /** Bytes without the newline. Valid only until the next call. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  /** False for bytes after the last newline. */
  readonly terminated: boolean;
}

/**
 * Calls `onLine` for every line of `path` in order, then for a rest without newline.
 * `onLine` returns false to stop. A line longer than `maxLineBytes` is handed over cut, as not terminated, and ends the reading.
 */
export async function readLines(
  fs: AuditFs,
  path: string,
  maxLineBytes: number,
  onLine: (line: RawLine) => boolean,
): Promise<void> {
  const file = await fs.open(path, "read");
  try {
    let pending = Buffer.alloc(0);
    let offset = 0;
    let number = 1;
    let position = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const count = await file.read(chunk, position);
      if (count === 0) break;
      position += count;
      const block =
        pending.length === 0 ? chunk.subarray(0, count) : Buffer.concat([pending, chunk.subarray(0, count)]);
      let start = 0;
      for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
        if (!onLine({ bytes: block.subarray(start, end), number, offset, terminated: true })) return;
        offset += end - start + 1;
        start = end + 1;
        number += 1;
      }
      pending = block.subarray(start);
      if (pending.length > maxLineBytes) break;
    }
    if (pending.length > 0) onLine({ bytes: pending, number, offset, terminated: false });
  } finally {
    await file.close();
  }
}
