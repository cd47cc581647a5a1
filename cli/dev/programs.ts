// What logical programs run, read from the `programs` of a gateway.json.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ProgramEntry } from "#upstream";
import { isJsonObject } from "#std";
import { CliError } from "../output/cli-error.ts";

/** An empty map without a file. @throws {CliError} for a file without a usable `programs` object */
export async function loadPrograms(
  file: string | undefined,
  cwd: string,
): Promise<ReadonlyMap<string, ProgramEntry>> {
  if (file === undefined) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(resolve(cwd, file), "utf8"));
  } catch (cause) {
    throw new CliError(
      `${file} cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const programs = isJsonObject(parsed) ? parsed["programs"] : undefined;
  if (!isJsonObject(programs)) throw new CliError(`${file} has no "programs" object`);
  return new Map(Object.entries(programs).map(([name, entry]) => [name, programEntry(name, entry, file)]));
}

function programEntry(name: string, entry: unknown, file: string): ProgramEntry {
  const command = isJsonObject(entry) ? entry["command"] : undefined;
  if (!isJsonObject(entry) || typeof command !== "string")
    throw new CliError(`${file}: programs.${name} has no "command"`);
  const args = entry["args"];
  const isList = Array.isArray(args) && args.every((item) => typeof item === "string");
  if (args !== undefined && !isList)
    throw new CliError(`${file}: programs.${name}.args is not a list of strings`);
  return { command, args: isList ? (args as string[]) : [] };
}
