// The CLI as a package: dist/cli, with the template and the gateway that its commands use.
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import type { Metafile } from "esbuild";
import { GATEWAY_ENTRIES } from "./build-gateway.ts";
import { BUNDLE_OPTIONS, ROOT, writeMetafile } from "./esbuild-options.ts";
import { writeLauncher, writeManifest } from "./publishable.ts";

/** Bundles the CLI; `aegis init` finds the template, and `aegis gateway` and `aegis dev` the gateway, beside it. */
export async function buildCli(outdir = join(ROOT, "dist", "cli")): Promise<Metafile> {
  await rm(outdir, { recursive: true, force: true });
  await mkdir(outdir, { recursive: true });
  const { metafile } = await build({
    ...BUNDLE_OPTIONS,
    entryPoints: { cli: "cli/main.ts", "sql-worker": "runtime/facts/sql-worker.ts" },
    outdir,
    // A command loads what it needs and nothing else.
    splitting: true,
  });
  await build({
    ...BUNDLE_OPTIONS,
    entryPoints: { ...GATEWAY_ENTRIES },
    outdir: join(outdir, "gateway"),
    splitting: false,
  });
  await cp(join(ROOT, "policy-repo-template"), join(outdir, "policy-repo-template"), { recursive: true });
  await writeMetafile(outdir, metafile);
  await writeManifest(outdir, {
    name: "@aegis/cli",
    description: "Check, test, plan, build, sign and serve policies for Model Context Protocol traffic.",
    bin: { aegis: "./aegis.js" },
    optionalPeers: ["z3-solver"],
  });
  await writeLauncher("cli/bin/aegis.js", join(outdir, "aegis.js"), "cli.js");
  return metafile;
}
