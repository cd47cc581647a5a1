// The gateway as a package: dist/gateway.
import { join } from "node:path";
import { build } from "esbuild";
import type { Metafile } from "esbuild";
import { BUNDLE_OPTIONS, ROOT, writeMetafile } from "./esbuild-options.ts";
import { writeLauncher, writeManifest } from "./publishable.ts";

/** Entry points that become one file each in dist/gateway. */
export const GATEWAY_ENTRIES = {
  gateway: "runtime/main.ts",
  "audit-writer": "runtime/audit/audit-writer.ts",
  "sql-worker": "runtime/facts/sql-worker.ts",
  "answer-worker": "runtime/large-answers/answer-worker.ts",
} as const;

/** Bundles the gateway and returns the metafile; its inputs are what the gateway is made of. */
export async function buildGateway(outdir = join(ROOT, "dist", "gateway")): Promise<Metafile> {
  const { metafile } = await build({
    ...BUNDLE_OPTIONS,
    entryPoints: { ...GATEWAY_ENTRIES },
    outdir,
    splitting: false,
  });
  await writeMetafile(outdir, metafile);
  await writeManifest(outdir, {
    name: "@aegis/gateway",
    description: "The Aegis gateway: enforces signed policy bundles on Model Context Protocol traffic.",
    bin: { "aegis-gateway": "./aegis-gateway.js" },
  });
  await writeLauncher("runtime/bin/aegis-gateway.js", join(outdir, "aegis-gateway.js"), "gateway.js");
  return metafile;
}
