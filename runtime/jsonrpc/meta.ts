// What a client may say in `params._meta` (MCP base protocol, `_meta`; W3C Trace Context; W3C Baggage).
import type { JsonObject, JsonValue } from "#std";

/** Keys under this prefix are the gateway's own; a client's are removed. */
const GATEWAY_META_PREFIX = "aegis/";

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** W3C Trace Context section 3.3.1.5. */
const MAX_TRACESTATE_LENGTH = 512;
/** W3C Baggage section 3.3.2. */
const MAX_BAGGAGE_LENGTH = 8_192;

/** The same object where nothing had to go, else a copy without spoofed keys and malformed trace context. */
export function cleanMeta(meta: JsonObject): JsonObject {
  const names = Object.keys(meta);
  if (names.every((name) => isAllowed(name, meta[name]))) return meta;
  return Object.fromEntries(Object.entries(meta).filter(([name, value]) => isAllowed(name, value)));
}

function isAllowed(name: string, value: JsonValue | undefined): boolean {
  switch (name) {
    case "traceparent":
      return typeof value === "string" && TRACEPARENT.test(value);
    case "tracestate":
      return typeof value === "string" && value.length <= MAX_TRACESTATE_LENGTH;
    case "baggage":
      return typeof value === "string" && value.length <= MAX_BAGGAGE_LENGTH;
    default:
      return !name.toLowerCase().startsWith(GATEWAY_META_PREFIX);
  }
}
