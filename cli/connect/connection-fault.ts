// What ended an attempt to reach a server: the reason, whether a request can have left, and what a person can do.
import { buildConnector } from "undici";

/** Faults along the chain of causes; of several addresses, that of the first. */
function* chainOf(fault: unknown): Generator<Error> {
  for (let at = fault, depth = 0; at instanceof Error && depth < 6; depth++) {
    yield at;
    at = at instanceof AggregateError && at.errors.length > 0 ? (at.errors as unknown[])[0] : at.cause;
  }
}

function codeOf(fault: unknown): string | undefined {
  for (const at of chainOf(fault)) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && code !== "UND_ERR") return code;
  }
  return undefined;
}

/** A code of Node, undici or OpenSSL, else the message. Fetch hides its reason in the cause. */
export function reasonOf(fault: unknown): string {
  const { message, cause } = fault as Error;
  return codeOf(fault) ?? (cause instanceof Error ? cause.message : message);
}

/** A port on the blocklist of the Fetch Standard ("port blocking"): refused before any connection, for good. */
export const isBlockedPort = (fault: unknown): boolean =>
  fault instanceof TypeError && reasonOf(fault) === "bad port";

export interface WatchedConnector {
  readonly connect: buildConnector.connector;
  /** True where the connection never came about, TLS included: nothing of a request can have left. */
  readonly isUnsent: (fault: unknown) => boolean;
}

/**
 * A connector that remembers its own faults. Codes alone do not tell: ECONNRESET and EHOSTUNREACH end handshakes as well
 * as connections that carried a request.
 */
export function watchedConnector(timeoutMs: number): WatchedConnector {
  const connector = buildConnector({ timeout: timeoutMs });
  const own = new WeakSet<Error>();
  return {
    connect: (options, callback) => {
      connector(options, (fault, socket) => {
        if (fault === null) return callback(null, socket);
        own.add(fault);
        callback(fault, null);
      });
    },
    isUnsent: (fault) => chainOf(fault).some((at) => own.has(at)),
  };
}

const TRUST =
  "name a PEM file with the authority that issued its certificate in the environment variable NODE_EXTRA_CA_CERTS";
const VALIDITY = "have its certificate renewed, and check the clock of this machine";
const NAME = "use a host name that its certificate is issued for";
const NO_TLS = "check the port: what answers there speaks no TLS; http:// is taken on this machine alone";
const HANDSHAKE =
  "check the port, and which versions of TLS and which client certificates the server asks for";

/** Codes of X.509 verification in Node other than those with CERT in their name. */
const UNTRUSTED =
  /^(?:UNABLE_TO_|CRL_|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/u;

/** What helps against a fault of TLS, which no repetition changes; undefined for any other fault. */
export function tlsRemedyOf(fault: unknown): string | undefined {
  const code = codeOf(fault) ?? "";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") return NO_TLS;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || code === "HOSTNAME_MISMATCH") return NAME;
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code === "EPROTO") return HANDSHAKE;
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") return VALIDITY;
  return code.includes("CERT") || UNTRUSTED.test(code) ? TRUST : undefined;
}
