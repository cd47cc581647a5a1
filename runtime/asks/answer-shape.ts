// What a client may answer to each request of a server: its shape is checked, and rebuilt member by member.
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Ask } from "./ask.ts";

/** UTF-16 code units of one answer as JSON; of what a user types into a form less. */
const MAX_ANSWER_CHARS = 786_432;
export const MAX_CONTENT_CHARS = 65_536;
/** Roots of one answer. */
export const MAX_ROOTS = 1_000;

/**
 * The answer to an ask in the shape of the protocol, without members that nobody judges.
 * @throws {AegisError} ASK_ANSWER_INVALID
 */
export function readAnswer({ method, params }: Ask, answer: JsonValue | undefined): JsonObject {
  if (!isJsonObject(answer)) throw invalid("the answer is not an object");
  if (JSON.stringify(answer).length > MAX_ANSWER_CHARS) throw invalid("the answer is too long");
  switch (method) {
    case "elicitation/create":
      return readElicited(params, answer);
    case "roots/list":
      return { roots: readRoots(answer["roots"]) };
    case "sampling/createMessage":
      return readSampled(answer);
  }
}

function readElicited(params: JsonObject, { action, content }: JsonObject): JsonObject {
  if (action !== "accept" && action !== "decline" && action !== "cancel")
    throw invalid("action is none of accept, decline, cancel");
  if (action !== "accept" || params["mode"] === "url") return { action };
  if (content === undefined) return { action };
  if (!isJsonObject(content)) throw invalid("content is not an object");
  if (JSON.stringify(content).length > MAX_CONTENT_CHARS) throw invalid("content is too long");
  const schema = params["requestedSchema"];
  const fields = isJsonObject(schema) ? schema["properties"] : undefined;
  for (const [name, value] of Object.entries(content)) {
    const field = isJsonObject(fields) && Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!isJsonObject(field)) throw invalid("content has a field that was not asked for");
    if (!isOfField(field, value)) throw invalid("content has a field of another type than was asked for");
  }
  return { action, content };
}

/** The primitive types that a form may ask for (MCP elicitation, requested schema); unknown types pass nothing. */
function isOfField(field: JsonObject, value: JsonValue): boolean {
  switch (field["type"]) {
    case "string":
      return typeof value === "string" && isOfChoices(field, value);
    case "number":
      return typeof value === "number";
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "boolean":
      return typeof value === "boolean";
    case "array": {
      const items = field["items"];
      if (!Array.isArray(value) || !isJsonObject(items)) return false;
      return value.every((item) => typeof item === "string" && isOfChoices(items, item));
    }
    default:
      return false;
  }
}

function isOfChoices(field: JsonObject, value: string): boolean {
  const { enum: listed } = field;
  if (Array.isArray(listed)) return listed.includes(value);
  const titled = field["oneOf"] ?? field["anyOf"];
  if (!Array.isArray(titled)) return true;
  return (titled as readonly JsonValue[]).some((choice) => isJsonObject(choice) && choice["const"] === value);
}

function readRoots(roots: JsonValue | undefined): readonly JsonObject[] {
  if (!Array.isArray(roots) || roots.length > MAX_ROOTS) throw invalid("roots is not a list, or is too long");
  return (roots as readonly JsonValue[]).map((root) => {
    if (!isJsonObject(root) || typeof root["uri"] !== "string") throw invalid("a root has no uri");
    const { uri, name } = root;
    if (name === undefined) return { uri };
    if (typeof name !== "string") throw invalid("the name of a root is not a string");
    return { uri, name };
  });
}

function readSampled({ role, content, model, stopReason }: JsonObject): JsonObject {
  if (role !== "assistant" && role !== "user") throw invalid("role is neither assistant nor user");
  if (typeof model !== "string") throw invalid("model is not a string");
  const parts = Array.isArray(content) ? (content as readonly JsonValue[]) : [content ?? null];
  if (!parts.every((part) => isJsonObject(part) && typeof part["type"] === "string"))
    throw invalid("content is no content block and no list of them");
  const read = { role, content: content ?? null, model };
  if (stopReason === undefined) return read;
  if (typeof stopReason !== "string") throw invalid("stopReason is not a string");
  return { ...read, stopReason };
}

function invalid(detail: string): AegisError {
  return new AegisError("ASK_ANSWER_INVALID", detail);
}
