// The file operations the audit log needs, behind an interface so that tests can fail any of them.
import { open, mkdir, readdir, rename, statfs, unlink } from "node:fs/promises";
import { constants, writeSync } from "node:fs";

/** `create` fails where the file exists; `append` makes it where it does not; `update` is for cutting a tail. */
export type AuditOpenMode = "read" | "create" | "append" | "update";

export interface AuditFile {
  /** Writes from `offset` of `bytes` at the end of the file. Returns the bytes taken, which may be fewer. */
  readonly write: (bytes: Uint8Array, offset: number) => Promise<number>;
  /** Fills `into` from `position`; 0 at the end of the file. */
  readonly read: (into: Uint8Array, position: number) => Promise<number>;
  readonly datasync: () => Promise<void>;
  readonly truncate: (lengthBytes: number) => Promise<void>;
  readonly sizeBytes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface AuditFs {
  readonly makeDirectory: (path: string) => Promise<void>;
  readonly list: (path: string) => Promise<readonly string[]>;
  readonly open: (path: string, mode: AuditOpenMode) => Promise<AuditFile>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly remove: (path: string) => Promise<void>;
  /** Makes a create, rename or remove in the directory durable. */
  readonly syncDirectory: (path: string) => Promise<void>;
  readonly freeBytes: (path: string) => Promise<number>;
}

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const OPEN_FLAGS: Readonly<Record<AuditOpenMode, number>> = {
  read: constants.O_RDONLY,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND,
  append: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
  update: constants.O_RDWR,
};

async function openFile(path: string, mode: AuditOpenMode): Promise<AuditFile> {
  const handle = await open(path, OPEN_FLAGS[mode], FILE_MODE);
  return {
    // Into the page cache, which takes less than handing the work to another thread does. What waits for the disk is
    // the sync; and where the system does make a write wait, nothing else is there for the writer to do.
    write: async (bytes, offset) => writeSync(handle.fd, bytes, offset, bytes.byteLength - offset),
    read: async (into, position) => (await handle.read(into, 0, into.byteLength, position)).bytesRead,
    datasync: () => handle.datasync(),
    truncate: (lengthBytes) => handle.truncate(lengthBytes),
    sizeBytes: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The real file system. Files are 0600, directories 0700. */
export const nodeAuditFs: AuditFs = {
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  },
  list: (path) => readdir(path),
  open: openFile,
  rename,
  remove: unlink,
  syncDirectory,
  freeBytes: async (path) => {
    const stats = await statfs(path);
    return stats.bavail * stats.bsize;
  },
};

/**
 * Writes all of `bytes`, however short the single writes are.
 * A full disk shows as a short write first and as ENOSPC on the next call, so only the count is trusted.
 */
export async function writeFully(file: AuditFile, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.byteLength) {
    const written = await file.write(bytes, offset);
    if (written <= 0) throw new Error(`write took 0 of ${String(bytes.byteLength - offset)} bytes`);
    offset += written;
  }
}

/** Reads a file of at most `maxBytes`. */
export async function readSmallFile(fs: AuditFs, path: string, maxBytes: number): Promise<Buffer> {
  const file = await fs.open(path, "read");
  try {
    const size = await file.sizeBytes();
    if (size > maxBytes) throw new Error(`${path} has ${String(size)} bytes, more than ${String(maxBytes)}`);
    const bytes = Buffer.alloc(size);
    let filled = 0;
    while (filled < size) {
      const count = await file.read(bytes.subarray(filled), filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** Puts a whole file in place: temporary name, datasync, rename, directory sync. */
export async function replaceFile(fs: AuditFs, directory: string, name: string, text: string): Promise<void> {
  const temporary = `${directory}/${name}.tmp`;
  const file = await fs.open(temporary, "append");
  try {
    await writeFully(file, Buffer.from(text, "utf8"));
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, `${directory}/${name}`);
  await fs.syncDirectory(directory);
}
