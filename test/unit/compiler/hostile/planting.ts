// What hostile repositories are made of.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { definitionDigest } from "#bundle";
import type { JsonObject, JsonValue } from "#std";

export interface HostileRepository {
  readonly name: string;
  /** Runs in `npm test`; the others in the long suite. */
  readonly small: boolean;
  /** Lays the attack over a copy of the template. */
  readonly plant: (dir: string) => void;
  /** Where the whole is refused before anything is checked. */
  readonly refused?: true;
  /** A code that must be reported; absent = any outcome without a crash. */
  readonly code?: string;
}

export const KIB = 1024;
export const NEARLY_THE_CAP = 256 * KIB - 64;

export function write(dir: string, path: string, content: string | Uint8Array): void {
  const file = join(dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

export function filled(unit: string, bytes = NEARLY_THE_CAP): string {
  return unit.repeat(Math.floor(bytes / unit.length));
}

export function file(
  name: string,
  path: string,
  text: () => string | Uint8Array,
  code?: string,
  small = false,
): HostileRepository {
  return { name, small, plant: (dir) => write(dir, path, text()), ...(code === undefined ? {} : { code }) };
}

export function policy(
  name: string,
  text: () => string | Uint8Array,
  code?: string,
  small = false,
): HostileRepository {
  return file(name, "policies/hostile.yaml", text, code, small);
}

export function cedar(name: string, text: () => string, code?: string, small = false): HostileRepository {
  return file(name, "policies/hostile.cedar", text, code, small);
}

/** Definitions that are too deep for a digest get a wrong one. */
export function digestOf(definition: JsonObject): string {
  try {
    return definitionDigest(definition);
  } catch {
    return "0".repeat(64);
  }
}

export function serverWithTools(dir: string, id: string, tools: readonly JsonObject[]): void {
  const era = {
    protocolVersion: "2026-07-28",
    capabilities: { tools: {} },
    serverInfo: { name: id, version: "1" },
  };
  const listed = tools.map((definition) => ({
    ...{ name: definition["name"], eras: ["modern"] },
    ...{ digest: digestOf(definition), definition },
  }));
  write(
    dir,
    `registry/servers/${id}.yaml`,
    `metadata: { name: ${id} }\ntransport: { type: stdio, program: x }\n`,
  );
  const pins = { formatVersion: 1, server: id, eras: { modern: era }, tools: listed };
  write(dir, `registry/pins/${id}.json`, JSON.stringify(pins));
}

export function pinned(
  name: string,
  inputSchema: () => JsonObject,
  code?: string,
  small = false,
): HostileRepository {
  const plant = (dir: string): void => serverWithTools(dir, "n", [{ name: "t", inputSchema: inputSchema() }]);
  return { name, small, plant, ...(code === undefined ? {} : { code }) };
}

export function nestedSchema(levels: number): JsonObject {
  let schema: JsonObject = { type: "string" };
  for (let level = 0; level < levels; level += 1)
    schema = { type: "object", properties: { a: schema }, required: ["a"] };
  return schema;
}

/** Every definition names the next one twice. */
export function branchingReferences(levels: number): JsonObject {
  const $defs: Record<string, JsonValue> = { d0: { type: "string" } };
  for (let level = 1; level <= levels; level += 1) {
    const inner = { $ref: `#/$defs/d${level - 1}` };
    $defs[`d${level}`] = { type: "object", properties: { a: inner, b: inner } };
  }
  return { type: "object", properties: { x: { $ref: `#/$defs/d${levels}` } }, $defs };
}

export function many(count: number, item: (index: number) => string, separator = "\n"): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(separator);
}

export const ALIAS_BOMB = `a0: &a0 [x]\n${many(30, (level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`)}\n`;
export const SUITE = "tests/hostile_test.yaml";

export function matrix(principals: number, calls: number, rows = 0): string {
  return [
    "name: hostile",
    "principals:",
    many(principals, (index) => `  p${index}: { id: u${index}, attrs: { is_external: false } }`),
    "calls:",
    many(
      calls,
      (index) => `  c${index}: { server: jira, tool: jira.search, arguments: { jql: "${index}" } }`,
    ),
    "tests:",
    `  - name: all\n    matrix:\n      principals: [${many(principals, (index) => `p${index}`, ", ")}]\n      calls: [${many(calls, (index) => `c${index}`, ", ")}]`,
    `    allow: [${many(rows, (index) => `[p${index % principals}, c${index % calls}]`, ", ")}]`,
  ].join("\n");
}
