// Builds what ships: the gateway, the CLI and the GitHub Action, each one esbuild bundle under dist/ with the metafile
// that the boundary tests read. Run with `npm run build`.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import type { BuildOptions, Metafile } from "esbuild";

const root = join(import.meta.dirname, "..", "..");

// Packages that read files beside themselves (WebAssembly) stay outside the bundle and are installed next to it.
const EXTERNAL = ["@cedar-policy/cedar-wasm", "libpg-query"];

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.19",
  external: EXTERNAL,
  metafile: true,
  legalComments: "linked",
  logLevel: "warning",
  // CommonJS packages inside an ES module need `require`.
  banner: {
    js: 'import { createRequire as aegisCreateRequire } from "node:module"; const require = aegisCreateRequire(import.meta.url);',
  },
};

/** Entry points that become one file each in dist/gateway. */
export const GATEWAY_ENTRIES = {
  gateway: "runtime/main.ts",
  "audit-writer": "runtime/audit/audit-writer.ts",
  "sql-worker": "runtime/facts/sql-worker.ts",
} as const;

/** Bundles the gateway and returns the metafile; its inputs are what the gateway is made of. */
export async function buildGateway(outdir = join(root, "dist", "gateway")): Promise<Metafile> {
  const { metafile } = await build({
    ...shared,
    metafile: true,
    entryPoints: { ...GATEWAY_ENTRIES },
    outdir,
    splitting: false,
  });
  await writeMetafile(outdir, metafile);
  return metafile;
}

async function writeMetafile(outdir: string, metafile: Metafile): Promise<void> {
  await mkdir(outdir, { recursive: true });
  await writeFile(join(outdir, "metafile.json"), `${JSON.stringify(metafile, null, 1)}\n`);
}

if (import.meta.main) await buildGateway();
