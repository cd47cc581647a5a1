// The `.aegis` file format: its version, its file names, its features and its hard limits.

/** Version of the archive layout and of the manifest. */
export const BUNDLE_FORMAT_VERSION = 1;

export const MANIFEST_FILE = "manifest.json";

/** One file for each section of `BundleContent`, in the order they are decoded. */
export const SECTION_FILES = {
  registry: "registry.json",
  policies: "policies.json",
  routes: "routes.json",
  limits: "limits.json",
  transforms: "transforms.json",
  sources: "sources.json",
  vectors: "vectors.json",
  retention: "retention.json",
} as const;

export type SectionName = keyof typeof SECTION_FILES;

/** What this gateway can run. A bundle lists what it needs; anything else is refused before it is decoded. */
export const SUPPORTED_FEATURES: ReadonlySet<string> = new Set([
  "sections/1",
  "derive-matches/1",
  "derive-sql-postgresql/1",
  "derive-text/1",
  "shadow-mode/1",
  "redact/1",
  "limits-sliding-window/1",
  "retention/1",
  "decision-facts/1",
  "tenants/1",
]);

/** A bundle is held in memory twice while it is verified; above this a gateway of the default size is at risk. */
export const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;
export const MAX_FILE_BYTES = 48 * 1024 * 1024;
/** The format has nine files; the margin is for sections to come. */
export const MAX_FILES = 64;
/** The `name` field of ustar; the `prefix` field is not used. */
export const MAX_NAME_BYTES = 100;
