// What policies may know of a request beside its arguments: when, from where, by which client, how authenticated.
import type { RequestFacts } from "#bundle";
import { META_CLIENT_INFO } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Admitted } from "./exchange.ts";

/** UTF-16 code units of what a client says of itself; the rest is cut. */
const MAX_CLIENT_TEXT = 256;

/** The facts of one admitted message. Names a client gives itself are claims, not identity. */
export function requestFactsOf(exchange: Admitted): RequestFacts {
  const { principal, era, protocolVersion, inbound, receivedAtMs } = exchange;
  const info = clientInfoOf(exchange);
  const name = textOf(info?.["name"]);
  const version = textOf(info?.["version"]);
  return {
    nowMs: receivedAtMs,
    ...(inbound.remoteAddress === "" ? {} : { sourceIp: inbound.remoteAddress }),
    client: {
      ...(principal.clientId === undefined ? {} : { id: principal.clientId }),
      ...(name === undefined ? {} : { name }),
      ...(version === undefined ? {} : { version }),
    },
    protocol: { era, version: protocolVersion },
    auth: principal.auth,
  };
}

/** Legacy clients introduce themselves once for a session, modern ones with every message. */
function clientInfoOf({ session, message }: Admitted): JsonObject | undefined {
  if (session !== undefined) return session.clientInfo;
  const meta = message.kind === "response" ? undefined : message.params?.["_meta"];
  const info = isJsonObject(meta) ? meta[META_CLIENT_INFO] : undefined;
  return isJsonObject(info) ? info : undefined;
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string"
    ? value.toWellFormed().slice(0, MAX_CLIENT_TEXT).toWellFormed()
    : undefined;
}
