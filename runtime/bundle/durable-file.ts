// Files that must survive a crash at any moment: a reader sees the old content or the new, never a part of it.
import * as nodeFiles from "node:fs/promises";
import { constants } from "node:fs";
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";

/** The part of node:fs/promises that durable writes need; tests make the n-th call fail. */
export type FileSystem = Pick<typeof nodeFiles, "mkdir" | "open" | "readdir" | "rename" | "rm">;

export const nodeFileSystem: FileSystem = nodeFiles;

/** Mode of files that only the process itself reads. */
export const PRIVATE_FILE_MODE = 0o600;
export const PRIVATE_DIRECTORY_MODE = 0o700;
export const PUBLIC_FILE_MODE = 0o644;

/** What `readBounded` rejects with for a file above its limit. */
export class FileTooLargeError extends Error {
  constructor(path: string, maxBytes: number) {
    super(`${basename(path)} exceeds ${String(maxBytes)} bytes`);
    this.name = "FileTooLargeError";
  }
}

/** Replaces `path`: temporary file beside it, fsync, rename, fsync of the directory. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  options: { readonly mode?: number; readonly files?: FileSystem } = {},
): Promise<void> {
  const { mode = PRIVATE_FILE_MODE, files = nodeFileSystem } = options;
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeNew(temporary, bytes, mode, files);
    await files.rename(temporary, path);
  } catch (error) {
    await files.rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path), files);
}

/** Writes a file that must not exist yet (O_EXCL) and syncs it. Rejects with EEXIST where it does. */
export async function writeNew(
  path: string,
  bytes: Uint8Array,
  mode: number,
  files: FileSystem = nodeFileSystem,
): Promise<void> {
  const handle = await files.open(path, "wx", mode);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes renames and new names in `directory` durable. */
export async function syncDirectory(directory: string, files: FileSystem = nodeFileSystem): Promise<void> {
  const handle = await files.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Content of a regular file of at most `maxBytes`; undefined where there is none. Rejects for anything else. */
export async function readBounded(
  path: string,
  maxBytes: number,
  files: FileSystem = nodeFileSystem,
): Promise<Uint8Array | undefined> {
  let handle;
  try {
    // Non-blocking, so that a named pipe in the place of a file cannot hang the reader.
    handle = await files.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stat = await handle.stat();
    const size = stat.size;
    if (!stat.isFile()) throw new Error(`${basename(path)} is not a regular file`);
    if (size > maxBytes) throw new FileTooLargeError(path, maxBytes);
    // One byte more than the file had tells a file that grows while it is read.
    const buffer = new Uint8Array(size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length > size) throw new Error(`${basename(path)} changed while it was read`);
    }
  } finally {
    await handle.close();
  }
}
