// Argument programs of leaves that have no JSON Schema: prompts and resources.
import type { SchemaNode, SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { SchemaFindings } from "./findings.ts";
import type { LoweredSchema } from "./lower.ts";

const STRING: SchemaNode = { types: ["string"], projection: "String" };
const NOTHING: SchemaNode = { always: false };
const MAX_PROMPT_ARGUMENTS = 1_000;

/** Prompt arguments are strings (MCP prompts/get); those the definition does not name are counted as extra. */
export function lowerPromptArguments(definition: JsonObject): LoweredSchema {
  const findings = new SchemaFindings();
  const declared = definition["arguments"] ?? [];
  const properties = Object.create(null) as Record<string, number>;
  const required: string[] = [];
  if (!Array.isArray(declared) || declared.length > MAX_PROMPT_ARGUMENTS) {
    findings.report(
      "SCHEMA_INVALID",
      "/arguments",
      "the arguments of a prompt must be a list of named arguments",
    );
    return { program: { nodes: [NOTHING], root: 0 }, findings: findings.items };
  }
  for (const [index, argument] of (declared as readonly JsonValue[]).entries()) {
    const name = isJsonObject(argument) ? argument["name"] : undefined;
    if (typeof name !== "string" || name === "__proto__" || name in properties) {
      findings.report("SCHEMA_INVALID", `/arguments/${index}`, "a prompt argument needs a name of its own");
      continue;
    }
    properties[name] = 1;
    if ((argument as JsonObject)["required"] === true) required.push(name);
  }
  if (findings.hasErrors) return { program: { nodes: [NOTHING], root: 0 }, findings: findings.items };
  const root: SchemaNode = {
    types: ["object"],
    properties,
    additionalProperties: 1,
    ...(required.length > 0 ? { required } : {}),
    projection: "Record",
  };
  return { program: { nodes: [root, STRING], root: 0 }, findings: [] };
}

/** A resource is read by its URI, which stands as the one argument: of a template, the URI that matched it. */
export function uriArguments(): SchemaProgram {
  const root: SchemaNode = {
    types: ["object"],
    properties: { uri: 1 },
    required: ["uri"],
    additionalProperties: 2,
    projection: "Record",
  };
  return { nodes: [root, STRING, NOTHING], root: 0 };
}
