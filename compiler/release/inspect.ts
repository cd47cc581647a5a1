// What is in a bundle, for people: `aegis inspect`.
import { bundleDigest, decodeBundleFile } from "#bundle";
import type { Digest, RetentionSection } from "#bundle";

export interface BundleReport {
  readonly formatVersion: 1;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly name: string;
  readonly bundleFormat: number;
  readonly compilerVersion: string;
  readonly requires: readonly string[];
  readonly files: readonly { readonly name: string; readonly sha256: Digest; readonly sizeBytes: number }[];
  readonly servers: readonly { readonly id: string; readonly tier: string; readonly leaves: number }[];
  readonly environments: readonly { readonly name: string; readonly routes: readonly string[] }[];
  readonly policies: number;
  readonly slices: number;
  readonly residuals: number;
  readonly limits: number;
  readonly transforms: number;
  readonly vectors: number;
  /** Tenants with slices, sorted; the default one among them. */
  readonly tenants: readonly string[];
  /** Null where the bundle says nothing. */
  readonly retention: RetentionSection | null;
}

/** Opens a bundle under its own digest. Throws TrustError with the codes of `decodeBundle`. */
export function inspectBundle(bytes: Uint8Array): BundleReport {
  const digest = bundleDigest(bytes);
  const { manifest, content } = decodeBundleFile(bytes, digest);
  const files = Object.entries(manifest.files).map(([name, file]) => ({
    name,
    sha256: file.sha256,
    sizeBytes: file.size,
  }));
  const environments = Object.entries(content.routes.environments).map(([name, environment]) => ({
    name,
    routes: environment.routes.map((route) => route.path),
  }));
  return {
    formatVersion: 1,
    digest,
    sizeBytes: bytes.length,
    name: manifest.name,
    bundleFormat: manifest.formatVersion,
    compilerVersion: manifest.compiler.version,
    requires: manifest.requires,
    files,
    servers: content.registry.servers.map(({ id, tier, leaves }) => ({ id, tier, leaves: leaves.length })),
    environments,
    policies: Object.keys(content.sources.policies).length,
    slices: content.policies.slices.length,
    residuals: Object.keys(content.policies.residuals).length,
    limits: content.limits.limits.length,
    transforms: content.transforms.transforms.length,
    vectors: content.vectors.vectors.length,
    tenants: [...new Set(content.policies.slices.map(({ tenant }) => tenant))].sort(),
    retention: content.retention ?? null,
  };
}
