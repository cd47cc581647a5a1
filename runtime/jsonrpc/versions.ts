// The protocol revisions the gateway speaks towards clients.

/** Revisions with a per-request envelope, newest first. */
export const MODERN_VERSIONS: readonly string[] = ["2026-07-28"];
/** Revisions with an `initialize` handshake, newest first. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const FIRST_MODERN_VERSION = "2026-07-28";
/** What a legacy request without the version header speaks (MCP 2025-06-18, protocol version header). */
export const ASSUMED_LEGACY_VERSION = "2025-03-26";

export interface SupportedVersions {
  readonly modern: readonly string[];
  readonly legacy: readonly string[];
}

export const SUPPORTED_VERSIONS: SupportedVersions = { modern: MODERN_VERSIONS, legacy: LEGACY_VERSIONS };

/** True for a revision date of the modern era, whether or not it is supported. */
export function isModernVersion(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= FIRST_MODERN_VERSION;
}

/** Legacy negotiation: the requested revision where it is supported, else the newest one (MCP lifecycle). */
export function negotiateLegacyVersion(
  requested: unknown,
  supported: readonly string[] = LEGACY_VERSIONS,
): string {
  if (typeof requested === "string" && supported.includes(requested)) return requested;
  return supported[0] ?? ASSUMED_LEGACY_VERSION;
}
