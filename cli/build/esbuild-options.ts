// What every shipped artefact is built with.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuildOptions, Metafile } from "esbuild";

export const ROOT = join(import.meta.dirname, "..", "..");

/** Packages that read files beside themselves (WebAssembly): outside every bundle, installed or shipped next to it. */
export const EXTERNAL_PACKAGES = ["@cedar-policy/cedar-wasm", "libpg-query"] as const;

export const BUNDLE_OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.19",
  external: [...EXTERNAL_PACKAGES],
  // Native helpers of `ws` that are not installed: with these set it does not ask for them.
  define: { "process.env.WS_NO_BUFFER_UTIL": '"1"', "process.env.WS_NO_UTF_8_VALIDATE": '"1"' },
  metafile: true,
  legalComments: "linked",
  logLevel: "warning",
  // CommonJS packages inside an ES module need `require`.
  banner: {
    js: 'import { createRequire as aegisCreateRequire } from "node:module"; const require = aegisCreateRequire(import.meta.url);',
  },
} as const satisfies BuildOptions;

export async function writeMetafile(outdir: string, metafile: Metafile): Promise<void> {
  await mkdir(outdir, { recursive: true });
  await writeFile(join(outdir, "metafile.json"), `${JSON.stringify(metafile, null, 1)}\n`);
}
