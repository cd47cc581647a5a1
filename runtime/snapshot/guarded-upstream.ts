// Whether a server can be reached, as its callers found out. One that could not be reached several times in a row is
// asked again only now and then: whoever else calls it is told at once instead of waiting for the same connection.
import { AegisError } from "#errors";
import { UpstreamFault } from "#upstream";
import type { ServerUpstream } from "#upstream";

/** Failures in a row after which calls fail at once. */
const OPEN_AFTER = 3;
/** While calls fail at once, one call this often finds out whether the server is back. */
const PROBE_EVERY_MS = 2_000;

export interface GuardedUpstream {
  /** The same upstream. Its requests throw UPSTREAM_UNAVAILABLE at once while the server is known to be away. */
  readonly upstream: ServerUpstream;
  /** False where the latest connection failed; true where none was tried. */
  readonly isReachable: () => boolean;
}

export function guardUpstream(upstream: ServerUpstream, monotonicMs: () => number): GuardedUpstream {
  let isReachable = true;
  let failures = 0;
  let failedAtMs = 0;
  let isProbing = false;
  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    const isOpen = failures >= OPEN_AFTER;
    if (isOpen && (isProbing || monotonicMs() - failedAtMs < PROBE_EVERY_MS))
      throw new AegisError("UPSTREAM_UNAVAILABLE", `${upstream.server} could not be reached lately`);
    if (isOpen) isProbing = true;
    try {
      const reply = await run();
      failures = 0;
      isReachable = true;
      return reply;
    } catch (fault) {
      if (isConnectFault(fault)) {
        isReachable = false;
        failures += 1;
        failedAtMs = monotonicMs();
      }
      throw fault;
    } finally {
      if (isOpen) isProbing = false;
    }
  };
  return {
    isReachable: () => isReachable,
    upstream: {
      server: upstream.server,
      request: (...args) => guarded(() => upstream.request(...args)),
      announce: (...args) => guarded(() => upstream.announce(...args)),
      notify: (...args) => upstream.notify(...args),
      release: (...args) => upstream.release(...args),
      close: () => upstream.close(),
      describe: () => upstream.describe(),
    },
  };
}

/** The connection itself failed. What one caller's channel runs into must not close the server to others. */
function isConnectFault(fault: unknown): boolean {
  if (!(fault instanceof UpstreamFault) || !fault.unsent) return false;
  return fault.httpStatus === undefined && fault.cause !== undefined;
}
