// Values that `aegis dev` and the tour lay over one environment, in memory only: they never change policy.
import type { IssuerEntry, ServerId, TransportEntry } from "#bundle";

export interface OverlayIssuer {
  readonly issuer: string;
  readonly keys: IssuerEntry["keys"];
  readonly algorithms: readonly string[];
  readonly tokenType?: string;
}

export interface Overlay {
  /** Environment it applies to; created from routes.yaml where the project does not declare it. */
  readonly environment: string;
  /** Origin under which clients reach the gateway, e.g. `http://127.0.0.1:8080`. */
  readonly publicUrl?: string;
  /** Accepted at every endpoint; claims mean what they mean for the first issuer of identity.yaml. */
  readonly issuers?: readonly OverlayIssuer[];
  readonly transports?: Readonly<Record<string, TransportEntry>>;
  /** Replaces `pinMaxAge` of every server, or of those named; milliseconds, so that a demonstration need not wait. */
  readonly pinMaxAgeMs?: number | Readonly<Record<ServerId, number>>;
}

/** What the overlay says about one server's pins; undefined = what its document says. */
export function overlaidPinMaxAgeMs(overlay: Overlay | undefined, server: ServerId): number | undefined {
  const laid = overlay?.pinMaxAgeMs;
  if (typeof laid !== "object") return laid;
  return Object.hasOwn(laid, server) ? laid[server] : undefined;
}
