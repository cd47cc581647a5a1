// What the transform of a call takes out of what is asked during it. The texts of a form are read by a user, so they are
// prose as the message is; words that the protocol defines are no texts.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { scrubMessage } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import { readAsk } from "./ask.ts";
import type { Ask } from "./ask.ts";

/** Members with the words that they may have, which no transform may change. */
const WORDS: ReadonlyMap<string, readonly JsonValue[]> = new Map([
  ["mode", ["form", "url"]],
  ["includeContext", ["none", "thisServer", "allServers"]],
]);
/** Members of a form's schema, and of its fields, that a user reads. */
const TEXTS = ["title", "description", "default"] as const;

/** @throws {AegisError} TRANSFORM_FAILED, and as `readAsk` where what is left is no ask */
export function scrubAsk(
  compiled: CompiledTransform,
  { method, params }: Ask,
  options: TransformOptions,
): Ask {
  const scrub = (given: JsonObject): JsonObject => {
    const { params: scrubbed } = scrubMessage(compiled, { method, params: given }, [], options);
    return isJsonObject(scrubbed) ? scrubbed : {};
  };
  const scrubbed: Record<string, JsonValue> = { ...scrub(params) };
  for (const [name, words] of WORDS) {
    const word = params[name];
    if (word !== undefined && words.includes(word)) scrubbed[name] = word;
  }
  const schema = scrubbed["requestedSchema"];
  if (method === "elicitation/create" && isJsonObject(schema))
    scrubbed["requestedSchema"] = withoutTexts(schema, (text) => scrub({ message: text })["message"]);
  return readAsk(method, scrubbed);
}

function withoutTexts(schema: JsonObject, clean: (text: string) => JsonValue | undefined): JsonObject {
  const { properties } = schema;
  const fields = Object.entries(isJsonObject(properties) ? properties : {}).map(
    ([name, field]): [string, JsonValue] => [name, isJsonObject(field) ? ownTexts(field, clean) : field],
  );
  const own = ownTexts(schema, clean);
  return isJsonObject(properties) ? { ...own, properties: Object.fromEntries(fields) } : own;
}

/** A text that the transform changes is left out: a form is filled in without it too. */
function ownTexts(node: JsonObject, clean: (text: string) => JsonValue | undefined): JsonObject {
  const kept: Record<string, JsonValue> = { ...node };
  for (const name of TEXTS) {
    const text = node[name];
    if (typeof text === "string" && clean(text) !== text) delete kept[name];
  }
  return kept;
}
