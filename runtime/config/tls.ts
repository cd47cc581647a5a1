// `listen.tls` of gateway.json: the files of the certificate. They are read when the gateway starts, not here.
import type { JsonValue } from "#std";
import type { ConfigReader } from "./config-decoder.ts";
import type { PathResolver } from "./programs.ts";

export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
  /** Authorities of client certificates; absent = clients show none. */
  readonly ca?: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

export function readTls(
  reader: ConfigReader,
  value: JsonValue | undefined,
  at: PathResolver,
): { readonly tls?: TlsConfig } {
  if (value === undefined) return {};
  const path = "$.listen.tls";
  const tls = reader.object(value, path, ["cert", "key", "ca", "minVersion"], true);
  const ca = reader.optionalString(tls["ca"], `${path}.ca`);
  return {
    tls: {
      cert: at(reader.string(tls["cert"], `${path}.cert`)),
      key: at(reader.string(tls["key"], `${path}.key`)),
      ...(ca === undefined ? {} : { ca: at(ca) }),
      minVersion: reader.oneOf(
        tls["minVersion"],
        `${path}.minVersion`,
        ["TLSv1.2", "TLSv1.3"] as const,
        "TLSv1.2",
      ),
    },
  };
}
