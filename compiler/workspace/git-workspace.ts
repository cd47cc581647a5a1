// A workspace read from a Git tree, without a checkout: the base side of a plan.
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { WORKSPACE_LIMITS, WorkspaceError, isDocumentPath, isSafePath, refuseTwins } from "./workspace.ts";
import type { Workspace } from "./workspace.ts";

const GIT_TIMEOUT_MS = 30_000;

interface TreeEntry {
  readonly path: string;
  readonly object: string;
  readonly size: number;
}

function git(cwd: string, args: readonly string[], maxBuffer: number, input = ""): Buffer {
  return execFileSync("git", ["--no-replace-objects", ...args], {
    cwd,
    input,
    maxBuffer,
    timeout: GIT_TIMEOUT_MS,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" },
  });
}

/** `<mode> <type> <object> <size>\t<path>`, as `git ls-tree -l -z` prints it. */
function parseEntry(line: string): TreeEntry | undefined {
  const match = /^(\d{6}) (\w+) ([0-9a-f]+) +(\d+|-)\t(.*)$/su.exec(line);
  if (match === null) return undefined;
  const [, mode, type, object = "", size = "0", path = ""] = match;
  if (!isDocumentPath(path)) return undefined;
  if (type !== "blob" || (mode !== "100644" && mode !== "100755")) {
    throw new WorkspaceError("SOURCE_UNSAFE", path, "only regular files are read");
  }
  if (!isSafePath(path))
    throw new WorkspaceError("SOURCE_UNSAFE", path, "the path is too long, too deep or unsafe");
  return { path, object, size: Number(size) };
}

function listTree(directory: string, commit: string): ReadonlyMap<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  let totalBytes = 0;
  // From a subdirectory of the work tree, ls-tree prints paths relative to it and lists nothing outside it.
  const output = git(directory, ["ls-tree", "-r", "-l", "-z", commit], 64 * 1024 * 1024).toString("utf8");
  for (const line of output.split("\0")) {
    const entry = line === "" ? undefined : parseEntry(line);
    if (entry === undefined) continue;
    if (entry.size > WORKSPACE_LIMITS.maxFileBytes) {
      throw new WorkspaceError("SOURCE_LIMIT", entry.path, `the file has ${entry.size} bytes`);
    }
    totalBytes += entry.size;
    entries.set(entry.path, entry);
    if (entries.size > WORKSPACE_LIMITS.maxFiles || totalBytes > WORKSPACE_LIMITS.maxTotalBytes) {
      throw new WorkspaceError("SOURCE_LIMIT", "", "the repository has too many files or bytes");
    }
  }
  return entries;
}

/** Contents by object id: one `git cat-file --batch` for all, as a process for each file is slow. */
function readObjects(
  directory: string,
  entries: ReadonlyMap<string, TreeEntry>,
): ReadonlyMap<string, Uint8Array> {
  const objects = [...new Set([...entries.values()].map((entry) => entry.object))];
  const input = objects.map((object) => `${object}\n`).join("");
  const maxBuffer = WORKSPACE_LIMITS.maxTotalBytes + objects.length * 128;
  const output = git(directory, ["cat-file", "--batch"], maxBuffer, input);
  const contents = new Map<string, Uint8Array>();
  let offset = 0;
  for (const object of objects) {
    const lineEnd = output.indexOf(10, offset);
    const header = output.toString("latin1", offset, lineEnd);
    const size = Number(/^[0-9a-f]+ blob (\d+)$/u.exec(header)?.[1] ?? Number.NaN);
    if (!Number.isInteger(size)) throw new Error(`git cat-file answered "${header}"`);
    contents.set(object, output.subarray(lineEnd + 1, lineEnd + 1 + size));
    offset = lineEnd + 1 + size + 1;
  }
  return contents;
}

/**
 * The tree of `ref` below `directory` (a directory of a Git work tree). Throws Error with Git's own message where the
 * reference does not exist, and WorkspaceError where a cap is passed or an entry is not a regular file.
 */
export function gitWorkspace(directory: string, ref: string): Workspace {
  const root = resolve(directory);
  // --end-of-options and ^{commit}: a ref that looks like an option, or names a blob, is refused by Git itself.
  const commit = git(root, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`], 4096)
    .toString("utf8")
    .trim();
  const entries = listTree(root, commit);
  refuseTwins(entries.keys());
  const contents = readObjects(root, entries);
  return {
    description: `${ref} (${commit.slice(0, 12)})`,
    list: () => [...entries.keys()].sort(),
    read: (path) => {
      const content = contents.get(entries.get(path)?.object ?? "");
      if (content === undefined) throw new WorkspaceError("SOURCE_UNSAFE", path, `no such file: ${path}`);
      return content;
    },
  };
}
