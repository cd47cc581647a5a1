// The files of a policy repository, wherever they are kept. Paths are relative, "/"-separated, sorted.

export interface Workspace {
  /** Shown in messages, e.g. a directory or `main:policies-repo`. */
  readonly description: string;
  /** Every regular file under the caps, sorted by code unit. */
  readonly list: () => readonly string[];
  /** Bytes of one listed file. Throws WorkspaceError for a path that is not listed. */
  readonly read: (path: string) => Uint8Array;
}

export const WORKSPACE_LIMITS = {
  /** A repository with more files is not a policy repository. */
  maxFiles: 20_000,
  /** Pins of 500 tools take about 2 MB. */
  maxFileBytes: 16 * 1024 * 1024,
  maxTotalBytes: 256 * 1024 * 1024,
  maxPathLength: 512,
  maxDepth: 16,
} as const;

/** Only these folders are entered, so that a policy repository may live beside anything else. */
const DOCUMENT_FOLDERS: ReadonlySet<string> = new Set([
  "policies",
  "registry",
  "routes",
  "environments",
  "identity",
  "invariants",
  "tests",
  "tenants",
]);

/** True where a path can hold a document: a YAML or Cedar file at the top, or anything in a document folder. */
export function isDocumentPath(path: string): boolean {
  const slash = path.indexOf("/");
  return slash === -1 ? /\.(?:ya?ml|cedar)$/u.test(path) : DOCUMENT_FOLDERS.has(path.slice(0, slash));
}

/** True for a top-level folder whose content is read. */
export function isDocumentFolder(name: string): boolean {
  return DOCUMENT_FOLDERS.has(name);
}

/** A repository that cannot be read as a whole. `path` is the offending file, or "" for the repository itself. */
export class WorkspaceError extends Error {
  readonly code: "SOURCE_LIMIT" | "SOURCE_UNSAFE";
  readonly path: string;
  constructor(code: "SOURCE_LIMIT" | "SOURCE_UNSAFE", path: string, message: string) {
    super(message);
    this.name = "WorkspaceError";
    this.code = code;
    this.path = path;
  }
}

/** Backslashes and drives, what nobody sees, and what stands for bytes that are no text. */
const UNSAFE_CHARACTER = /[\\:\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]/u;

/**
 * True for a relative path without empty, `.`, `..`, backslash, control, invisible or drive parts, in Unicode normal
 * form C.
 */
export function isSafePath(path: string): boolean {
  if (path.length === 0 || path.length > WORKSPACE_LIMITS.maxPathLength) return false;
  if (UNSAFE_CHARACTER.test(path) || !path.isWellFormed() || path.normalize("NFC") !== path) return false;
  const parts = path.split("/");
  return (
    parts.length <= WORKSPACE_LIMITS.maxDepth &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/**
 * Two names that differ in case alone are one file on some machines: which of them is read would depend on where the
 * repository was checked out. Throws WorkspaceError for the second.
 */
export function refuseTwins(paths: Iterable<string>): void {
  const known = new Map<string, string>();
  for (const path of paths) {
    const key = path.toLowerCase();
    const other = known.get(key);
    if (other !== undefined) {
      throw new WorkspaceError(
        "SOURCE_UNSAFE",
        path,
        `the name differs from ${JSON.stringify(other)} in case alone`,
      );
    }
    known.set(key, path);
  }
}

/** A workspace held in memory; for tests and for editing a copy. */
export function memoryWorkspace(files: ReadonlyMap<string, string | Uint8Array>): Workspace {
  const encoder = new TextEncoder();
  return {
    description: "memory",
    list: () => [...files.keys()].sort(),
    read: (path) => {
      const content = files.get(path);
      if (content === undefined) throw new WorkspaceError("SOURCE_UNSAFE", path, `no such file: ${path}`);
      return typeof content === "string" ? encoder.encode(content) : content;
    },
  };
}
