// `sealingKey` of gateway.json: the key that seals what clients carry for the gateway, always by reference.
import { SEALING_KEY_MIN_BYTES } from "#sealing";
import type { JsonValue } from "#std";
import type { ConfigReader } from "./config-decoder.ts";
import type { PathResolver } from "./programs.ts";
import { isReference, resolveReference } from "./secrets.ts";
import type { SecretSource } from "./secrets.ts";

const PATH = "$.sealingKey";

/** Text behind the reference is base64 or base64url of at least 32 bytes. No message repeats it. */
export function readSealingKey(
  reader: ConfigReader,
  value: JsonValue | undefined,
  environment: SecretSource,
  at: PathResolver,
): { readonly sealingKey?: Uint8Array } {
  if (value === undefined) return {};
  if (typeof value !== "string" || !isReference(value)) {
    reader.report(PATH, "must be env:NAME or file:path, never the key itself");
    return {};
  }
  const resolved = resolveReference(value, environment, at);
  if (!resolved.ok) {
    reader.report(PATH, resolved.message);
    return {};
  }
  const key = Buffer.from(resolved.value, "base64");
  if (!/^[A-Za-z0-9+/_-]+=*$/.test(resolved.value) || key.length < SEALING_KEY_MIN_BYTES) {
    reader.report(PATH, `must stand for base64 of at least ${SEALING_KEY_MIN_BYTES} bytes`);
    return {};
  }
  return { sealingKey: key };
}
