// `egress` of gateway.json: networks that connections to servers may lead into although they are not public.
import type { JsonValue } from "#std";
import { isAddressRange } from "./address-range.ts";
import { ConfigError, ConfigReader, MAX_LIST_ITEMS } from "./config-decoder.ts";

export interface EgressConfig {
  /** Addresses, ranges and host names; absent = loopback, where the URL of a server says so itself. */
  readonly allow?: readonly string[];
}

const HOST_NAME = /^(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})*$/u;

export function readEgress(
  reader: ConfigReader,
  value: JsonValue | undefined,
): { readonly egress?: EgressConfig } {
  if (value === undefined) return {};
  const egress = reader.object(value, "$.egress", ["allow"], true);
  const allow = reader.strings(egress["allow"], "$.egress.allow", MAX_LIST_ITEMS);
  for (const [index, entry] of (allow ?? []).entries()) {
    if (!isAddressRange(entry) && !HOST_NAME.test(entry))
      reader.report(
        `$.egress.allow[${index}]`,
        "must be an address, a range such as 10.0.0.0/8, or a host name in lower case",
      );
  }
  return { egress: allow === undefined ? {} : { allow } };
}

/** Decodes the `egress` of a configuration alone. Throws ConfigError with every problem. */
export function decodeEgress(value: JsonValue | undefined, file: string): EgressConfig {
  const reader = new ConfigReader();
  const { egress = {} } = readEgress(reader, value);
  if (reader.problems.length > 0) throw new ConfigError(file, reader.problems);
  return egress;
}
