// Direction of dependency, doors, and house rules, derived from source.
import { describe, expect, it } from "vitest";
import { readDoors, resolveImport, sourceFiles } from "./source-imports.ts";
import type { SourceFile } from "./source-imports.ts";

const doors = readDoors();
const LAYERS = ["runtime", "compiler", "cli", "github-action"] as const;
const files = sourceFiles(...LAYERS);
const top = (path: string): string => path.split("/")[0] ?? "";
const owner = (path: string): string => path.split("/").slice(0, 2).join("/");

/** Folders of runtime that may import each other with relative paths: the composition, not the domains. */
const DOOR_FOLDERS = new Set([...doors.values()].map((path) => path.split("/").slice(0, -1).join("/")));

function offences(
  check: (file: SourceFile, target: string, specifier: string) => boolean,
): readonly string[] {
  return files.flatMap((file) =>
    file.imports.flatMap((specifier) => {
      const target = resolveImport(file, specifier, doors);
      return target !== undefined && check(file, target, specifier)
        ? [`${file.path} imports ${specifier}`]
        : [];
    }),
  );
}

describe("layering", () => {
  it("reads every source file", () => {
    expect(files.length).toBeGreaterThan(150);
    expect(files.flatMap((file) => file.imports).length).toBeGreaterThan(500);
  });

  it("lets no folder import one above it", () => {
    const rank = (path: string): number => LAYERS.indexOf(top(path) as (typeof LAYERS)[number]);
    expect(offences((file, target) => rank(target) > rank(file.path))).toEqual([]);
  });

  it("crosses between top-level folders through doors only", () => {
    expect(
      offences((file, target, specifier) => specifier.startsWith(".") && top(target) !== top(file.path)),
    ).toEqual([]);
  });

  it("enters a folder that has a door through its door", () => {
    expect(
      offences(
        (file, target, specifier) =>
          specifier.startsWith(".") &&
          DOOR_FOLDERS.has(owner(target)) &&
          owner(target) !== "runtime" &&
          owner(file.path) !== owner(target) &&
          !target.endsWith("/index.ts") &&
          !COMPOSITION.some((allowed) => file.path.startsWith(allowed)),
      ),
    ).toEqual([]);
  });

  it("keeps stages apart from each other", () => {
    const shared = new Set(["runtime/stages/stages.ts", "runtime/stages/check-transport.ts"]);
    expect(
      offences(
        (file, target) =>
          file.path.startsWith("runtime/stages/") &&
          target.startsWith("runtime/stages/") &&
          file.path !== "runtime/stages/create-stages.ts" &&
          !shared.has(target),
      ),
    ).toEqual([]);
  });
});

/** Places that put parts together and so know their insides. */
const COMPOSITION = [
  "runtime/gateway.ts",
  "runtime/release-part.ts",
  "runtime/gateway-status.ts",
  "runtime/main.ts",
  "runtime/snapshot/",
  "runtime/pipeline/",
  "runtime/stages/",
  "runtime/sessions/",
  "runtime/local/",
  "runtime/exchange-handler.ts",
];

const ONLY_IMPORTER: Readonly<Record<string, RegExp>> = {
  "@cedar-policy/cedar-wasm": /^(runtime\/policy\/|compiler\/cedar\/)/u,
  re2js: /^(runtime\/(schema|facts)\/|compiler\/(cedar|json-schema)\/)/u,
  "libpg-query": /^runtime\/facts\//u,
  undici: /^runtime\/(upstream|snapshot|authn)\/|^cli\/|^compiler\/registry\//u,
  "prom-client": /^runtime\/telemetry\//u,
  yaml: /^compiler\//u,
  commander: /^cli\//u,
  esbuild: /^cli\/build\//u,
};

describe("packages", () => {
  it.each(Object.entries(ONLY_IMPORTER))("%s is imported where it belongs", (name, allowed) => {
    const importers = files.filter((file) =>
      file.imports.some((specifier) => specifier === name || specifier.startsWith(`${name}/`)),
    );
    expect(importers.map((file) => file.path).filter((path) => !allowed.test(path))).toEqual([]);
  });

  // A stdio program gets PATH, HOME, LANG and TMPDIR from the gateway's own environment, and nothing else.
  it("reads the environment in two files of the gateway", () => {
    const readers = files.filter(
      (file) => file.path.startsWith("runtime/") && /process\.env\b/u.test(file.text),
    );
    expect(readers.map((file) => file.path)).toEqual([
      "runtime/config/process-config.ts",
      "runtime/upstream/stdio-process.ts",
    ]);
  });
});

describe("house rules", () => {
  it("mints the pipeline's brands in one place each", () => {
    const minters = (brand: string): readonly string[] =>
      files
        .filter((file) => new RegExp(`as (?:unknown as )?${brand}\\b`, "u").test(file.text))
        .map((file) => file.path);
    expect(minters("Checked")).toEqual(["runtime/stages/check-transport.ts"]);
    expect(minters("Permitted")).toEqual(["runtime/stages/authorize.ts"]);
    expect(minters("Recorded")).toEqual(["runtime/stages/record.ts"]);
    expect(minters("Verified")).toEqual(["runtime/stages/check-result.ts"]);
    expect(minters("Redacted")).toEqual(["runtime/stages/transform-response.ts"]);
    expect(minters("Concluded")).toEqual(["runtime/stages/record-result.ts"]);
  });

  it("has no suppressed rule, no left-over, no dumping ground", () => {
    const marks = /eslint-disable|@ts-(?:ignore|expect-error|nocheck)|\b(?:TODO|FIXME|XXX)\b/u;
    expect(files.filter((file) => marks.test(file.text)).map((file) => file.path)).toEqual([]);
    const names = /(?:^|\/)(?:utils?|helpers?|common|misc|shared)(?:\.ts|\/)/u;
    expect(files.map((file) => file.path).filter((path) => names.test(path))).toEqual([]);
  });
});
