// Values of the plan as blocks: arguments, facts, definitions.
import type { JsonValue } from "#std";
import { isJsonObject, isRawNumber } from "#std";
import { jsonText } from "./json-text.ts";
import { clipped, markup, visible } from "./markup.ts";
import type { Markup } from "./markup.ts";

/** UTF-16 units of one value that the page shows; the JSON plan has all of it. */
export const MAX_VALUE_LENGTH = 20_000;

/** Text in a block that scrolls, where it is long. */
export function textBlock(text: string, kind = ""): Markup {
  const { text: shown, cut } = clipped(text, MAX_VALUE_LENGTH);
  // A block that scrolls is reached by keyboard.
  const focus = shown.length > 1_000 && markup` tabindex="0"`;
  return markup`<pre class="${kind}" ${focus}>
${visible(shown, "block")}${
    cut > 0 && markup`<span class="cut">… ${cut} more characters: the JSON plan has them.</span>`
  }</pre>`;
}

/** JSON, indented. */
export function jsonBlock(value: JsonValue): Markup {
  return textBlock(jsonText(value));
}

/** A name of a fact or a member. */
export function memberName(text: string): Markup {
  return markup`<code>${visible(clipped(text, 200).text)}</code>`;
}

/** A small value in one line: text as it is, the rest as JSON. */
export function inlineValue(value: JsonValue): Markup {
  const text = typeof value === "string" ? value : listText(value);
  const { text: shown, cut } = clipped(text, 2_000);
  return markup`<bdi class="name"
    >${visible(shown)}${cut > 0 && markup`<span class="cut">… ${cut} more characters</span>`}</bdi
  >`;
}

function listText(value: JsonValue): string {
  if (!Array.isArray(value))
    return isJsonObject(value) || isRawNumber(value) ? jsonText(value) : JSON.stringify(value);
  const items = value as readonly JsonValue[];
  if (items.length === 0) return "none";
  return items.map((item) => (typeof item === "string" ? item : jsonText(item))).join(", ");
}
