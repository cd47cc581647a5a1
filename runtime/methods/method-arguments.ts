// What policies see of a message that is no call of a definition: the parameters of its MCP method, in the shape that
// the leaf of the method declares. The words of a conversation are no part of it.
import { AegisError } from "#errors";
import { readUrl } from "#facts";
import { isCanonicalUri } from "#resources";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** Entries of one list that are looked at; a longer list is refused. */
const MAX_LISTED = 10_000;

/**
 * `sampling/createMessage` (MCP client features, sampling).
 * @throws {AegisError} ARGUMENTS_INVALID where a member does not have the type that the protocol gives it
 */
export function samplingArguments(params: JsonObject | undefined): JsonObject {
  const hints = namesIn(objectOf(params, "modelPreferences"), "hints", "name");
  return {
    maxTokens: params?.["maxTokens"] ?? null,
    modelHints: hints,
    modelHintLines: hints.join("\n"),
    tools: namesIn(params, "tools", "name"),
    toolChoice: textOf(objectOf(params, "toolChoice"), "mode", "auto"),
    includeContext: textOf(params, "includeContext", "none"),
    messageCount: listOf(params, "messages").length,
    contentTypes: contentTypes(listOf(params, "messages")),
    hasSystemPrompt: params?.["systemPrompt"] !== undefined,
  };
}

/** Members of a form's schema: a flat object (MCP client features, elicitation, requested schema). */
const FORM_MEMBERS: ReadonlySet<string> = new Set([
  ...["$schema", "type", "title", "description", "properties", "required", "additionalProperties"],
]);
/** UTF-16 code units of a field's name. */
const MAX_FIELD_NAME = 256;

/**
 * `elicitation/create` (MCP client features, elicitation): `mode` is `form` where it is absent.
 * @throws {AegisError} ARGUMENTS_INVALID, also for a form whose fields could hide from their names
 */
export function elicitationArguments(params: JsonObject | undefined): JsonObject {
  const mode = textOf(params, "mode", "form");
  const url = textOf(params, "url", "");
  const fields = fieldNames(objectOf(params, "requestedSchema"));
  const read = readUrl(url);
  return {
    mode,
    fields,
    // Names as they look, in lower case, one on each line, for patterns over all of them.
    fieldLines: fields.map((name) => name.normalize("NFKC").toLowerCase()).join("\n"),
    url,
    urlScheme: read.ok ? read.scheme : "",
    urlHost: read.ok ? read.host : "",
  };
}

function fieldNames(schema: JsonObject | undefined): readonly string[] {
  if (schema !== undefined && !Object.keys(schema).every((name) => FORM_MEMBERS.has(name)))
    throw invalid("requestedSchema");
  const names = Object.keys(objectOf(schema, "properties") ?? {}).sort();
  const isPlain = (name: string): boolean =>
    name !== "" && name.length <= MAX_FIELD_NAME && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name);
  if (names.length > MAX_LISTED || !names.every(isPlain)) throw invalid("requestedSchema.properties");
  return names;
}

/** One root of an answer to `roots/list` (MCP client features, roots). @throws {AegisError} ARGUMENTS_INVALID */
export function rootArguments(root: JsonObject): JsonObject {
  const uri = textOf(root, "uri", "");
  const scheme = /^([a-z][a-z0-9+.-]*):/iu.exec(uri)?.[1];
  if (scheme === undefined) throw invalid("uri");
  return { uri, scheme: scheme.toLowerCase(), isCanonical: isCanonicalUri(uri) };
}

/** `completion/complete` (MCP server features, completion). @throws {AegisError} ARGUMENTS_INVALID */
export function completionArguments(params: JsonObject | undefined): JsonObject {
  const ref = objectOf(params, "ref");
  const isPrompt = ref?.["type"] === "ref/prompt";
  return {
    refType: isPrompt ? "prompt" : "resource",
    ref: textOf(ref, isPrompt ? "name" : "uri", ""),
    argument: textOf(objectOf(params, "argument"), "name", ""),
  };
}

/** `logging/setLevel` (MCP server features, logging). */
export function loggingArguments(params: JsonObject | undefined): JsonObject {
  return { level: params?.["level"] ?? null };
}

/**
 * `tasks/*` (MCP 2025-11-25, tasks; extension io.modelcontextprotocol/tasks). Only clients ask for tasks.
 * @param digest names the task as audit records do. @param tool name of the tool that made it.
 */
export function taskArguments(digest: string, tool: string): JsonObject {
  return { taskId: digest, tool, direction: "client-to-server" };
}

function contentTypes(messages: readonly JsonValue[]): readonly string[] {
  const types = messages.flatMap((message) => {
    const content = isJsonObject(message) ? message["content"] : undefined;
    const parts = Array.isArray(content) ? (content as readonly JsonValue[]) : [content ?? null];
    return parts.map((part) => (isJsonObject(part) ? textOf(part, "type", "") : ""));
  });
  return [...new Set(types)].sort();
}

function namesIn(value: JsonObject | undefined, list: string, name: string): readonly string[] {
  const names = listOf(value, list).map((item) => {
    const found = isJsonObject(item) ? item[name] : undefined;
    // A hint without a name asks for nothing in particular.
    if (found === undefined && isJsonObject(item)) return "";
    if (typeof found !== "string") throw invalid(list);
    return found;
  });
  return [...new Set(names)].sort();
}

function listOf(value: JsonObject | undefined, name: string): readonly JsonValue[] {
  const list = value?.[name];
  if (list === undefined) return [];
  if (!Array.isArray(list) || list.length > MAX_LISTED) throw invalid(name);
  return list as readonly JsonValue[];
}

function objectOf(value: JsonObject | undefined, name: string): JsonObject | undefined {
  const member = value?.[name];
  if (member === undefined) return undefined;
  if (!isJsonObject(member)) throw invalid(name);
  return member;
}

function textOf(value: JsonObject | undefined, name: string, otherwise: string): string {
  const member = value?.[name];
  if (member === undefined) return otherwise;
  if (typeof member !== "string") throw invalid(name);
  return member;
}

function invalid(name: string): AegisError {
  return new AegisError("ARGUMENTS_INVALID", `params.${name} does not have the type of the protocol`);
}
