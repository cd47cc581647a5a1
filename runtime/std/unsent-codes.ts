// Faults of a connection that show that nothing was sent.

/** Codes of Node and undici for what ends before the first byte of a request could leave: such a request may be repeated. */
export const UNSENT_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);
