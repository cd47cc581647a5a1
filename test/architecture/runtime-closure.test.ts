// What the gateway is made of, from the metafile of the artefact that ships.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Metafile } from "esbuild";
import { buildGateway } from "../../cli/build/build-artefacts.ts";
import { GATEWAY_FLAGS } from "../../cli/dev/gateway-process.ts";
import { ROOT } from "./source-imports.ts";

/** Packages inside the gateway's bundle. A new one needs a reason in docs/dependencies.md. */
const BUNDLED_PACKAGES = [
  "@opentelemetry/api",
  "bintrees",
  "eventsource-parser",
  "fastest-levenshtein",
  "jose",
  "prom-client",
  "re2js",
  "tdigest",
  "undici",
  "ws",
];
/** Packages that are installed beside the bundle. */
const EXTERNAL_PACKAGES = ["@cedar-policy/cedar-wasm", "libpg-query"];
const MAX_BYTES = 4_000_000;

describe("gateway artefact", () => {
  let directory: string;
  let metafile: Metafile;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "aegis-closure-"));
    metafile = await buildGateway(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("is made of runtime/ and a literal list of packages", () => {
    const own = Object.keys(metafile.inputs).filter((path) => !path.startsWith("node_modules/"));
    expect(own.filter((path) => !path.startsWith("runtime/"))).toEqual([]);
    const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => packageOf(path) ?? []));
    expect([...packages].filter((name) => !BUNDLED_PACKAGES.includes(name)).sort()).toEqual([]);
  });

  it("leaves outside only what reads files beside itself", () => {
    const external = Object.values(metafile.outputs)
      .flatMap((output) => output.imports)
      .filter((entry) => entry.external === true && !entry.path.startsWith("node:"))
      .map((entry) =>
        entry.path
          .split("/")
          .slice(0, entry.path.startsWith("@") ? 2 : 1)
          .join("/"),
      );
    const builtin = new Set([
      "assert",
      "async_hooks",
      "buffer",
      "cluster",
      "console",
      "crypto",
      "diagnostics_channel",
      "dns",
      "events",
      "fs",
      "http",
      "http2",
      "https",
      "net",
      "os",
      "path",
      "perf_hooks",
      "process",
      "querystring",
      "stream",
      "string_decoder",
      "timers",
      "tls",
      "url",
      "util",
      "v8",
      "worker_threads",
      "zlib",
    ]);
    expect(
      [...new Set(external)].filter((name) => !builtin.has(name) && !EXTERNAL_PACKAGES.includes(name)),
    ).toEqual([]);
  });

  it("generates no code from strings and stays small", () => {
    for (const [path, output] of Object.entries(metafile.outputs)) {
      if (!path.endsWith(".js")) continue;
      expect(output.bytes).toBeLessThan(MAX_BYTES);
    }
    const launcher = readFileSync(join(ROOT, "runtime/bin/aegis-gateway.js"), "utf8");
    expect(launcher.split("\n")[0]).toBe(`#!/usr/bin/env -S node ${GATEWAY_FLAGS.join(" ")}`);
    expect(GATEWAY_FLAGS).toContain("--disallow-code-generation-from-strings");
  });
});

function packageOf(path: string): string | undefined {
  const rest = path.split("node_modules/").at(-1);
  if (rest === undefined || !path.includes("node_modules/")) return undefined;
  return rest
    .split("/")
    .slice(0, rest.startsWith("@") ? 2 : 1)
    .join("/");
}
