// Where releases come from. A source is not trusted: it can withhold or garble, never forge.
import { TrustError } from "#errors";
import { createDirectorySource } from "./directory-source.ts";
import { createHttpSource } from "./http-source.ts";
import type { HttpSourceOptions } from "./http-source.ts";

export type PollResult =
  | { readonly kind: "unchanged" }
  | {
      readonly kind: "statement";
      readonly bytes: Uint8Array;
      /** Hand it back on the next poll to be told `unchanged`. */
      readonly etag?: string;
    };

/** A channel: see `channel.ts` of #bundle for its files. Every call rejects with a TrustError and obeys its signal. */
export interface ReleaseSource {
  /** Shown in status; carries no credential. */
  readonly origin: string;
  /** The current statement. Throws RELEASE_SOURCE_UNAVAILABLE. */
  readonly poll: (etag: string | undefined, signal: AbortSignal) => Promise<PollResult>;
  /** The bytes of a bundle, at most `MAX_BUNDLE_BYTES`, not verified. Throws BUNDLE_UNREADABLE, BUNDLE_TOO_LARGE. */
  readonly fetchBundle: (digest: string, signal: AbortSignal) => Promise<Uint8Array>;
  /** Root `version`, or undefined where the channel has none. Throws RELEASE_SOURCE_UNAVAILABLE. */
  readonly fetchRoot: (version: number, signal: AbortSignal) => Promise<Uint8Array | undefined>;
  readonly close: () => Promise<void>;
}

/**
 * Opens `dir:/path`, `file:///path`, `https://host/path` or `http://host/path`.
 * Throws TrustError RELEASE_SOURCE_UNAVAILABLE for any other scheme.
 */
export function openReleaseSource(location: string, options: HttpSourceOptions = {}): ReleaseSource {
  if (location.startsWith("dir:")) return createDirectorySource(location.slice("dir:".length));
  const url = URL.parse(location);
  if (url?.protocol === "file:") return createDirectorySource(decodeURIComponent(url.pathname));
  if (url?.protocol === "https:" || url?.protocol === "http:") return createHttpSource(url, options);
  throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `${location} is not a dir:, https: or http: source`);
}
