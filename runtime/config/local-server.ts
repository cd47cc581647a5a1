// `stdio` of gateway.json: who the client of a local server is. Always by a token, never by the operating system's user.
import type { JsonValue } from "#std";
import type { ConfigReader } from "./config-decoder.ts";
import type { PathResolver } from "./programs.ts";
import { isReference } from "./secrets.ts";
import type { SecretSource } from "./secrets.ts";

/** Where the token is. A file is read again when it changes; whether there is a token shows when the server starts. */
export type TokenPlace =
  | { readonly kind: "env"; readonly name: string; readonly value: string | undefined }
  | { readonly kind: "file"; readonly path: string };

export interface StdioConfig {
  readonly token: TokenPlace;
  /** Whether the admin listener is started too. */
  readonly admin: boolean;
}

export function readStdio(
  reader: ConfigReader,
  value: JsonValue | undefined,
  environment: SecretSource,
  at: PathResolver,
): { readonly stdio?: StdioConfig } {
  if (value === undefined) return {};
  const stdio = reader.object(value, "$.stdio", ["token", "admin"], true);
  const reference = reader.string(stdio["token"], "$.stdio.token");
  const admin = stdio["admin"] ?? false;
  if (typeof admin !== "boolean") reader.report("$.stdio.admin", "must be true or false");
  if (reference !== "" && !isReference(reference))
    reader.report("$.stdio.token", "must be env:NAME or file:path, never the token itself");
  return { stdio: { token: placeOf(reference, environment, at), admin: admin === true } };
}

function placeOf(reference: string, environment: SecretSource, at: PathResolver): TokenPlace {
  if (reference.startsWith("file:")) return { kind: "file", path: at(reference.slice("file:".length)) };
  const name = reference.slice("env:".length);
  return { kind: "env", name, value: Object.hasOwn(environment, name) ? environment[name] : undefined };
}
