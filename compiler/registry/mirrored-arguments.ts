// Arguments that a tool's schema has mirrored into headers (MCP 2026-07-28, tools: x-mcp-header). A client over HTTP must
// not use a tool whose declarations break the rules; toward a server the gateway is such a client.
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";

const ANNOTATION = "x-mcp-header";
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u;
const MIRRORED_TYPES: ReadonlySet<JsonValue | undefined> = new Set(["string", "integer", "boolean"]);
const MAX_DEPTH = 64;

/** What is wrong with the declarations of an input schema, in words for the operator; undefined = nothing. */
export function mirrorFault(schema: JsonValue | undefined): string | undefined {
  return faultBelow(schema, "", new Set<string>(), MAX_DEPTH);
}

function faultBelow(
  schema: JsonValue | undefined,
  path: string,
  names: Set<string>,
  left: number,
): string | undefined {
  const properties = isJsonObject(schema) ? schema["properties"] : undefined;
  if (!isJsonObject(properties) || left === 0) return undefined;
  for (const [name, member] of Object.entries(properties)) {
    const at = `${path}/${name}`;
    const fault = isJsonObject(member)
      ? declarationFault(member[ANNOTATION], member["type"], names)
      : undefined;
    if (fault !== undefined) return `${JSON.stringify(at)}: ${ANNOTATION} ${fault}`;
    const below = faultBelow(member, at, names, left - 1);
    if (below !== undefined) return below;
  }
  return undefined;
}

function declarationFault(
  declared: JsonValue | undefined,
  type: JsonValue | undefined,
  names: Set<string>,
): string | undefined {
  if (declared === undefined) return undefined;
  if (typeof declared !== "string" || !TOKEN.test(declared)) return "is no header name";
  if (!MIRRORED_TYPES.has(type)) return "stands on something else than a string, an integer or a boolean";
  const name = declared.toLowerCase();
  if (names.has(name)) return "has the name of another";
  names.add(name);
  return undefined;
}
