// What the bridge has to know of a message: kind, id, method and era. The text itself is forwarded as it came.
import { META_PROTOCOL_VERSION, UPSTREAM_JSON_LIMITS, isModernVersion, parseStrictText } from "#mcp";
import type { RequestId } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** One message a client wrote. */
export interface ClientLine {
  readonly text: string;
  readonly kind: "request" | "notification" | "response" | "batch";
  /** Ids of the requests in it; one for a request, any number for a batch. */
  readonly ids: readonly RequestId[];
  readonly method: string | undefined;
  readonly params: JsonObject | undefined;
  /** Revision of the envelope of a modern request; undefined for the legacy era. */
  readonly modernVersion: string | undefined;
}

/** What a server sent, as far as the bridge looks at it. */
export interface ServerText {
  readonly text: string;
  /** Ids of the requests that it answers. */
  readonly answers: readonly (RequestId | null)[];
  readonly value: JsonValue;
}

function idOf(message: JsonObject): RequestId | undefined {
  const id = message["id"];
  return typeof id === "string" || (typeof id === "number" && Number.isSafeInteger(id)) ? id : undefined;
}

function modernVersionOf(params: JsonValue | undefined): string | undefined {
  const meta = isJsonObject(params) ? params["_meta"] : undefined;
  const version = isJsonObject(meta) ? meta[META_PROTOCOL_VERSION] : undefined;
  return typeof version === "string" && isFieldValue(version) ? version : undefined;
}

const isFieldValue = (text: string): boolean => /^[\x21-\x7e]{1,64}$/u.test(text);

/**
 * Reads one line of a client. @throws {AegisError} JSON_INVALID, MESSAGE_TOO_LARGE; @throws {TypeError} for JSON that is
 * no JSON-RPC message.
 */
export function readClientLine(text: string): ClientLine {
  const value = parseStrictText(text, UPSTREAM_JSON_LIMITS);
  if (Array.isArray(value)) {
    const ids = value.flatMap((entry) =>
      isJsonObject(entry) && typeof entry["method"] === "string" ? (idOf(entry) ?? []) : [],
    );
    return { text, kind: "batch", ids, method: undefined, params: undefined, modernVersion: undefined };
  }
  if (!isJsonObject(value)) throw new TypeError("not a JSON-RPC message");
  const { method, params, id } = value;
  const common = {
    text,
    params: isJsonObject(params) ? params : undefined,
    modernVersion: modernVersionOf(params),
  };
  if (typeof method !== "string") {
    if (!Object.hasOwn(value, "result") && !Object.hasOwn(value, "error"))
      throw new TypeError("not a JSON-RPC message");
    return { ...common, kind: "response", ids: [], method: undefined };
  }
  if (id === undefined) return { ...common, kind: "notification", ids: [], method };
  const usable = idOf(value);
  if (usable === undefined) throw new TypeError("the id is neither a string nor a whole number");
  return { ...common, kind: "request", ids: [usable], method };
}

/** Reads what a server sent; line breaks between its tokens become spaces. @throws {AegisError} as above */
export function readServerText(text: string): ServerText {
  const value = parseStrictText(text, UPSTREAM_JSON_LIMITS);
  const entries: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  const answers = entries.flatMap((entry) => {
    if (!isJsonObject(entry) || typeof entry["method"] === "string") return [];
    return [idOf(entry) ?? null];
  });
  return { text: text.replaceAll(/[\r\n]/gu, " "), answers, value };
}

/** True for a request of the modern era; an unknown later revision counts, so that the server can refuse it itself. */
export function isModern(message: ClientLine): boolean {
  return (
    message.modernVersion !== undefined &&
    (isModernVersion(message.modernVersion) || message.modernVersion > "2026")
  );
}
