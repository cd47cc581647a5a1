// The decision path as source and as a bundle, in a process that may not generate code from strings.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { ACTION, content } from "./bundle-fixture.ts";

const root = join(import.meta.dirname, "../../..");
// Inside the repository, so that packages left outside the bundle resolve.
const cache = join(root, "node_modules/.cache");
mkdirSync(cache, { recursive: true });
const directory = mkdtempSync(join(cache, "aegis-no-codegen-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const bundleFile = join(directory, "content.json");
writeFileSync(
  bundleFile,
  JSON.stringify(
    content([
      {
        call: {
          permit: `permit(principal in Role::"Developer", action, resource) when { context._m.r1 };`,
          only: `forbid(principal, action, resource) unless { ["SELECT"].containsAll(context._d.sql.operations) && context._d.sql.ok };`,
        },
      },
    ]),
  ),
);

async function effectsOf(script: string): Promise<unknown> {
  const flags = ["--disallow-code-generation-from-strings", "--no-warnings"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, bundleFile, ACTION], {
    cwd: root,
  });
  return JSON.parse(stdout);
}

it("decides from source", async () => {
  expect(await effectsOf(join(import.meta.dirname, "no-codegen-entry.ts"))).toEqual([
    "allow",
    "deny",
    "allow",
  ]);
});

it("decides from a bundle", async () => {
  await build({
    absWorkingDir: root,
    entryPoints: {
      main: "test/unit/policy/no-codegen-entry.ts",
      "sql-worker": "runtime/facts/sql-worker.ts",
    },
    outdir: directory,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["@cedar-policy/cedar-wasm", "libpg-query"],
    logLevel: "error",
  });
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  expect(await effectsOf(join(directory, "main.js"))).toEqual(["allow", "deny", "allow"]);
});
