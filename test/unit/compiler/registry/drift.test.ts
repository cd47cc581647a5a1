// Drift in words: schema changes as data, renamed leaves, announcements, and the rules that read what changed.
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compile, memoryWorkspace } from "#compiler";
import { definitionDigest } from "#bundle";
import type { EraEntry } from "#bundle";
import type { JsonObject } from "#std";
import { diffPins } from "../../../../compiler/registry/diff-pins.ts";
import type { PinChange } from "../../../../compiler/registry/diff-pins.ts";
import { readPins } from "../../../../compiler/registry/pin-content.ts";
import type { PinContent, PinEntry } from "../../../../compiler/registry/pin-content.ts";
import { PinReaders } from "../../../../compiler/registry/pin-readers.ts";
import { wordDiff } from "../../../../compiler/registry/word-diff.ts";

const ROOT = join(import.meta.dirname, "../../../..");

interface Case {
  readonly name: string;
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly lines: readonly string[];
}

const cases = parse(readFileSync(join(ROOT, "test/data/drift/cases.yaml"), "utf8")) as readonly Case[];

function entry(definition: JsonObject): PinEntry {
  const name = String(definition["name"]);
  return { kind: "tool", name, eras: ["modern"], digest: definitionDigest(definition), definition };
}

function content(definitions: readonly JsonObject[], era: Partial<EraEntry> = {}): PinContent {
  const modern = { protocolVersion: "2026-07-28", capabilities: {}, serverInfo: {}, ...era };
  return { server: "s", eras: { modern }, entries: definitions.map(entry) };
}

const line = ({ impact, message }: PinChange): string => `${impact} ${message}`;

test.each(cases)("$name", ({ before, after, lines }) => {
  const tool = (inputSchema: JsonObject): JsonObject => ({ name: "t", inputSchema });
  const changes = diffPins(content([tool(before)]), content([tool(after)])).map(line);
  expect([...changes].sort()).toEqual([...lines].sort());
});

describe("leaves and announcements", () => {
  const search = { name: "search", description: "Finds tickets by their text, newest first." };

  test("a renamed tool is told as such, with what else changed", () => {
    const renamed = { ...search, name: "find", title: "Find" };
    const changes = diffPins(content([search]), content([renamed]));
    expect(changes.map((change) => [change.what, change.formerName, line(change)])).toEqual([
      ["renamed", "search", "breaks tool renamed from search"],
      ["added", undefined, "text title added"],
    ]);
  });

  test("tools that have little in common are not taken for one", () => {
    const changes = diffPins(content([{ name: "a" }]), content([{ name: "b" }]));
    expect(changes.map(({ what }) => what).sort()).toEqual(["added", "removed"]);
  });

  test("hints, instructions, capabilities and the revision", () => {
    const before = content([{ ...search, annotations: { readOnlyHint: true, destructiveHint: false } }], {
      instructions: "Be brief.",
    });
    const after = content([{ ...search, annotations: { readOnlyHint: false, destructiveHint: true } }], {
      instructions: "Be very brief.",
      capabilities: { sampling: {} },
      protocolVersion: "2027-01-01",
    });
    expect(diffPins(before, after).map(line)).toEqual([
      "widens capabilities changed",
      "text instructions changed: Be {+very+} brief.",
      "breaks protocolVersion changed: [-2026-07-28-] {+2027-01-01+}",
      "widens destructiveHint changed from false to true",
      "widens readOnlyHint changed from true to false",
    ]);
  });
});

test("a long text shows what is near the change only", () => {
  const words = Array.from({ length: 60 }, (_, index) => `w${String(index)}`);
  const after = words.with(30, "NEW");
  expect(wordDiff(words.join(" "), after.join(" "))).toBe(
    "… w26 w27 w28 w29 [-w30-] {+NEW+} w31 w32 w33 w34 …",
  );
  expect(wordDiff("a ".repeat(5_000), "b")).toBe("[-5000 words-] {+1 words+}");
});

test("the policies that read a changed argument are named, and no others", async () => {
  const dir = join(ROOT, "policy-repo-template");
  const { content: bundle, diagnostics } = await compile({ dir });
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  if (bundle === undefined) throw new Error("the template does not compile");
  const readers = new PinReaders(bundle);
  const pins = readPins(readFileSync(join(dir, "registry/pins/sql-prod.json"), "utf8"));
  const changed = JSON.parse(JSON.stringify(pins)) as { entries: { name: string; definition: JsonObject }[] };
  const query = changed.entries.find(({ name }) => name === "sql.query");
  const properties = (query?.definition["inputSchema"] as { properties: Record<string, unknown> }).properties;
  properties["sql"] = { type: "integer" };
  properties["unread"] = { type: "string" };
  const changes = diffPins(pins, changed as unknown as PinContent);
  const readersOf = (argument: string): readonly string[] =>
    changes
      .filter((change) => change.argument?.join(".") === argument)
      .flatMap((change) => readers.readersOf("sql-prod", change).map(({ rule }) => rule));
  expect(readersOf("sql").length).toBeGreaterThan(0);
  expect(readersOf("unread")).toEqual([]);
});

test("a transform is named by its file and its place there", async () => {
  const dir = join(ROOT, "policy-repo-template");
  const { content: bundle } = await compile({ dir });
  const entry = bundle?.transforms.transforms[0];
  if (bundle === undefined || entry === undefined) throw new Error("the template transforms nothing");
  const server = /:([^/]+)\//u.exec(entry.action)?.[1] ?? "";
  const pins = readPins(readFileSync(join(dir, `registry/pins/${server}.json`), "utf8"));
  const readers = new PinReaders(bundle);
  const rules = diffPins(pins, { ...pins, entries: [] })
    .flatMap((change) => readers.readersOf(server, change))
    .map(({ rule }) => rule);
  const lines = [...entry.request, ...entry.response].map(({ policy }) => policy);
  expect(rules).toEqual(expect.arrayContaining(lines));
  expect(lines[0]).toMatch(/^policies\/.+\.yaml#\/transforms\//u);
});

test("the policies that read a changed annotation are named as the compiler reads them, and no others", async () => {
  const root = join(ROOT, "policy-repo-template");
  const files = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(relative(root, path), readFileSync(path, "utf8"));
  }
  const forbid = (resource: string, when: string): string =>
    `forbid (principal, action == Action::"tools/call", resource${resource}) when { ${when} };\n`;
  const text = [
    // readOnlyHint in a comment is not read.
    `// readOnlyHint\n${forbid("", "context.annotations.destructiveHint")}`,
    forbid("", "context.annotations.readOnlyHint && context.annotations.openWorldHint"),
    forbid("", 'context["annotations"]["readOnlyHint"] && context.target == "jira.search"'),
    forbid(' == Server::"sql-prod"', "context.annotations.readOnlyHint"),
  ].join("");
  files.set("policies/hints.cedar", text);
  const {
    content: bundle,
    diagnostics,
    model,
  } = await compile({
    dir: "memory",
    workspace: memoryWorkspace(files),
  });
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  if (bundle === undefined) throw new Error("does not compile");
  const readers = new PinReaders(bundle, model.textOf);
  const tool = (readOnlyHint: boolean): JsonObject => ({
    name: "jira.search",
    annotations: { readOnlyHint },
  });
  const changes = diffPins(content([tool(true)]), content([tool(false)]));
  expect(changes.map(({ pointer }) => pointer)).toEqual(["/annotations/readOnlyHint"]);
  const rules = changes.flatMap((change) => readers.readersOf("jira", change).map(({ rule }) => rule));
  expect(rules).toEqual(["policies/hints.cedar#1", "policies/hints.cedar#2"]);
});
