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

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function withoutExamples(page: string): string {
  return readFileSync(join(ROOT, page), "utf8").replaceAll(/^ *```.*?^ *```$/gmsu, "");
}

/** Of the headings of a page, as GitHub makes them. */
function anchors(page: string): ReadonlySet<string> {
  const headings = [...withoutExamples(page).matchAll(/^#{1,6} (.*)$/gmu)].map(([, text = ""]) =>
    text
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/gu, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
  return new Set(headings);
}

describe("docs", () => {
  it("has a section for each error and trust code, and none besides", () => {
    const codes = [...Object.keys(ERROR_CODES), ...Object.keys(TRUST_CODES)];
    expect([...sections("docs/errors.md")].sort()).toEqual(codes.sort());
  });

  it("has a section for each diagnostic, and none besides", () => {
    expect([...sections("docs/diagnostics.md")].sort()).toEqual(Object.keys(DIAGNOSTIC_CODES).sort());
  });

  it("links only to files and sections that exist", () => {
    const pages = [
      "README.md",
      "ARCHITECTURE.md",
      "CHANGELOG.md",
      "CONTRIBUTING.md",
      "SECURITY.md",
      "bench/README.md",
      "github-action/README.md",
      "policy-repo-template/README.md",
    ].concat(
      readdirSync(join(ROOT, "docs"))
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
    );
    const broken = pages.flatMap((page) =>
      [...withoutExamples(page).matchAll(/\]\(([^)#:\s]*)(?:#([^)\s]*))?\)/gu)]
        .filter(([, file = "", section]) => {
          const target = file === "" ? page : join(dirname(page), file);
          if (!existsSync(join(ROOT, target))) return true;
          return section !== undefined && target.endsWith(".md") && !anchors(target).has(section);
        })
        .map(([link]) => `${page} ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it("gives a reason for each dependency, and for none besides", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    const taken = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
    // Its own launchers, and types of what stands there.
    const own = taken.filter((name) => !/^@(?:aegis|types)\//u.test(name));
    const table = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8");
    const named = [...table.matchAll(/^\| (`.*?`) \|/gmu)]
      .flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/gu)].map(([, name = ""]) => name))
      .map((name) => (taken.includes(name) ? name : `@modelcontextprotocol/${name}`));
    expect(named.sort()).toEqual(own.sort());
  });

  it("names only tests that exist as proof of the invariants", () => {
    const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
    const named = [...text.matchAll(/`(test\/[\w./-]+)`/gu)].map((match) => match[1] ?? "");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
