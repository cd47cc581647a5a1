// Base and head of a plan, made by small edits of the template repository in memory. Its test suites are those of
// test/data/plan/template-tests: what a plan searches depends on them, and the template's own grow.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { definitionDigest } from "#bundle";
import { compile, directoryWorkspace, memoryWorkspace } from "#compiler";
import type { CompileResult, Workspace } from "#compiler";
import type { JsonObject } from "#std";
import type { FileEdit } from "../../../e2e/edited-template.ts";
import { TEMPLATE_DIR } from "../../../e2e/world.ts";

const TESTS_DIR = join(import.meta.dirname, "../../../data/plan/template-tests");

export interface TextEdit {
  readonly file: string;
  /** Must be in the file once; absent = `replace` is appended. */
  readonly find?: string;
  readonly replace: string;
}

export interface PinEdit {
  readonly pin: string;
  readonly tool: string;
  /** Members of the definition that get another value; absent = the tool is taken out. */
  readonly set?: JsonObject;
}

/** A new file with the text of another one. */
export interface CopyEdit {
  readonly copy: string;
  readonly to: string;
  /** Everywhere in the copy. */
  readonly find: string;
  readonly replace: string;
}

export type Edit = CopyEdit | PinEdit | TextEdit;

interface PinnedTool {
  readonly name: string;
  readonly digest: string;
  readonly definition: JsonObject;
}

function textEdit({ find, replace }: TextEdit): FileEdit {
  return (text) => {
    if (find === undefined) return text + replace;
    if (text.split(find).length !== 2) throw new Error(`${JSON.stringify(find)} is not there exactly once`);
    return text.replace(find, () => replace);
  };
}

function pinEdit({ tool, set }: PinEdit): FileEdit {
  return (text) => {
    const file = JSON.parse(text) as { tools: PinnedTool[] };
    const tools = file.tools.flatMap((entry) => {
      if (entry.name !== tool) return [entry];
      if (set === undefined) return [];
      const definition = { ...entry.definition, ...set };
      return [{ ...entry, definition, digest: definitionDigest(definition) }];
    });
    return `${JSON.stringify({ ...file, tools }, null, 2)}\n`;
  };
}

export function editedWorkspace(edits: readonly Edit[]): Workspace {
  const byFile = new Map<string, FileEdit[]>();
  const files = templateFiles();
  for (const edit of edits) {
    if ("copy" in edit) {
      files.set(edit.to, (files.get(edit.copy) ?? "").replaceAll(edit.find, edit.replace));
      continue;
    }
    const file = "pin" in edit ? `registry/pins/${edit.pin}.json` : edit.file;
    byFile.set(file, [...(byFile.get(file) ?? []), "pin" in edit ? pinEdit(edit) : textEdit(edit)]);
  }
  for (const [file, list] of byFile) {
    const before = files.get(file) ?? "";
    const after = list.reduce((edited, edit) => edit(edited), before);
    if (after === before) throw new Error(`the edit of ${file} changes nothing`);
    files.set(file, after);
  }
  return memoryWorkspace(files);
}

function templateFiles(): Map<string, string> {
  const template = directoryWorkspace(TEMPLATE_DIR);
  const own = template.list().filter((path) => !path.startsWith("tests/"));
  const tests = readdirSync(TESTS_DIR, { recursive: true, encoding: "utf8" });
  return new Map([
    ...own.map((path) => [path, Buffer.from(template.read(path)).toString("utf8")] as const),
    ...tests
      .filter((path) => path.endsWith(".yaml"))
      .map((path) => [`tests/${path}`, readFileSync(join(TESTS_DIR, path), "utf8")] as const),
  ]);
}

/** Compiles the template with the edits; throws with the diagnostics where it does not compile. */
export async function compileEdited(edits: readonly Edit[]): Promise<CompileResult & { bundle: object }> {
  const result = await compile({ dir: "", workspace: editedWorkspace(edits) });
  const { bundle } = result;
  if (bundle === undefined) throw new Error(JSON.stringify(result.diagnostics, null, 2));
  return { ...result, bundle };
}
