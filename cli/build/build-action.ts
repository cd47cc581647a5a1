// The GitHub Action: one bundle that runs from a checkout of its tag, without node_modules.
import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { BUNDLE_OPTIONS, ROOT } from "./esbuild-options.ts";

/** The folder that is committed; a test fails where it differs from what this builds. */
export const COMMITTED_ACTION_DIR = join(ROOT, "github-action", "dist");

/**
 * Bundles the Action. cedar-wasm and libpg-query are shipped beside it, where `locateInstalled` looks first. Equal
 * sources give equal bytes on every machine.
 */
export async function buildAction(outdir = join(ROOT, "dist", "action")): Promise<void> {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  await build({
    ...BUNDLE_OPTIONS,
    minify: true,
    charset: "utf8",
    entryPoints: { index: "github-action/main.ts", "sql-worker": "runtime/facts/sql-worker.ts" },
    outdir,
    splitting: false,
  });
  // A manifest of its own: what the files are must not depend on a package.json above them.
  await writeFile(join(outdir, "package.json"), '{ "private": true, "type": "module" }\n');
  await copyCedar(join(outdir, "cedar-wasm"));
  await bundleSqlParser(join(outdir, "libpg-query"));
}

const requireHere = createRequire(import.meta.url);

async function copyCedar(outdir: string): Promise<void> {
  const from = dirname(requireHere.resolve("@cedar-policy/cedar-wasm/nodejs"));
  await mkdir(outdir, { recursive: true });
  for (const file of ["cedar_wasm.js", "cedar_wasm_bg.wasm"])
    await copyFile(join(from, file), join(outdir, file));
}

/** One CommonJS file with its wasm, which it looks for in its own folder. */
async function bundleSqlParser(outdir: string): Promise<void> {
  const entry = requireHere.resolve("libpg-query");
  await build({
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: BUNDLE_OPTIONS.target,
    legalComments: "linked",
    logLevel: "warning",
    entryPoints: [entry],
    outfile: join(outdir, "index.cjs"),
  });
  await copyPlain(join(dirname(entry), "libpg-query.wasm"), join(outdir, "libpg-query.wasm"));
  await copyPlain(join(dirname(entry), "..", "LICENSE"), join(outdir, "LICENSE"));
}

/** Git keeps the executable bit: it must not depend on how the package was unpacked. */
async function copyPlain(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o644);
}
