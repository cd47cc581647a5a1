// What logical programs run, read from the `programs` of a gateway.json.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError, decodePrograms } from "#config";
import type { ProgramEntry } from "#upstream";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { CliError } from "../output/cli-error.ts";
import type { CliIo } from "../output/io.ts";

/** What else such a file is named for. */
const OTHER_USES = ["credentials", "egress"] as const;

/**
 * The programs of a file, as the gateway reads them; an empty map without one. With `resolve` their secrets are read;
 * with `keep` the references stay, for a gateway.json that is written: secrets are not copied into files.
 * @throws {CliError} for a file without usable `programs`
 */
export async function loadPrograms(
  file: string | undefined,
  io: Pick<CliIo, "cwd" | "env">,
  secrets: "resolve" | "keep",
): Promise<ReadonlyMap<string, ProgramEntry>> {
  if (file === undefined) return new Map();
  const path = resolve(io.cwd, file);
  let parsed: JsonValue;
  try {
    parsed = JSON.parse(await readFile(path, "utf8")) as JsonValue;
  } catch (cause) {
    throw new CliError(
      `${file} cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const programs = isJsonObject(parsed) ? parsed["programs"] : undefined;
  const isOfUse = isJsonObject(parsed) && OTHER_USES.some((name) => isJsonObject(parsed[name]));
  if (programs === undefined && isOfUse) return new Map();
  if (!isJsonObject(programs)) throw new CliError(`${file} has no "programs" object`);
  try {
    return decodePrograms(programs, { file, baseDir: dirname(path), environment: io.env, secrets });
  } catch (fault) {
    if (fault instanceof ConfigError) throw new CliError(fault.message, { cause: fault });
    throw fault;
  }
}
