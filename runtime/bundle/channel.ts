// Layout of a channel: the same files whether a directory, a web server or an object store serves them.

/** The signed statement; the only file of a channel whose content changes. */
export const RELEASE_FILE = "release.json";

/** Name of a bundle in a channel. */
export function bundleFile(digest: string): string {
  return `${digest}.aegis`;
}

/** Name of root `version` in a channel. */
export function rootFile(version: number): string {
  return `roots/${String(version)}.json`;
}
