// Which era a server is spoken to in, and what a caller of the other era is told of it (MCP 2026-07-28, version
// negotiation). A server is bridged only where it was not pinned in the caller's own era.
import type { Era, EraEntry, ServerEntry } from "#bundle";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

type Eras = Pick<ServerEntry, "eras">;

/** The caller's era where the server was pinned in it, else the other one. */
export function upstreamEra({ eras }: Eras, callerEra: Era): Era {
  if (eras[callerEra] !== undefined) return callerEra;
  return otherEra(callerEra);
}

export function isBridged(server: Eras, callerEra: Era): boolean {
  return upstreamEra(server, callerEra) !== callerEra;
}

/** What the server announced when it was pinned, in the words of the caller's era; undefined where it was not pinned. */
export function announcementOf({ eras }: Eras, callerEra: Era): EraEntry | undefined {
  const own = eras[callerEra];
  if (own !== undefined) return own;
  const other = eras[otherEra(callerEra)];
  if (other === undefined) return undefined;
  const [protocolVersion] = callerEra === "modern" ? MODERN_VERSIONS : LEGACY_VERSIONS;
  if (protocolVersion === undefined) return undefined;
  return { ...other, protocolVersion, capabilities: sharedCapabilities(other.capabilities) };
}

function otherEra(era: Era): Era {
  return era === "modern" ? "legacy" : "modern";
}

/** Features that both eras have. Tasks are another protocol in each, extensions are the modern era's alone. */
const SHARED_CAPABILITIES = ["completions", "experimental", "logging", "prompts", "resources", "tools"];

function sharedCapabilities(capabilities: JsonObject): JsonObject {
  const shared: Record<string, JsonValue> = {};
  for (const name of SHARED_CAPABILITIES) {
    const value = capabilities[name];
    if (isJsonObject(value)) shared[name] = value;
  }
  return shared;
}
