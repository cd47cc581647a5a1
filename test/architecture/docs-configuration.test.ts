// docs/gateway-configuration.md and gateway.schema.json say the same; docs/operations.md names every metric.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMetrics } from "#telemetry";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { decodeProcessConfig } from "../../runtime/config/index.ts";
import { ROOT } from "./source-imports.ts";

const PAGE = readFileSync(join(ROOT, "docs/gateway-configuration.md"), "utf8");
const SCHEMA = JSON.parse(
  readFileSync(join(ROOT, "runtime/config/gateway.schema.json"), "utf8"),
) as JsonObject;

interface Key {
  readonly name: string;
  readonly schema: JsonObject;
}

function member(value: JsonValue | undefined, name: string): JsonObject {
  const found = isJsonObject(value) ? value[name] : undefined;
  return isJsonObject(found) ? found : {};
}

/** Leaves of the schema as the page writes them; `env` is one key, whatever variables it holds. */
function keysOf(schema: JsonObject, prefix: string): readonly Key[] {
  return Object.entries(member(schema, "properties")).flatMap(([name, value]) => {
    const inner = isJsonObject(value) ? value : {};
    const path = `${prefix}${name}`;
    if (Object.keys(member(inner, "properties")).length > 0) return keysOf(inner, `${path}.`);
    const entry = member(inner, "additionalProperties");
    return Object.keys(member(entry, "properties")).length > 0
      ? keysOf(entry, `${path}.<name>.`)
      : [{ name: path, schema: inner }];
  });
}

/** Cells of the row of each key. */
const ROWS = new Map(
  [...PAGE.matchAll(/^\| `([\w.$<>]+)`\s*\|(.*)\|$/gmu)].map((match) => [
    match[1] ?? "",
    (match[2] ?? "").split("|").map((cell) => cell.trim()),
  ]),
);
const KEYS = keysOf(SCHEMA, "");

test("the page documents every key of gateway.json, and none besides", () => {
  expect(KEYS.length).toBeGreaterThan(20);
  expect([...ROWS.keys()].sort()).toEqual(KEYS.map(({ name }) => name).sort());
});

test.each(KEYS.map(({ name, schema }) => [name, schema] as const))(
  "range and default of %s",
  (name, schema) => {
    const [values = "", fallback = ""] = ROWS.get(name) ?? [];
    if (schema["minimum"] !== undefined)
      expect(values).toBe(`${String(schema["minimum"])} to ${String(schema["maximum"])}`);
    if (schema["default"] !== undefined) expect(fallback).toBe(`\`${String(schema["default"])}\``);
    for (const choice of Array.isArray(schema["enum"]) ? (schema["enum"] as readonly JsonValue[]) : [])
      expect(values).toContain(`\`${String(choice)}\``);
  },
);

test("the examples are accepted", () => {
  const blocks = [...PAGE.matchAll(/^```json\n(.*?)^```$/gmsu)].map(
    (match) => JSON.parse(match[1] ?? "") as JsonObject,
  );
  const [whole] = blocks;
  expect(blocks.length).toBe(4);
  for (const block of blocks) {
    // The secrets of the examples are not on this machine.
    const text = JSON.stringify({ ...whole, ...block }).replaceAll(/"(?:env|file):[^"]+"/gu, '"env:TOKEN"');
    const options = { file: "gateway.json", baseDir: "/etc/aegis", environment: { TOKEN: "t" } };
    expect(decodeProcessConfig(JSON.parse(text) as JsonValue, options).release.channel).toBe("prod");
  }
});

test("docs/operations.md names every metric, and none besides", async () => {
  const text = await createMetrics().render();
  const made = [...text.matchAll(/^# TYPE (aegis_\w+) /gmu)].map((match) => match[1] ?? "");
  const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const documented = [...page.matchAll(/^\| `(aegis_\w+)`/gmu)].map((match) => match[1] ?? "");
  expect(made.length).toBeGreaterThan(10);
  expect(documented.sort()).toEqual(made.sort());
});
