// The template repository with some files replaced, held in memory.
import { directoryWorkspace, memoryWorkspace } from "#compiler";
import type { Workspace } from "#compiler";
import { TEMPLATE_DIR } from "./world.ts";

export type FileEdit = (text: string) => string;

/** Every edit must change its file; a file that does not exist is created from the empty text. */
export function editedTemplate(
  edits: Readonly<Record<string, FileEdit>>,
  dir: string = TEMPLATE_DIR,
): Workspace {
  const template = directoryWorkspace(dir);
  const files = new Map(
    template.list().map((path) => [path, Buffer.from(template.read(path)).toString("utf8")]),
  );
  for (const [path, edit] of Object.entries(edits)) {
    const before = files.get(path) ?? "";
    const after = edit(before);
    if (after === before) throw new Error(`the edit of ${path} changes nothing`);
    files.set(path, after);
  }
  return memoryWorkspace(files);
}
