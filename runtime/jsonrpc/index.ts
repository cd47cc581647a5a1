// Door #mcp: one strict parse, JSON-RPC messages, the method table, eras and mirrored headers.
export type {
  ClientMessage,
  NotificationMessage,
  RequestId,
  RequestMessage,
  ResponseMessage,
  ServerMessage,
  ServerResponseMessage,
} from "./message.ts";
export type { JsonLimits } from "./scan.ts";
export { CLIENT_JSON_LIMITS, UPSTREAM_JSON_LIMITS, parseStrict, parseStrictText } from "./parse-json.ts";
export { parseClientMessage, parseServerMessage, readableId } from "./parse-message.ts";
export type {
  ActionGroup,
  Direction,
  Handling,
  MessageKind,
  MethodRow,
  MethodTarget,
} from "./method-table.ts";
export { METHOD_TABLE, lookupMethod, methodRow } from "./method-table.ts";
export type { HeaderView } from "./header-view.ts";
export { duplicateHeader, headerView } from "./header-view.ts";
export { decodeHeaderValue, encodeHeaderValue, headerTextOf } from "./header-value.ts";
export { checkParamHeaders, requireStandardHeaders } from "./headers.ts";
export type { Classification, ClassifyInput } from "./era.ts";
export { classifyMessage, requireSpokenVersion } from "./era.ts";
export type { SupportedVersions } from "./versions.ts";
export {
  ASSUMED_LEGACY_VERSION,
  LEGACY_VERSIONS,
  MODERN_VERSIONS,
  SUPPORTED_VERSIONS,
  isModernVersion,
  negotiateLegacyVersion,
} from "./versions.ts";
export {
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PREFIX,
  META_PROTOCOL_VERSION,
} from "./names.ts";
export type { ErrorReply } from "./error-reply.ts";
export { encodeErrorReply } from "./error-reply.ts";
