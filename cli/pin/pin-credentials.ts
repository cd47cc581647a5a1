// `--credential name=env:X | file:path` of `aegis pin`, and the `credentials` of the file that `--programs` names.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError, decodeCredentials } from "#config";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { CliError } from "../output/cli-error.ts";
import type { CliIo } from "../output/io.ts";

const FORM =
  "write name=env:VARIABLE or name=file:/path; a secret on the command line would stand in the process list";

async function fileCredentials(file: string | undefined, cwd: string): Promise<JsonValue | undefined> {
  if (file === undefined) return undefined;
  try {
    const parsed = JSON.parse(await readFile(resolve(cwd, file), "utf8")) as JsonValue;
    return isJsonObject(parsed) ? parsed["credentials"] : undefined;
  } catch {
    // `programs` is read from the same file, and says what is wrong with it.
    return undefined;
  }
}

function decode(
  value: JsonValue | undefined,
  file: string,
  baseDir: string,
  env: CliIo["env"],
  secrets: "resolve" | "keep",
): ReadonlyMap<string, string> {
  try {
    return decodeCredentials(value, { file, baseDir, environment: env, secrets });
  } catch (fault) {
    if (fault instanceof ConfigError) throw new CliError(fault.message, { cause: fault });
    throw fault;
  }
}

/**
 * Secrets by logical name, or with `keep` the references to them; an option wins over the file.
 * @throws {CliError} for a reference that cannot be read. No message repeats what might be a secret.
 */
export async function loadCredentials(
  options: readonly string[] | undefined,
  programsFile: string | undefined,
  io: Pick<CliIo, "cwd" | "env">,
  secrets: "resolve" | "keep" = "resolve",
): Promise<ReadonlyMap<string, string>> {
  const named: Record<string, JsonValue> = Object.create(null) as Record<string, JsonValue>;
  for (const option of options ?? []) {
    const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=((?:env|file):.+)$/su.exec(option);
    if (match?.[1] === undefined || match[2] === undefined)
      throw new CliError("--credential is not a name and a reference", { help: FORM });
    named[match[1]] = match[2];
  }
  const fromFile = await fileCredentials(programsFile, io.cwd);
  const file = programsFile ?? "gateway.json";
  return new Map([
    ...decode(fromFile, file, dirname(resolve(io.cwd, file)), io.env, secrets),
    ...decode({ ...named }, "--credential", io.cwd, io.env, secrets),
  ]);
}
