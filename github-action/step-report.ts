// What the steps of one run have to say, and the files they leave for later steps.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ActionInputs } from "./inputs.ts";
import type { Annotation } from "./workflow-commands.ts";

/** The exit codes of the `aegis` commands that a run stands for. */
export const EXIT = { ok: 0, error: 1, checkFailed: 3, testsFailed: 4, gate: 5 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface StepReport {
  readonly annotations: readonly Annotation[];
  /** Markdown for the step summary. */
  readonly sections: readonly string[];
  readonly outputs: ReadonlyMap<string, string>;
  readonly exitCode: ExitCode;
}

/** Writes a file for later steps and returns its path. */
export async function writeResult(inputs: ActionInputs, name: string, text: string): Promise<string> {
  await mkdir(inputs.tempDir, { recursive: true });
  const path = join(inputs.tempDir, name);
  await writeFile(path, text);
  return path;
}
