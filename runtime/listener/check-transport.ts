// Stage 1, listener: what the head of a request must satisfy before anything else looks at it. Pure: reads no body,
// answers nothing. (MCP Streamable HTTP, security: Host and Origin; RFC 9110; RFC 9112.)
import { AegisError, requestFault } from "#errors";
import { duplicateHeader } from "#mcp";
import type { HeaderView } from "#mcp";
import type { InboundHttp } from "./inbound.ts";

export interface TransportRules {
  /**
   * Accepted `Host` values: `name`, `name:port`, or `name:*` for any port. Compared without case.
   * A rebound DNS name reaches the port but is not on the list.
   */
  readonly allowedHosts: readonly string[];
  /** Accepted `Origin` values, compared whole, e.g. `https://app.example`. A request without Origin is not a browser's. */
  readonly allowedOrigins: readonly string[];
}

export type RequestHead = Pick<InboundHttp, "method" | "rawTarget" | "headers">;

/** Headers of which a second one makes a request ambiguous. `mcp-param-*` is checked by prefix. */
const SINGLE_VALUED: ReadonlySet<string> = new Set([
  "host",
  "origin",
  "authorization",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "mcp-session-id",
  "last-event-id",
  "dpop",
]);

const METHODS: ReadonlySet<string> = new Set(["POST", "GET", "DELETE"]);

/**
 * `servesPath`: false where nothing answers at the path of the target, so that its query need not be looked at.
 * @throws {AegisError} HTTP_TARGET_INVALID, HTTP_HEADER_INVALID, HEADER_MISMATCH (a protocol header sent twice),
 *   HOST_FORBIDDEN, ORIGIN_FORBIDDEN, HTTP_METHOD, HTTP_MEDIA_TYPE
 */
export function checkTransport(head: RequestHead, rules: TransportRules, servesPath = true): void {
  refuseDuplicates(head.headers);
  checkTarget(head.rawTarget);
  checkHost(head.headers, rules.allowedHosts);
  checkOrigin(head.headers, rules.allowedOrigins);
  if (!METHODS.has(head.method)) throw new AegisError("HTTP_METHOD", "only POST, GET and DELETE");
  if (head.method === "POST") checkMediaType(head.headers);
  // Last: what no endpoint is at is told as that, whatever its query, and only to whom the path without one would be.
  if (servesPath) checkQuery(head.rawTarget);
}

function refuseDuplicates(headers: HeaderView): void {
  for (const name of headers.repeated()) {
    if (SINGLE_VALUED.has(name) || name.startsWith("mcp-param-")) throw duplicateHeader(name);
  }
}

const MAX_TARGET_LENGTH = 4_096;

/** Origin form only (RFC 9112 section 3.2.1): an absolute target would name a second host. */
function checkTarget(rawTarget: string): void {
  if (!rawTarget.startsWith("/") || rawTarget.startsWith("//"))
    throw new AegisError("HTTP_TARGET_INVALID", "not in origin form");
  if (rawTarget.length > MAX_TARGET_LENGTH) throw new AegisError("HTTP_TARGET_INVALID", "target too long");
  if (/[^\x21-\x7e]|[#\\]/.test(rawTarget))
    throw new AegisError("HTTP_TARGET_INVALID", "character that no URI has");
}

function checkQuery(rawTarget: string): void {
  const query = rawTarget.indexOf("?");
  if (query !== -1) refuseTokens(rawTarget.slice(query + 1));
}

const TOKEN_NAME =
  /^(?:.*token|bearer|authorization|auth|jwt|api[-_]?key|key|code|.*secret|password|assertion|session[-_]?id)$/i;
const JWT_VALUE = /eyJ[\w-]+\.[\w-]+\.[\w-]*/;

/**
 * Credentials in a URL end up in logs and histories (RFC 6750 section 5.3; MCP authorization). Neither name nor value is
 * repeated.
 */
function refuseTokens(query: string): void {
  let parameters: URLSearchParams;
  try {
    decodeURIComponent(query.replaceAll("+", " "));
    parameters = new URLSearchParams(query);
  } catch (cause) {
    const detail = "its query is not valid percent-encoding";
    throw new AegisError("HTTP_TARGET_INVALID", detail, { cause, reason: detail });
  }
  for (const [name, value] of parameters) {
    if (TOKEN_NAME.test(name) || JWT_VALUE.test(value))
      throw requestFault(
        "HTTP_TARGET_INVALID",
        "its query has a credential or a session, which this endpoint does not take there; a token goes in Authorization",
      );
  }
}

const HOST = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::(?<port>\d{1,5}))?$/;

function checkHost(headers: HeaderView, allowedHosts: readonly string[]): void {
  const host = headers.get("host")?.toLowerCase();
  if (host === undefined || host === "") throw new AegisError("HTTP_HEADER_INVALID", "no Host");
  const name = HOST.exec(host)?.groups?.["name"];
  if (name === undefined) throw new AegisError("HOST_FORBIDDEN", "malformed Host");
  const isAllowed = allowedHosts.some((allowed) => {
    const entry = allowed.toLowerCase();
    return entry.endsWith(":*") ? entry.slice(0, -2) === name : entry === host;
  });
  if (!isAllowed) throw new AegisError("HOST_FORBIDDEN", "Host is not on the list");
}

function checkOrigin(headers: HeaderView, allowedOrigins: readonly string[]): void {
  const origin = headers.get("origin");
  if (origin === undefined) return;
  if (!allowedOrigins.includes(origin)) throw new AegisError("ORIGIN_FORBIDDEN", "Origin is not on the list");
}

const JSON_TYPE = /^application\/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;

function checkMediaType(headers: HeaderView): void {
  const type = headers.get("content-type");
  if (type === undefined || !JSON_TYPE.test(type))
    throw new AegisError("HTTP_MEDIA_TYPE", "content type is not application/json in UTF-8");
  const coding = headers.get("content-encoding");
  if (coding !== undefined && coding.toLowerCase() !== "identity")
    throw new AegisError("HTTP_MEDIA_TYPE", "content coding is not identity");
}

/** True if the `Accept` header names the media type or a range that holds it, and not with q=0. */
export function accepts(headers: HeaderView, mediaType: string): boolean {
  const type = mediaType.split("/", 1)[0] ?? "";
  const ranges = new Set([mediaType, `${type}/*`, "*/*"]);
  return headers.all("accept").some((value) =>
    value.split(",").some((range) => {
      const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
      return ranges.has(name) && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    }),
  );
}

/**
 * A legacy POST must accept both forms of an answer, a GET the stream (MCP 2025-11-25, Streamable HTTP).
 * @throws {AegisError} HTTP_NOT_ACCEPTABLE
 */
export function requireLegacyAccept(head: RequestHead): void {
  const needed = head.method === "GET" ? ["text/event-stream"] : ["application/json", "text/event-stream"];
  for (const mediaType of needed) {
    if (!accepts(head.headers, mediaType))
      throw new AegisError("HTTP_NOT_ACCEPTABLE", `Accept lacks ${mediaType}`);
  }
}
