// Tool schemas in the shape that public servers use (test/data/tool-schemas): each is pinned and compiled with policies
// that read its arguments, or gives the diagnostics its file names; what compiles loads in the gateway's evaluator, and
// ajv and the gateway judge the same instances alike. `AEGIS_UPDATE_CASES=1` writes the diagnostics down.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { definitionDigest } from "#bundle";
import type { BundleContent } from "#bundle";
import { compile, formatPins, memoryWorkspace, readPins } from "#compiler";
import { createEvaluator } from "#pdp";
import { compileProgram, validateAndProject } from "#schema";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { pinContentOf } from "../../../../compiler/registry/pin-content.ts";
import { describeProjection, lowerSchema } from "../../../../compiler/json-schema/index.ts";
import type { ProjectedAttribute } from "../../../../compiler/json-schema/index.ts";
import { seededRandom } from "../../audit/seeded-random.ts";
import { baseFiles } from "../case-project.ts";
import { instancesOf } from "./instances.ts";

interface ToolCase {
  readonly name: string;
  readonly schema: JsonValue;
  /** Codes of the errors that keep it from compiling; absent = it compiles. */
  readonly errors?: readonly string[];
}

interface CatalogueFile {
  readonly about: string;
  readonly tools: readonly ToolCase[];
}

const DIRECTORY = join(import.meta.dirname, "../../../data/tool-schemas");
const UPDATE = process.env["AEGIS_UPDATE_CASES"] === "1";
const INSTANCES = 24;
/** Processor time: what other processes do at the same time has no part in it. */
const COMPILE_LIMIT_CPU_MS = 2_000;
const SERVER = "catalogue";

const files = readdirSync(DIRECTORY)
  .sort()
  .map((name) => ({
    name,
    catalogue: JSON.parse(readFileSync(join(DIRECTORY, name), "utf8")) as CatalogueFile,
  }));

/** The pin file of a server that shows this one tool. */
function pinText(tool: ToolCase): string {
  const definition = { name: tool.name, description: "A tool.", inputSchema: tool.schema } as JsonObject;
  const live = { kind: "tool", name: tool.name, digest: definitionDigest(definition), definition } as const;
  const entry = {
    protocolVersion: "2026-07-28",
    serverInfo: { name: SERVER, version: "1.0.0" },
    capabilities: { tools: {} },
  };
  return formatPins(pinContentOf(SERVER, [{ era: "modern", entry, definitions: [live] }]));
}

function attributesOf(schema: JsonValue): readonly ProjectedAttribute[] {
  const { program, findings } = lowerSchema(schema);
  return findings.some(({ severity }) => severity === "error")
    ? []
    : describeProjection(program).type.attributes;
}

/** Refuses one value of each readable argument, in YAML and in Cedar. */
function policiesFor(tool: ToolCase): Readonly<Record<string, string>> {
  const readable = attributesOf(tool.schema).slice(0, 8);
  const rules = readable.flatMap(({ name, type }): readonly (readonly [string, object])[] => {
    // Whatever the schema says of the text, some text has one of these forms.
    if (type.kind === "String") return [[name, { prefix: ["a", "open", "https:", "2", "/", "E"] }]];
    if (type.kind === "Long" || type.kind === "Decimal") return [[name, { min: -5, max: 500 }]];
    if (type.kind === "Bool") return [[name, { enum: [true, false] }]];
    return [];
  });
  const constraints = { [tool.name]: { arguments: Object.fromEntries(rules) } };
  const reads = readable.map(({ name, type }) => {
    const value = `context.arguments[${JSON.stringify(name)}]`;
    const test = {
      String: ' like "*forbidden*"',
      Long: " > 1000000",
      Bool: "",
      Decimal: '.lessThan(decimal("-9.0"))',
    };
    if (type.kind === "Set") return `context.arguments has ${JSON.stringify(name)} && ${value}.isEmpty()`;
    if (type.kind === "Record")
      return `context.arguments has ${JSON.stringify(name)} && ${value} == ${value}`;
    return `context.arguments has ${JSON.stringify(name)} && ${value}${test[type.kind]}`;
  });
  const when = `context.target == ${JSON.stringify(tool.name)}${reads.map((read) => ` && (${read})`).join("")}`;
  return {
    "policies/allow.yaml": JSON.stringify({
      scope: { principals: "any" },
      allow: { tools: [tool.name] },
      ...(rules.length === 0 ? {} : { constraints }),
    }),
    "policies/reads.cedar": `forbid (principal, action == Action::"tools/call", resource == Server::"${SERVER}") when { ${when} };\n`,
  };
}

async function compileTool(tool: ToolCase): Promise<{
  readonly content: BundleContent | undefined;
  readonly errors: readonly string[];
  readonly text: string;
}> {
  const all = baseFiles();
  for (const path of all.keys()) if (path.startsWith("tests/")) all.delete(path);
  const routes = all.get("routes.yaml");
  const routesText = typeof routes === "string" ? routes : Buffer.from(routes ?? "").toString("utf8");
  all.set("routes.yaml", `${routesText}  - { path: /${SERVER}/mcp, server: ${SERVER} }\n`);
  all.set(
    `registry/servers/${SERVER}.yaml`,
    JSON.stringify({
      apiVersion: "aegis.dev/v1",
      kind: "Server",
      metadata: { name: SERVER, owner: "@acme/platform" },
      transport: { type: "streamable-http", url: "http://127.0.0.1:7303/mcp" },
      tier: "internal",
    }),
  );
  const text = pinText(tool);
  all.set(`registry/pins/${SERVER}.json`, text);
  for (const [path, policy] of Object.entries(policiesFor(tool))) all.set(path, policy);
  const { content, diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(all) });
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  return {
    content: errors.length === 0 ? content : undefined,
    errors: [...new Set(errors.map(({ code }) => String(code)))].sort(),
    text: errors.map(({ message }) => message).join("\n"),
  };
}

function referenceFor(schema: JsonValue): (value: JsonObject) => boolean {
  const dialect = isJsonObject(schema) ? schema["$schema"] : undefined;
  const options = {
    strict: false,
    validateFormats: false,
    validateSchema: false,
    logger: false,
    ownProperties: true,
  } as const;
  const isOld = typeof dialect === "string" && /draft-0[67]/.test(dialect);
  const ajv = isOld ? new Ajv(options) : new Ajv2020(options);
  // OpenAPI's word, which ajv knows and JSON Schema does not.
  const text = JSON.stringify(schema, (key, member: JsonValue) => (key === "nullable" ? undefined : member));
  const validate = ajv.compile(JSON.parse(text) as JsonObject);
  return (value) => validate(JSON.parse(JSON.stringify(value))) === true;
}

function disagreements(tool: ToolCase): readonly string[] {
  const { program } = lowerSchema(tool.schema);
  const compiled = compileProgram(program);
  const accepts = referenceFor(tool.schema);
  const wrong: string[] = [];
  for (const value of instancesOf(tool.schema, INSTANCES, seededRandom(tool.name.length + 7))) {
    const outcome = validateAndProject(compiled, value);
    const valid = outcome.ok || outcome.code === "ARGUMENTS_NOT_REPRESENTABLE";
    if (valid !== accepts(value)) wrong.push(`${valid ? "accepted" : "refused"}: ${JSON.stringify(value)}`);
  }
  return wrong;
}

it("has at least 200 schemas", () => {
  expect(files.flatMap(({ catalogue }) => catalogue.tools).length).toBeGreaterThanOrEqual(200);
});

describe.each(files)("$name", ({ name, catalogue }) => {
  const found = new Map<string, readonly string[]>();

  it.each(catalogue.tools)("$name", async (tool) => {
    if (tool.errors?.includes("PIN_INVALID") === true)
      expect(() => readPins(pinText(tool))).toThrow(TypeError);
    else expect(formatPins(readPins(pinText(tool)))).toBe(pinText(tool));
    const before = process.cpuUsage();
    const { content, errors, text } = await compileTool(tool);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(COMPILE_LIMIT_CPU_MS);
    found.set(tool.name, errors);
    if (!UPDATE) expect({ errors, text }).toEqual({ errors: tool.errors ?? [], text });
    if (content === undefined) {
      expect(errors.length).toBeGreaterThan(0);
      expect(text).not.toBe("");
      return;
    }
    const evaluator = await createEvaluator(content);
    evaluator.dispose();
    expect(disagreements(tool)).toEqual([]);
  });

  if (UPDATE)
    it("is written down", () => {
      const tools = catalogue.tools.map(({ name: tool, schema }) => {
        const errors = found.get(tool) ?? [];
        return { name: tool, schema, ...(errors.length === 0 ? {} : { errors }) };
      });
      writeFileSync(join(DIRECTORY, name), `${JSON.stringify({ ...catalogue, tools }, undefined, 1)}\n`);
    });
});
