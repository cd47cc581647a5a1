// The leaves that stand for methods of a server: what it may ask of the client, and what follows from what a caller may
// use. Their arguments are what `#methods` makes of the parameters.
import { leafActionOf, METHOD_KINDS, METHODS_OF_KIND } from "#bundle";
import type { LeafEntry, MethodKind, SchemaProgram, ServerId } from "#bundle";
import { assert } from "#std";
import type { JsonObject } from "#std";
import { lowerSchema } from "../json-schema/index.ts";

const TEXT: JsonObject = { type: "string" };
const TEXTS: JsonObject = { type: "array", items: TEXT };
const FLAG: JsonObject = { type: "boolean" };
const COUNT: JsonObject = { type: "integer", minimum: 0 };

function shape(properties: Readonly<Record<string, JsonObject>>): JsonObject {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

/** JSON Schema of the arguments of each method. */
const METHOD_SCHEMAS: Readonly<Record<MethodKind, JsonObject>> = {
  completion: shape({ refType: { enum: ["prompt", "resource"] }, ref: TEXT, argument: TEXT }),
  elicitation: shape({
    mode: { enum: ["form", "url"] },
    fields: TEXTS,
    fieldLines: TEXT,
    url: TEXT,
    urlScheme: TEXT,
    urlHost: TEXT,
  }),
  logging: shape({
    level: {
      enum: ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"],
    },
  }),
  roots: shape({ uri: TEXT, scheme: TEXT, isCanonical: FLAG }),
  sampling: shape({
    maxTokens: COUNT,
    modelHints: TEXTS,
    modelHintLines: TEXT,
    tools: TEXTS,
    toolChoice: TEXT,
    includeContext: TEXT,
    messageCount: COUNT,
    contentTypes: TEXTS,
    hasSystemPrompt: FLAG,
  }),
  subscription: shape({ uri: TEXT }),
  task: shape({ taskId: TEXT, tool: TEXT, direction: { enum: ["client-to-server", "server-to-client"] } }),
};

let programs: ReadonlyMap<MethodKind, SchemaProgram> | undefined;

function programOf(kind: MethodKind): SchemaProgram {
  programs ??= new Map(
    METHOD_KINDS.map((each) => {
      const { program, findings } = lowerSchema(METHOD_SCHEMAS[each]);
      assert(findings.length === 0, `the arguments of ${each} have a sound schema`);
      return [each, program];
    }),
  );
  const program = programs.get(kind);
  assert(program !== undefined, `${kind} is a method kind`);
  return program;
}

/** Every method leaf of a server, in order of action. */
export function methodLeaves(server: ServerId): readonly LeafEntry[] {
  const leaves = METHOD_KINDS.flatMap((kind) =>
    METHODS_OF_KIND[kind].map((method): LeafEntry => {
      const action = leafActionOf(method, server, "");
      return { action, kind, name: "", definitions: [], argumentsProgram: programOf(kind), paramHeaders: [] };
    }),
  );
  return leaves.sort((a, b) => (a.action < b.action ? -1 : 1));
}

/** Kinds that whoever may use something of a server may use too, unless a policy forbids it. */
export const IMPLIED_KINDS: readonly MethodKind[] = ["completion", "logging", "subscription", "task"];
