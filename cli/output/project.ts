// Compiling a project for a command, with its diagnostics where they belong.
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { compile, renderText } from "#compiler";
import type { CompileOptions, CompileResult } from "#compiler";
import { CliError } from "./cli-error.ts";
import { textOptions } from "./io.ts";
import type { CliIo } from "./io.ts";

/** The absolute path of a project directory. @throws {CliError} where it holds no aegis.yaml */
export async function projectDir(dir: string | undefined, io: CliIo): Promise<string> {
  const path = resolve(io.cwd, dir ?? ".");
  const marker = await stat(join(path, "aegis.yaml")).catch(() => undefined);
  if (marker?.isFile() !== true) {
    throw new CliError(`${path} is not a policy repository: it has no aegis.yaml`, {
      help: "run it in a policy repository, name one, or make one with `aegis init`",
    });
  }
  return path;
}

export async function compileProject(
  dir: string | undefined,
  io: CliIo,
  options: Partial<CompileOptions> = {},
): Promise<CompileResult> {
  return compile({ dir: await projectDir(dir, io), ...options });
}

export function hasErrors(result: Pick<CompileResult, "diagnostics">): boolean {
  return result.diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

/** Writes diagnostics for a person to standard error. */
export function showDiagnostics(result: CompileResult, io: CliIo): void {
  io.err(renderText(result.diagnostics, { ...textOptions(io), sourceOf: result.model.textOf }));
}
