// Every fault the gateway can report: one sorted table. docs/errors.md has a section for each code and a test
// keeps both in step. A code is stable once released; its number is what crosses the wire in a JSON-RPC error.

export interface ErrorCodeEntry {
  /** JSON-RPC error number sent downstream (architecture: policy denials stand outside -32768..-32000). */
  readonly jsonrpc: number;
  /** HTTP status of the response that carries it. Policy denials travel in a 200. */
  readonly http: number;
  /** What the caller is told. Never contains a fact about the policy's inputs. */
  readonly message: string;
}

const denied = { jsonrpc: 4030, http: 200, message: "Denied by policy" } as const;
const internal = { jsonrpc: -32603, http: 200, message: "Internal error" } as const;
const invalidRequest = { jsonrpc: -32600, http: 400, message: "Invalid request" } as const;
const headerMismatch = { jsonrpc: -32020, http: 400, message: "Header does not agree with body" } as const;
const resultBlocked = { jsonrpc: 4032, http: 200, message: "Result blocked" } as const;
const unauthenticated = { jsonrpc: -32600, http: 401, message: "Authentication required" } as const;

export const ERROR_CODES = {
  ARGUMENTS_INVALID: { jsonrpc: -32602, http: 200, message: "Arguments do not match the approved schema" },
  ARGUMENTS_NOT_REPRESENTABLE: {
    ...denied,
    message: "Arguments cannot be represented for the policy decision",
  },
  ASK_ANSWER_INVALID: { jsonrpc: -32602, http: 200, message: "Not an answer to what was asked" },
  ASK_UNKNOWN: { ...invalidRequest, http: 200, message: "No request waits for this answer" },
  AUDIT_UNAVAILABLE: { jsonrpc: 5031, http: 200, message: "Audit log unavailable" },
  AUTHN_AUDIENCE_INVALID: { ...unauthenticated, message: "Token is not for this endpoint" },
  AUTHN_ISSUER_UNKNOWN: { ...unauthenticated, message: "Token issuer is not accepted here" },
  AUTHN_KEYS_UNAVAILABLE: { jsonrpc: 5030, http: 503, message: "Token keys unavailable" },
  AUTHN_TENANT_MISMATCH: { ...unauthenticated, message: "Token belongs to another tenant" },
  AUTHN_TOKEN_EXPIRED: { ...unauthenticated, message: "Token expired" },
  AUTHN_TOKEN_INVALID: { ...unauthenticated, message: "Token invalid" },
  AUTHN_TOKEN_MISSING: { ...unauthenticated, message: "Bearer token required" },
  BRIDGE_SESSION_LIMIT: { jsonrpc: 4290, http: 200, message: "Too many sessions with the server" },
  CAPABILITY_REQUIRED: { jsonrpc: -32021, http: 400, message: "Required client capability missing" },
  COMPLETION_TARGET_UNKNOWN: { jsonrpc: -32602, http: 200, message: "Unknown completion reference" },
  CONNECTION_LIMIT: { jsonrpc: 5030, http: 503, message: "Too many connections" },
  CURSOR_INVALID: { jsonrpc: -32602, http: 200, message: "Invalid cursor" },
  EGRESS_DENIED: { jsonrpc: 5030, http: 200, message: "Upstream unavailable" },
  ENVELOPE_INVALID: { jsonrpc: -32602, http: 400, message: "Request envelope incomplete" },
  EVENT_UNKNOWN: { ...invalidRequest, message: "Event id not known in this session" },
  EXCHANGE_ABORTED: { ...internal, message: "Exchange aborted" },
  EXCHANGE_DEADLINE: { jsonrpc: 5040, http: 200, message: "Deadline exceeded" },
  GATEWAY_STOPPING: { jsonrpc: 5030, http: 503, message: "The gateway is stopping" },
  HEADER_MISMATCH: headerMismatch,
  HOST_FORBIDDEN: { ...invalidRequest, http: 403, message: "Host not allowed" },
  HTTP_HEADER_INVALID: { ...invalidRequest, message: "Invalid or duplicated header" },
  HTTP_MEDIA_TYPE: { ...invalidRequest, http: 415, message: "Content type must be application/json" },
  HTTP_METHOD: { ...invalidRequest, http: 405, message: "HTTP method not allowed" },
  HTTP_NOT_ACCEPTABLE: {
    ...invalidRequest,
    http: 406,
    message: "Accept must list application/json and text/event-stream",
  },
  HTTP_TARGET_INVALID: { ...invalidRequest, message: "Invalid request target" },
  JSON_INVALID: { jsonrpc: -32700, http: 400, message: "Parse error" },
  MESSAGE_INVALID: invalidRequest,
  MESSAGE_TOO_LARGE: { ...invalidRequest, http: 413, message: "Message too large" },
  METHOD_UNKNOWN: { jsonrpc: -32601, http: 404, message: "Method not found" },
  NOT_READY: { jsonrpc: 5032, http: 503, message: "No active release" },
  ORIGIN_FORBIDDEN: { ...invalidRequest, http: 403, message: "Origin not allowed" },
  OVERLOADED: { jsonrpc: 5030, http: 503, message: "Too many requests in flight" },
  PIN_MISMATCH: { jsonrpc: 4031, http: 200, message: "The upstream definition is not the approved one" },
  PIN_UNVERIFIED: { jsonrpc: 4031, http: 200, message: "The upstream definition could not be verified" },
  POLICY_DENIED: denied,
  POLICY_ERROR: { ...denied, message: "Denied: a policy could not be evaluated" },
  PRINCIPAL_ATTRIBUTE_MISSING: { ...denied, message: "Denied: a required principal attribute is missing" },
  PROTOCOL_VERSION_UNSUPPORTED: { jsonrpc: -32022, http: 400, message: "Unsupported protocol version" },
  RATE_LIMITED: { jsonrpc: 4290, http: 200, message: "Rate limit exceeded" },
  REQUEST_STATE_INVALID: { jsonrpc: -32602, http: 200, message: "Invalid request state" },
  RESULT_BLOCKED: resultBlocked,
  RESULT_TOO_LARGE: { ...resultBlocked, message: "Result too large" },
  ROUTE_NOT_FOUND: { ...invalidRequest, http: 404, message: "No such endpoint" },
  SERVER_REQUEST_DENIED: { ...denied, message: "Server-initiated request denied" },
  SESSION_LIMIT: { jsonrpc: 5030, http: 503, message: "Too many sessions" },
  SESSION_REQUIRED: { ...invalidRequest, message: "Session required" },
  SESSION_STREAM_CONFLICT: { ...invalidRequest, http: 409, message: "The session already has a stream" },
  SESSION_UNKNOWN: { ...invalidRequest, http: 404, message: "Session not found" },
  STAGE_FAULT: internal,
  STREAM_LIMIT: { jsonrpc: 5030, http: 503, message: "Too many streams" },
  STREAM_OVERFLOW: { ...resultBlocked, message: "Stream buffer exceeded" },
  TARGET_UNKNOWN: { jsonrpc: -32602, http: 200, message: "Unknown target" },
  TASK_LIMIT: { jsonrpc: 4290, http: 200, message: "Too many open tasks" },
  TASK_UNKNOWN: { jsonrpc: -32602, http: 200, message: "Unknown task" },
  TASK_UNSUPPORTED: { jsonrpc: -32601, http: 200, message: "The tool does not run as a task" },
  TRANSFORM_FAILED: { ...resultBlocked, message: "Result could not be transformed" },
  UPGRADE_INVALID: { ...invalidRequest, message: "A WebSocket must offer the subprotocol mcp" },
  UPSTREAM_PROTOCOL: { jsonrpc: 5030, http: 200, message: "Upstream broke the protocol" },
  UPSTREAM_TIMEOUT: { jsonrpc: 5040, http: 200, message: "Upstream timed out" },
  UPSTREAM_UNAVAILABLE: { jsonrpc: 5030, http: 200, message: "Upstream unavailable" },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
