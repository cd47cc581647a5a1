// What the transform of a call takes out of what is asked during it. The texts and choices of a form are read by a user, so
// they are prose as the message is; words that the protocol defines are no texts.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { scrubMessage } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import { readAsk } from "./ask.ts";
import type { Ask } from "./ask.ts";
import { cleanForm } from "./transform-form.ts";

/** Members with the words that they may have, which no transform may change. */
const WORDS: ReadonlyMap<string, readonly JsonValue[]> = new Map([
  ["mode", ["form", "url"]],
  ["includeContext", ["none", "thisServer", "allServers"]],
]);
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
  const given = method === "elicitation/create" ? withCleanForm(params, scrub) : params;
  const scrubbed: Record<string, JsonValue> = { ...scrub(given) };
  for (const [name, words] of WORDS) {
    const word = params[name];
    if (word !== undefined && words.includes(word)) scrubbed[name] = word;
  }
  return readAsk(method, scrubbed);
}

/** Of an elicitation's parameters those whose form has been cleaned: all its values at once, with what the message says. */
function withCleanForm(params: JsonObject, scrub: (params: JsonObject) => JsonObject): JsonObject {
  const { requestedSchema, message = "" } = params;
  if (!isJsonObject(requestedSchema)) return params;
  const values = new Map<string, JsonValue>();
  cleanForm(requestedSchema, (value) => {
    values.set(JSON.stringify(value), value);
    return value;
  });
  const texts = [message, ...values.values()].map((text) => ({ type: "text", text }));
  const { content } = scrub({ content: texts });
  const cleaned = Array.isArray(content) ? (content as readonly JsonValue[]).slice(1) : [];
  const byValue = new Map(
    [...values.keys()].map((key, index) => {
      const block = cleaned[index];
      return [key, isJsonObject(block) ? block["text"] : undefined];
    }),
  );
  const kept = cleanForm(requestedSchema, (value) => byValue.get(JSON.stringify(value)));
  return { ...params, requestedSchema: kept };
}
