// `credentials` of gateway.json: the secret behind each logical credential name of a bundle, always by reference.
import type { JsonObject, JsonValue } from "#std";
import { ConfigError, ConfigReader, memberPath } from "./config-decoder.ts";
import { pathsFrom } from "./programs.ts";
import type { DecodeProgramsOptions, PathResolver } from "./programs.ts";
import { absoluteReference, isReference, resolveReference } from "./secrets.ts";
import type { SecretSource } from "./secrets.ts";

const CREDENTIAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** HTTP field value without the line breaks that would start another field. */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** The credentials of a configuration by logical name, problems in `reader`. No message repeats a value. */
export function readCredentials(
  reader: ConfigReader,
  value: JsonValue | undefined,
  environment: SecretSource,
  at: PathResolver,
  secrets: DecodeProgramsOptions["secrets"] = "resolve",
): ReadonlyMap<string, string> {
  const credentials = new Map<string, string>();
  if (value === undefined) return credentials;
  // Any key is a credential name here, so the object is read with its own keys as the known ones.
  const names =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  const table: JsonObject = reader.object(value, "$.credentials", names, false);
  for (const name of names) {
    const path = memberPath("$.credentials", name);
    const reference = table[name];
    if (!CREDENTIAL_NAME.test(name)) reader.report(path, "is not a usable credential name");
    if (typeof reference !== "string" || !isReference(reference)) {
      reader.report(path, "must be env:NAME or file:path, never the secret itself");
      continue;
    }
    const resolved = resolveReference(reference, environment, at);
    if (!resolved.ok) reader.report(path, resolved.message);
    else if (!FIELD_VALUE.test(resolved.value)) reader.report(path, "is not a value that a header can carry");
    else credentials.set(name, secrets === "keep" ? absoluteReference(reference, at) : resolved.value);
  }
  return credentials;
}

/** Decodes the `credentials` of a configuration alone. Throws ConfigError with every problem. */
export function decodeCredentials(
  value: JsonValue | undefined,
  options: DecodeProgramsOptions,
): ReadonlyMap<string, string> {
  const reader = new ConfigReader();
  const at = pathsFrom(options.baseDir);
  const credentials = readCredentials(reader, value, options.environment, at, options.secrets);
  if (reader.problems.length > 0) throw new ConfigError(options.file, reader.problems);
  return credentials;
}
