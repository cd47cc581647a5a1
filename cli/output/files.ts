// Reading and placing the files that a command line names, with faults a person can act on.
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CliError } from "./cli-error.ts";

/** The bytes of `file`, relative to `cwd`. @throws {CliError} for a directory; the system's error for the rest */
export async function readInput(file: string, cwd: string): Promise<Uint8Array> {
  const path = resolve(cwd, file);
  if ((await stat(path)).isDirectory()) throw new CliError(`${file} is a directory, not a file`);
  return readFile(path);
}

/** The absolute path of an output file; its directory is made where it is missing. */
export async function placeOutput(file: string, cwd: string): Promise<string> {
  const path = resolve(cwd, file);
  await mkdir(dirname(path), { recursive: true });
  return path;
}
