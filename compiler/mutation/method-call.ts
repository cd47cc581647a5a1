// A message that calls no definition, as a test writes it: the inverse of what policies see of it, where there is one.
import { canonicalJson, leafActionOf } from "#bundle";
import type { LeafAction } from "#bundle";
import { completionArguments, elicitationArguments, samplingArguments } from "#methods";
import type { JsonObject, JsonValue } from "#std";

/** Members of a call of a suite beside `server`; undefined where tests have no form for it. */
export function methodCall(
  kind: string,
  server: string,
  action: LeafAction,
  args: JsonObject,
): JsonObject | undefined {
  const text = (name: string): string => (typeof args[name] === "string" ? args[name] : "");
  const isMethod = (method: string): boolean => action === leafActionOf(method, server, "");
  switch (kind) {
    case "sampling":
      return seen("sampling", samplingOf(args), samplingArguments, args);
    case "elicitation":
      return seen("elicitation", elicitationOf(args), elicitationArguments, args);
    case "completion":
      return seen("completion", completionOf(text), completionArguments, args);
    case "roots":
      return { root: text("uri") };
    case "logging":
      return { logging: text("level") };
    case "subscription":
      return isMethod("resources/subscribe") ? { subscribe: text("uri") } : undefined;
    case "task": {
      const tasks = ["cancel", "get", "list", "result", "update"];
      const task = tasks.find((name) => isMethod(`tasks/${name}`));
      return task === undefined ? undefined : { task, arguments: args };
    }
    default:
      return undefined;
  }
}

/** The parameters, where policies see of them what they are to see. */
function seen(
  key: string,
  params: JsonObject,
  view: (params: JsonObject) => JsonObject,
  args: JsonObject,
): JsonObject | undefined {
  return canonicalJson(view(params)) === canonicalJson(args) ? { [key]: params } : undefined;
}

function completionOf(text: (name: string) => string): JsonObject {
  const isPrompt = text("refType") === "prompt";
  const ref = isPrompt
    ? { type: "ref/prompt", name: text("ref") }
    : { type: "ref/resource", uri: text("ref") };
  return { ref, argument: { name: text("argument"), value: "" } };
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}

function samplingOf(args: JsonObject): JsonObject {
  const named = (member: string): readonly JsonValue[] => listOf(args[member]).map((name) => ({ name }));
  const hints = named("modelHints");
  const tools = named("tools");
  const types = listOf(args["contentTypes"]);
  const count = typeof args["messageCount"] === "number" ? args["messageCount"] : 0;
  const messages = Array.from({ length: count }, (_, index) => ({
    role: "user",
    content: { type: types[index] ?? types[0] ?? "text" },
  }));
  return {
    ...(args["maxTokens"] === null ? {} : { maxTokens: args["maxTokens"] ?? 0 }),
    ...(hints.length === 0 ? {} : { modelPreferences: { hints } }),
    ...(tools.length === 0 ? {} : { tools }),
    ...(args["toolChoice"] === "auto" ? {} : { toolChoice: { mode: args["toolChoice"] ?? "auto" } }),
    ...(args["includeContext"] === "none" ? {} : { includeContext: args["includeContext"] ?? "none" }),
    ...(args["hasSystemPrompt"] === true ? { systemPrompt: "sample" } : {}),
    messages,
  };
}

function elicitationOf(args: JsonObject): JsonObject {
  const fields = listOf(args["fields"]).filter((name) => typeof name === "string");
  const properties = Object.fromEntries(fields.map((name) => [name, { type: "string" }]));
  return {
    mode: args["mode"] ?? "form",
    ...(args["url"] === "" ? {} : { url: args["url"] ?? "" }),
    ...(fields.length === 0 ? {} : { requestedSchema: { type: "object", properties } }),
  };
}
