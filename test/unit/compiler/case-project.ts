// Loads the projects of test/data/compile: the files of a case laid over `_base`.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { memoryWorkspace } from "#compiler";
import type { Workspace } from "#compiler";

export const CASES_DIR = join(import.meta.dirname, "../../data/compile");

export function filesBelow(root: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(root.length + 1), readFileSync(path));
  }
  return files;
}

export function baseFiles(): Map<string, Uint8Array | string> {
  return filesBelow(join(CASES_DIR, "_base"));
}

export interface CaseFile {
  readonly about: string;
  /** Files of `_base` that the case does without. */
  readonly remove: readonly string[];
}

export function caseNames(): readonly string[] {
  return readdirSync(CASES_DIR)
    .filter((name) => name !== "_base")
    .sort();
}

export function caseProject(name: string): { readonly about: string; readonly workspace: Workspace } {
  const description = JSON.parse(readFileSync(join(CASES_DIR, name, "case.json"), "utf8")) as CaseFile;
  const files = baseFiles();
  for (const path of description.remove) files.delete(path);
  if (readdirSync(join(CASES_DIR, name)).includes("files")) {
    for (const [path, content] of filesBelow(join(CASES_DIR, name, "files"))) files.set(path, content);
  }
  return { about: description.about, workspace: memoryWorkspace(files) };
}
