// Which networks `aegis pin` may be sent into by the URLs of the registry: those of `egress.allow` in the file that
// `--programs` names, and of `--allow-egress`. The rules are the gateway's own.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigError, decodeEgress } from "#config";
import type { EgressConfig } from "#config";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { CliError } from "../output/cli-error.ts";
import type { CliIo } from "../output/io.ts";

async function fileEgress(file: string | undefined, cwd: string): Promise<JsonValue | undefined> {
  if (file === undefined) return undefined;
  try {
    const parsed = JSON.parse(await readFile(resolve(cwd, file), "utf8")) as JsonValue;
    return isJsonObject(parsed) ? parsed["egress"] : undefined;
  } catch {
    // `programs` is read from the same file, and says what is wrong with it.
    return undefined;
  }
}

function decode(value: JsonValue | undefined, file: string): EgressConfig {
  try {
    return decodeEgress(value, file);
  } catch (fault) {
    if (fault instanceof ConfigError) throw new CliError(fault.message, { cause: fault });
    throw fault;
  }
}

/**
 * The rules that hold for the connections of one `aegis pin`; without any entry those of a gateway without `egress`.
 * @throws {CliError} for an entry that is no address, range or host name
 */
export async function loadEgress(
  entries: readonly string[] | undefined,
  programsFile: string | undefined,
  io: Pick<CliIo, "cwd">,
): Promise<EgressConfig> {
  const ofFile = decode(await fileEgress(programsFile, io.cwd), programsFile ?? "gateway.json");
  if (entries === undefined) return ofFile;
  const { allow = [] } = decode({ allow: entries }, "--allow-egress");
  return { allow: [...(ofFile.allow ?? []), ...allow] };
}
