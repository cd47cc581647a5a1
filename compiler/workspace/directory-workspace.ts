// A workspace on disk. Symbolic links are refused, not followed: a link could reach outside the repository.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readdirSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import {
  WORKSPACE_LIMITS,
  WorkspaceError,
  isDocumentFolder,
  isDocumentPath,
  isSafePath,
  refuseTwins,
} from "./workspace.ts";
import type { Workspace } from "./workspace.ts";

interface Walk {
  readonly root: string;
  readonly files: string[];
  totalBytes: number;
}

/** What a folder contains. The root itself must be readable; a folder in it that is not is a finding. */
function entriesOf(root: string, folder: string): readonly Dirent[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (folder === "") throw error;
    throw unreadable(folder, error);
  }
}

function unreadable(path: string, error: unknown): WorkspaceError {
  const { code } = error as NodeJS.ErrnoException;
  return new WorkspaceError("SOURCE_UNSAFE", path, `it cannot be read: ${code ?? String(error)}`);
}

function visit(walk: Walk, folder: string): void {
  for (const entry of entriesOf(walk.root, folder)) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (!isDocumentPath(path) && !(folder === "" && isDocumentFolder(entry.name))) continue;
    if (!isSafePath(path))
      throw new WorkspaceError("SOURCE_UNSAFE", path, "the path is too long, too deep or unsafe");
    if (entry.isDirectory()) {
      visit(walk, path);
    } else if (entry.isFile()) {
      const size = sizeOf(walk.root, path);
      if (size > WORKSPACE_LIMITS.maxFileBytes) {
        throw new WorkspaceError("SOURCE_LIMIT", path, `the file has ${size} bytes`);
      }
      walk.totalBytes += size;
      walk.files.push(path);
    } else {
      throw new WorkspaceError("SOURCE_UNSAFE", path, "only regular files and folders are read");
    }
    if (walk.files.length > WORKSPACE_LIMITS.maxFiles || walk.totalBytes > WORKSPACE_LIMITS.maxTotalBytes) {
      throw new WorkspaceError("SOURCE_LIMIT", "", "the repository has too many files or bytes");
    }
  }
}

function sizeOf(root: string, path: string): number {
  try {
    return lstatSync(join(root, path)).size;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function openRegularFile(root: string, path: string): number {
  try {
    // The file may have been replaced since it was listed: by a link, or by a pipe that nobody writes to.
    return openSync(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readRegularFile(root: string, path: string): Uint8Array {
  const descriptor = openRegularFile(root, path);
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw new WorkspaceError("SOURCE_UNSAFE", path, "not a regular file");
    if (status.size > WORKSPACE_LIMITS.maxFileBytes) {
      throw new WorkspaceError("SOURCE_LIMIT", path, `the file has ${status.size} bytes`);
    }
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads the directory `root`. Throws WorkspaceError where a cap is passed or a link is met, and the file system's
 * error where the directory cannot be read.
 */
export function directoryWorkspace(root: string): Workspace {
  const walk: Walk = { root, files: [], totalBytes: 0 };
  visit(walk, "");
  const files = walk.files.sort();
  refuseTwins(files);
  const known = new Set(files);
  return {
    description: root,
    list: () => files,
    read: (path) => {
      if (!known.has(path)) throw new WorkspaceError("SOURCE_UNSAFE", path, `no such file: ${path}`);
      return readRegularFile(root, path);
    },
  };
}
