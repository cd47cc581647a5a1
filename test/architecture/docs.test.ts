// Codes and their documentation, both ways; links between pages.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { DIAGNOSTIC_CODES } from "#compiler";
import { ERROR_CODES, TRUST_CODES } from "#errors";
import { ROOT } from "./source-imports.ts";

function sections(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^## ([A-Z][A-Z0-9_]+)$/gmu)].map((match) => match[1] ?? "");
}

describe("docs", () => {
  it("has a section for each error and trust code, and none besides", () => {
    const codes = [...Object.keys(ERROR_CODES), ...Object.keys(TRUST_CODES)];
    expect([...sections("docs/errors.md")].sort()).toEqual(codes.sort());
  });

  it("has a section for each diagnostic, and none besides", () => {
    expect([...sections("docs/diagnostics.md")].sort()).toEqual(Object.keys(DIAGNOSTIC_CODES).sort());
  });

  it("links only to files that exist", () => {
    const pages = [
      "README.md",
      "ARCHITECTURE.md",
      "CONTRIBUTING.md",
      "SECURITY.md",
      "github-action/README.md",
    ].concat(
      readdirSync(join(ROOT, "docs"))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
    );
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/gu)]
        .map((match) => match[1] ?? "")
        .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
        .map((target) => `${page} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it("names only tests that exist as proof of the invariants", () => {
    const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
    const named = [...text.matchAll(/`(test\/[\w./-]+)`/gu)].map((match) => match[1] ?? "");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
