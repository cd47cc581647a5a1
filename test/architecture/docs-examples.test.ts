// Examples of the documentation compile as written: a fenced block whose first line names a file is laid over the
// template repository. In docs/diagnostics.md it must give the diagnostic of its section.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { definitionDigest } from "#bundle";
import { DIAGNOSTIC_CODES, compile, memoryWorkspace } from "#compiler";
import type { JsonObject } from "#std";
import { filesBelow } from "../unit/compiler/case-project.ts";
import { ROOT } from "./source-imports.ts";

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** Path of a repository file, where the first line names one. */
  readonly file: string | undefined;
  readonly text: string;
}

const TEMPLATE = new Map(
  [...filesBelow(join(ROOT, "policy-repo-template"))].filter(([path]) => !path.startsWith(".")),
);
/** Sections whose example shows the shape of a finding that the template's pins cannot give. */
const NOT_TRIGGERED: ReadonlySet<string> = new Set([
  "NAME_AMBIGUOUS",
  "ROUTE_NAME_LONG",
  "ROUTE_NAME_TOO_LONG",
]);

function blocksOf(page: string, text: string): readonly Block[] {
  // A block in a list item is indented like the item.
  return [...text.matchAll(/^( *)```(yaml|cedar|json)\n(.*?)^\1```$/gmsu)].map((match) => {
    const [, indent = "", language = "", written = ""] = match;
    const body = written.replaceAll(new RegExp(`^${indent}`, "gmu"), "");
    const file = /^(?:#|\/\/) ([\w./-]+\.(?:yaml|cedar))\n/u.exec(body)?.[1];
    return { page, line: text.slice(0, match.index).split("\n").length, language, file, text: body };
  });
}

function pageText(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** A server `n` with one tool `t` of the given schema, pinned. */
function serverWithTool(inputSchema: JsonObject): ReadonlyMap<string, string> {
  const definition = { name: "t", inputSchema };
  const era = {
    protocolVersion: "2026-07-28",
    capabilities: { tools: {} },
    serverInfo: { name: "n", version: "1" },
  };
  const tool = { name: "t", eras: ["modern"], digest: definitionDigest(definition), definition };
  const pins = { formatVersion: 1, server: "n", eras: { modern: era }, tools: [tool] };
  return new Map([
    ["registry/servers/n.yaml", "metadata: { name: n }\ntransport: { type: stdio, program: n }\n"],
    ["registry/pins/n.json", JSON.stringify(pins, undefined, 2)],
  ]);
}

async function diagnosticsOf(blocks: readonly Block[]): Promise<readonly string[]> {
  const files = new Map<string, Uint8Array | string>(TEMPLATE);
  for (const { language, file, text } of blocks) {
    if (language === "json")
      for (const [path, content] of serverWithTool(JSON.parse(text) as JsonObject)) files.set(path, content);
    else if (file !== undefined) files.set(file, text);
  }
  const { diagnostics } = await compile({ dir: "example", workspace: memoryWorkspace(files) });
  return diagnostics.map(
    ({ severity, code, file, line, message }) => `${severity} ${code} ${file}:${line} ${message}`,
  );
}

const PAGES = [
  "README.md",
  "policy-repo-template/README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md") && name !== "diagnostics.md")
    .map((name) => `docs/${name}`),
];

describe("examples", () => {
  const examples = PAGES.flatMap((page) => blocksOf(page, pageText(page))).filter(
    ({ file }) => file !== undefined,
  );
  test("are found", () => expect(examples.length).toBeGreaterThan(12));

  test.each(examples.map((block) => [`${block.page}:${block.line} ${block.file}`, block] as const))(
    "%s compiles",
    async (_name, block) => {
      const found = await diagnosticsOf([block]);
      expect(found.filter((item) => item.startsWith("error"))).toEqual([]);
    },
  );
});

describe("diagnostics", () => {
  const sections = pageText("docs/diagnostics.md").split(/^## /mu).slice(1);
  const shown = sections
    .map(
      (section) =>
        [section.slice(0, section.indexOf("\n")), blocksOf("docs/diagnostics.md", section)] as const,
    )
    .filter(([code, blocks]) => blocks.length > 0 && !NOT_TRIGGERED.has(code));

  test("most have an example, in alphabetical order", () => {
    expect(shown.length).toBeGreaterThan(65);
    const codes = sections.map((section) => section.slice(0, section.indexOf("\n")));
    expect(codes).toEqual([...codes].sort());
  });

  test("state their severity", () => {
    const stated = sections.map((section) => /^([A-Z_]+)\n\n(Error|Warning)[.;]/u.exec(section)?.slice(1, 3));
    const known = Object.entries(DIAGNOSTIC_CODES).map(([code, { severity }]) => [
      code,
      severity === "error" ? "Error" : "Warning",
    ]);
    expect(stated.sort()).toEqual(known.sort());
  });

  test.each(shown)("the example of %s gives it", async (code, blocks) => {
    const found = await diagnosticsOf(blocks);
    expect(found.map((item) => item.split(" ")[1])).toContain(code);
  });
});
