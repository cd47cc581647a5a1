// Which header may carry the credential of an upstream: never one that frames a message or that MCP gives a meaning.

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const RESERVED: ReadonlySet<string> = new Set([
  "accept",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "last-event-id",
  "origin",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const RESERVED_PREFIX = /^(?:mcp-|sec-|proxy-)/;

/** True for a lower-case header name (RFC 9110) that is free for a credential. */
export function isCredentialHeader(name: string): boolean {
  return HEADER_NAME.test(name) && !RESERVED.has(name) && !RESERVED_PREFIX.test(name);
}
