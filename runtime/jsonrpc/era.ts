// Which era a message belongs to, decided from its body, and the agreement of the headers with it. The order of the
// checks is the order in which a request that fails several is answered (MCP 2026-07-28, Streamable HTTP; the SDKs' ladder).
import type { Era } from "#bundle";
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { HeaderView } from "./header-view.ts";
import { requireStandardHeaders } from "./headers.ts";
import type { ClientMessage, NotificationMessage, RequestMessage } from "./message.ts";
import {
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PROTOCOL_VERSION,
} from "./names.ts";
import {
  ASSUMED_LEGACY_VERSION,
  SUPPORTED_VERSIONS,
  isModernVersion,
  negotiateLegacyVersion,
} from "./versions.ts";
import type { SupportedVersions } from "./versions.ts";

export interface Classification {
  readonly era: Era;
  /**
   * Modern: the revision of the envelope. Legacy: for `initialize` the negotiated revision, else the header's, else
   * 2025-03-26; a session's own revision takes precedence over it.
   */
  readonly version: string;
}

export interface ClassifyInput {
  readonly headers: HeaderView;
  readonly message: ClientMessage;
  readonly supportedVersions?: SupportedVersions;
  /** False on transports whose messages have no headers of their own; the body alone decides. Default true. */
  readonly mirrorsHeaders?: boolean;
}

/**
 * Classifies a message. An envelope in the body makes it modern, whatever a header says; `initialize` and a body
 * without envelope are legacy, unless a header names a modern revision, which is then refused: no header can move a
 * message to the era with fewer checks.
 * @throws {AegisError} HEADER_MISMATCH, PROTOCOL_VERSION_UNSUPPORTED, ENVELOPE_INVALID, MESSAGE_INVALID
 */
export function classifyMessage(input: ClassifyInput): Classification {
  const { headers, message } = input;
  const supported = input.supportedVersions ?? SUPPORTED_VERSIONS;
  const mirrorsHeaders = input.mirrorsHeaders ?? true;
  const headerVersion = mirrorsHeaders ? headers.get("mcp-protocol-version") : undefined;
  if (message.kind === "response") return classifyResponse(headerVersion, supported);
  const meta = metaOf(message.params);
  if (meta !== undefined && Object.hasOwn(meta, META_PROTOCOL_VERSION)) {
    return classifyEnvelope({ headers, headerVersion, message, meta, supported, mirrorsHeaders });
  }
  const [newest] = supported.modern;
  if (!mirrorsHeaders && newest !== undefined && isLoneNotification(message, headers))
    return { era: "modern", version: newest };
  if (headerVersion !== undefined && isModernVersion(headerVersion)) {
    return withoutEnvelope({ headers, headerVersion, message, supported });
  }
  return classifyLegacy(headerVersion, message, supported);
}

/** Without a session there is no legacy conversation that a notification could belong to. */
function isLoneNotification(message: ClientMessage, headers: HeaderView): boolean {
  return message.kind === "notification" && headers.get("mcp-session-id") === undefined;
}

interface EnvelopeInput {
  readonly headers: HeaderView;
  readonly headerVersion: string | undefined;
  readonly message: RequestMessage | NotificationMessage;
  readonly meta: JsonObject;
  readonly supported: SupportedVersions;
  readonly mirrorsHeaders: boolean;
}

function classifyEnvelope({
  headers,
  headerVersion,
  message,
  meta,
  supported,
  mirrorsHeaders,
}: EnvelopeInput): Classification {
  const version = meta[META_PROTOCOL_VERSION];
  if (typeof version !== "string")
    throw new AegisError("ENVELOPE_INVALID", "protocolVersion of the envelope is not a string");
  if (headerVersion !== undefined && headerVersion !== version) {
    throw new AegisError("HEADER_MISMATCH", "MCP-Protocol-Version does not equal the envelope");
  }
  if (mirrorsHeaders) requireMethodHeader(headers, message);
  if (!supported.modern.includes(version)) throw unsupported(version, supported);
  if (message.kind === "notification") return { era: "modern", version };
  requireEnvelope(meta);
  if (mirrorsHeaders) requireStandardHeaders(headers, message);
  return { era: "modern", version };
}

/** The header names a modern revision and the body has no envelope. Only a notification may do without one. */
function withoutEnvelope(
  input: Omit<EnvelopeInput, "meta" | "mirrorsHeaders"> & { readonly headerVersion: string },
): Classification {
  const { headers, headerVersion, message, supported } = input;
  if (message.kind === "request" && message.method === "initialize") {
    throw new AegisError("HEADER_MISMATCH", "initialize with a modern MCP-Protocol-Version");
  }
  if (message.kind === "request")
    throw new AegisError("ENVELOPE_INVALID", "request without a protocol version in _meta");
  requireMethodHeader(headers, message);
  if (!supported.modern.includes(headerVersion)) throw unsupported(headerVersion, supported);
  return { era: "modern", version: headerVersion };
}

function classifyLegacy(
  headerVersion: string | undefined,
  message: RequestMessage | NotificationMessage,
  supported: SupportedVersions,
): Classification {
  // `initialize` negotiates in its body; SDKs send a stale header with it when they reconnect.
  if (message.kind === "request" && message.method === "initialize") {
    return {
      era: "legacy",
      version: negotiateLegacyVersion(message.params?.["protocolVersion"], supported.legacy),
    };
  }
  return { era: "legacy", version: legacyVersionOf(headerVersion, supported) };
}

function classifyResponse(headerVersion: string | undefined, supported: SupportedVersions): Classification {
  if (headerVersion !== undefined && isModernVersion(headerVersion)) {
    throw new AegisError("MESSAGE_INVALID", "a response cannot be posted in the modern era");
  }
  return { era: "legacy", version: legacyVersionOf(headerVersion, supported) };
}

function legacyVersionOf(headerVersion: string | undefined, supported: SupportedVersions): string {
  if (headerVersion === undefined) return ASSUMED_LEGACY_VERSION;
  if (!supported.legacy.includes(headerVersion)) throw unsupported(headerVersion, supported);
  return headerVersion;
}

/**
 * Of a request without a message. It need not be the revision that the session has negotiated (MCP 2025-06-18, protocol version
 * header: SHOULD), and clients send others.
 * @throws {AegisError} PROTOCOL_VERSION_UNSUPPORTED where it is none that is spoken here
 */
export function requireSpokenVersion(headers: HeaderView, supported = SUPPORTED_VERSIONS): void {
  const version = headers.get("mcp-protocol-version");
  if (version === undefined || supported.legacy.includes(version) || supported.modern.includes(version))
    return;
  throw unsupported(version, supported);
}

function requireMethodHeader(headers: HeaderView, message: RequestMessage | NotificationMessage): void {
  const header = headers.get("mcp-method");
  if (header !== undefined && header !== message.method)
    throw new AegisError("HEADER_MISMATCH", "Mcp-Method does not equal the method");
}

/** -32022 with what a client needs to try again (MCP 2026-07-28, error codes). */
function unsupported(requested: string, supported: SupportedVersions): AegisError {
  const data = { supported: [...supported.modern], requested: requested.slice(0, 64) };
  return new AegisError("PROTOCOL_VERSION_UNSUPPORTED", "revision is not spoken here", { data });
}

function metaOf(params: JsonObject | undefined): JsonObject | undefined {
  const meta = params !== undefined && Object.hasOwn(params, "_meta") ? params["_meta"] : undefined;
  return isJsonObject(meta) ? meta : undefined;
}

const LOG_LEVELS: readonly JsonValue[] = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
];

/** @throws {AegisError} ENVELOPE_INVALID (MCP 2026-07-28, base protocol, `_meta`) */
function requireEnvelope(meta: JsonObject): void {
  if (!isJsonObject(meta[META_CLIENT_CAPABILITIES]))
    throw envelope("clientCapabilities is missing or not an object");
  const info = meta[META_CLIENT_INFO];
  if (
    info !== undefined &&
    !(isJsonObject(info) && typeof info["name"] === "string" && typeof info["version"] === "string")
  ) {
    throw envelope("clientInfo has no name or no version");
  }
  const level = meta[META_LOG_LEVEL];
  if (level !== undefined && !LOG_LEVELS.includes(level)) throw envelope("logLevel is unknown");
  const token = meta["progressToken"];
  if (token !== undefined && typeof token !== "string" && !Number.isSafeInteger(token)) {
    throw envelope("progressToken is neither a string nor an integer");
  }
}

function envelope(detail: string): AegisError {
  return new AegisError("ENVELOPE_INVALID", detail);
}
