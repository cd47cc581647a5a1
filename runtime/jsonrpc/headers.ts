// Agreement of the mirrored request headers with the body (MCP 2026-07-28, standard request headers). The body is what
// is decided on; a header that says otherwise refuses the request.
import type { ParamHeader } from "#bundle";
import { AegisError } from "#errors";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { HeaderView } from "./header-view.ts";
import { decodeHeaderValue, headerEquals, headerTextOf } from "./header-value.ts";
import type { RequestMessage } from "./message.ts";
import { lookupMethod } from "./method-table.ts";

/**
 * `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` must all stand on a modern request and agree with it.
 * `Mcp-Name` belongs to the methods whose row names a member; elsewhere it is ignored.
 * @throws {AegisError} HEADER_MISMATCH
 */
export function requireStandardHeaders(headers: HeaderView, message: RequestMessage): void {
  if (headers.get("mcp-protocol-version") === undefined) throw mismatch("MCP-Protocol-Version is missing");
  if (headers.get("mcp-method") === undefined) throw mismatch("Mcp-Method is missing");
  const member = lookupMethod("client-to-server", message.method, "modern")?.mcpNameFrom;
  if (member === undefined) return;
  const named = message.params?.[member];
  const header = headers.get("mcp-name");
  if (header === undefined) {
    // A body without the name is refused later, for its parameters.
    if (named === undefined) return;
    throw mismatch("Mcp-Name is missing");
  }
  if (decodeHeaderValue("Mcp-Name", header) !== named)
    throw mismatch(`Mcp-Name does not equal params.${member}`);
}

/**
 * `Mcp-Param-*` against the arguments of a tool call, for each declaration of the approved schema. Undeclared
 * `Mcp-Param-*` headers are neither judged nor trusted.
 * @throws {AegisError} HEADER_MISMATCH where one is missing, disagrees, or stands for an argument that is null or absent
 */
export function checkParamHeaders(
  headers: HeaderView,
  declarations: readonly ParamHeader[],
  args: JsonObject,
): void {
  for (const declaration of declarations) {
    const name = `Mcp-Param-${declaration.header}`;
    const header = headers.get(name);
    const value = valueAt(args, declaration.path);
    if (value === undefined || value === null) {
      if (header !== undefined) throw mismatch(`${name} stands for an argument that is not there`);
      continue;
    }
    if (header === undefined) {
      // What has no header form cannot be mirrored; clients leave such a header out.
      if (headerTextOf(value) === undefined) continue;
      throw mismatch(`${name} is missing`);
    }
    const comparable = headerTextOf(value) !== undefined || isRawNumber(value);
    if (!comparable || !headerEquals(decodeHeaderValue(name, header), value)) {
      throw mismatch(`${name} does not equal arguments.${declaration.path.join(".")}`);
    }
  }
}

function valueAt(args: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = args;
  for (const name of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

function mismatch(detail: string): AegisError {
  return new AegisError("HEADER_MISMATCH", detail);
}
