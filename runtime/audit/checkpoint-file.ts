// A second place for the signed checkpoints, best on another volume: a log whose tail was cut contradicts it.
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { faultText } from "./audit-errors.ts";

export interface CheckpointFile {
  /** Takes a checkpoint line. Never throws; a line that cannot be kept is a fault, and the next one covers it. */
  readonly keep: (line: string) => void;
  /** Waits for what was taken, for at most `CLOSE_TIMEOUT_MS`. */
  readonly close: () => Promise<void>;
}

export interface CheckpointFileOptions {
  /** Made, mode 0600, where it does not exist; its directory must. */
  readonly path: string;
  /** Told of each line that could not be kept. Must not throw. */
  readonly onFault: (detail: string) => void;
}

/** A volume that takes nothing any more must not fill the memory of the gateway. */
const MAX_WAITING_LINES = 64;
const CLOSE_TIMEOUT_MS = 5_000;
const FILE_MODE = 0o600;
/** Longer than any checkpoint: what follows the last newline within it is a torn line. */
const TAIL_BYTES = 65_536;
const NEWLINE = 0x0a;

/**
 * Opens the file for appending; a line that a crash tore is cut off. The file is opened anew for each line, so that it
 * may be moved away at any time. Rejects with the system's fault where it cannot be written: a gateway that was told
 * to keep its checkpoints there must not start without.
 */
export async function openCheckpointFile(options: CheckpointFileOptions): Promise<CheckpointFile> {
  const { path, onFault } = options;
  await withFile(path, cutTornLine);
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  return {
    keep: (line) => {
      if (waiting >= MAX_WAITING_LINES) return onFault(`${path} takes nothing: a checkpoint is left out`);
      waiting += 1;
      last = last
        .then(() => withFile(path, (file) => appendLine(file, line)))
        .catch((fault: unknown) => onFault(`${path}: ${faultText(fault)}`))
        .finally(() => {
          waiting -= 1;
        });
    },
    close: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      });
      await Promise.race([last, late]);
      clearTimeout(timer);
    },
  };
}

async function withFile(path: string, action: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, "a+", FILE_MODE);
  try {
    await action(file);
  } finally {
    await file.close();
  }
}

/** Appends a whole line or nothing. */
async function appendLine(file: FileHandle, line: string): Promise<void> {
  const { size } = await file.stat();
  try {
    await file.appendFile(line);
    await file.datasync();
  } catch (fault) {
    await file.truncate(size);
    throw fault;
  }
}

async function cutTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
  const end = tail.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
  if (end < bytesRead) await file.truncate(size - bytesRead + end);
}
