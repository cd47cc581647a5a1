// What a transform leaves of the form of an elicitation: a text that it changes is left out, since a form is filled in
// without it too, and so is a choice, since a server does not know a changed one.
import { AegisError } from "#errors";
import { isJsonObject, setMember } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** A value as the transform leaves it. */
export type Clean = (value: JsonValue) => JsonValue | undefined;

/** The words that MCP has for a member of a primitive schema; any other is a text like all others. */
const WORDS: ReadonlyMap<string, ReadonlySet<JsonValue>> = new Map([
  ["type", new Set<JsonValue>(["array", "boolean", "integer", "number", "object", "string"])],
  ["format", new Set<JsonValue>(["date", "date-time", "email", "uri"])],
]);
/** Sizes of what is typed or chosen. */
const SIZES: ReadonlySet<string> = new Set(["maxItems", "maxLength", "minItems", "minLength"]);
/** Lists with the choices of a field: values, or objects with a value and what a user reads. */
const TITLED = ["anyOf", "oneOf"] as const;

/**
 * `requestedSchema` with what `clean` leaves of it. Of a field that is left without a choice nothing is asked.
 * @throws {AegisError} TRANSFORM_FAILED where such a field is required
 */
export function cleanForm(schema: JsonObject, clean: Clean): JsonObject {
  const { properties, required, ...texts } = schema;
  const fields = Object.entries(isJsonObject(properties) ? properties : {}).flatMap(
    ([name, field]): [string, JsonValue][] => {
      const kept = isJsonObject(field)
        ? cleanField(field, clean)
        : isUnchanged(field, clean)
          ? field
          : undefined;
      return kept === undefined ? [] : [[name, kept]];
    },
  );
  const names = new Set<JsonValue>(fields.map(([name]) => name));
  const needed = Array.isArray(required) ? (required as readonly JsonValue[]) : [];
  if (isJsonObject(properties) && needed.some((name) => isLost(name, properties, names)))
    throw new AegisError(
      "TRANSFORM_FAILED",
      "the transform leaves no choice in a field that must be filled in",
    );
  return {
    ...cleanTexts(texts, clean),
    ...(isJsonObject(properties) ? { properties: Object.fromEntries(fields) } : {}),
    // What else may stand there is no name of a field, but a text.
    ...(required === undefined ? {} : { required: needed.filter((name) => names.has(name)) }),
  };
}

function isLost(name: JsonValue, properties: JsonObject, kept: ReadonlySet<JsonValue>): boolean {
  return typeof name === "string" && Object.hasOwn(properties, name) && !kept.has(name);
}

/** Undefined where there were choices and none is left. */
function cleanField(field: JsonObject, clean: Clean): JsonObject | undefined {
  const { enum: listed, enumNames, items, default: preset, ...rest } = field;
  const cleaned: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(rest)) {
    const kept = isTitledList(name, value) ? titledChoices(value, clean) : cleanText(name, value, clean);
    if (kept !== undefined) setMember(cleaned, name, kept);
    else if (isTitledList(name, value)) return undefined;
  }
  if (Array.isArray(listed)) {
    const choices = listedChoices(listed, enumNames, clean);
    if (choices === undefined) return undefined;
    Object.assign(cleaned, choices);
  }
  if (isJsonObject(items)) {
    const kept = cleanField(items, clean);
    if (kept === undefined) return undefined;
    cleaned["items"] = kept;
  }
  if (preset !== undefined && isUnchanged(preset, clean)) cleaned["default"] = preset;
  return cleaned;
}

function isTitledList(name: string, value: JsonValue): value is readonly JsonValue[] {
  return (TITLED as readonly string[]).includes(name) && Array.isArray(value);
}

function listedChoices(
  listed: readonly JsonValue[],
  enumNames: JsonValue | undefined,
  clean: Clean,
): JsonObject | undefined {
  const names = Array.isArray(enumNames) ? (enumNames as readonly JsonValue[]) : undefined;
  const choices = listed.flatMap((value, index) => {
    const title = names?.[index] ?? value;
    const isTitleKept = isUnchanged(title, clean);
    return isUnchanged(value, clean) ? [{ value, title: isTitleKept ? title : value }] : [];
  });
  if (choices.length === 0) return undefined;
  const kept = { enum: choices.map(({ value }) => value) };
  return names === undefined ? kept : { ...kept, enumNames: choices.map(({ title }) => title) };
}

/** The title of a choice is due: where it may not be read, the value stands in for it. */
function titledChoices(list: readonly JsonValue[], clean: Clean): readonly JsonValue[] | undefined {
  const kept = list.flatMap((choice): JsonValue[] => {
    if (!isJsonObject(choice)) return [];
    const { const: value, title, ...rest } = choice;
    const isTitleKept = title === undefined || isUnchanged(title, clean);
    if (value === undefined || !isUnchanged(value, clean)) return [];
    const titled = title === undefined ? {} : { title: isTitleKept ? title : value };
    return [{ const: value, ...titled, ...cleanTexts(rest, clean) }];
  });
  return kept.length === 0 ? undefined : kept;
}

function cleanTexts(node: JsonObject, clean: Clean): JsonObject {
  const kept = Object.entries(node).filter(([name, value]) => cleanText(name, value, clean) !== undefined);
  return Object.fromEntries(kept);
}

function cleanText(name: string, value: JsonValue, clean: Clean): JsonValue | undefined {
  if (WORDS.get(name)?.has(value) === true) return value;
  if (SIZES.has(name) && typeof value === "number") return value;
  return isUnchanged(value, clean) ? value : undefined;
}

/** Yes and no say nothing of anybody, and cleaning one would only change the other way round. */
function isUnchanged(value: JsonValue, clean: Clean): boolean {
  if (typeof value === "boolean") return true;
  return JSON.stringify(clean(value)) === JSON.stringify(value);
}
