// Building HTML in which nothing that comes from data is markup: whatever is put into a template is escaped, unless it
// was made by a template itself. Characters that a reader could not see are shown by their code point.
import { createHash } from "node:crypto";

const MARKUP: unique symbol = Symbol("markup");

/** HTML that is safe to write as it is. Only `markup`, `hashed` and `visible` make it. */
export interface Markup {
  readonly [MARKUP]: string;
}

/** What a template takes: text is escaped, lists are joined, `undefined` and `false` leave nothing. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

// As in pin files: what leaves no mark of its own on a screen or changes how its neighbours are shown.
const INVISIBLE = /(?! )[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Z}]/gu;
const JOINER = /\u200d/u;
const EMOJI_STYLE = /\ufe0f/u;
const ENDS_IN_EMOJI = /\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0f]*$/u;
const BEGINS_WITH_EMOJI = /^\p{Extended_Pictographic}/u;
/** The longest run that can stand between a joiner and the emoji it joins, in UTF-16 units. */
const EMOJI_REACH = 8;

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"'`]/gu, (character) => ENTITIES[character] ?? "");
}

function write(content: Content): string {
  if (content === undefined || content === false) return "";
  if (typeof content === "string") return escapeMarkup(plainText(content));
  if (typeof content === "number") return String(content);
  if (isMarkup(content)) return content[MARKUP];
  return content.map(write).join("");
}

function isMarkup(content: Markup | readonly Content[]): content is Markup {
  return MARKUP in content;
}

/** A template of HTML. Text between quotes of an attribute and between tags is escaped alike. */
export function markup(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const text = strings.map((part, index) => part + (index < contents.length ? write(contents[index]) : ""));
  return { [MARKUP]: text.join("") };
}

/** The text of the whole page. */
export function markupText(content: Markup): string {
  return content[MARKUP];
}

/** Text of this folder's own, written as it is, and the source expression that lets a browser run or apply it. */
export function hashed(
  tag: "script" | "style",
  text: string,
): { readonly element: Markup; readonly source: string } {
  if (/<\/(?:script|style)|<!--/iu.test(text)) throw new TypeError("the text would end its own element");
  const digest = createHash("sha256").update(text, "utf8").digest("base64");
  return { element: { [MARKUP]: `<${tag}>${text}</${tag}>` }, source: `'sha256-${digest}'` };
}

/** Data in which every character that cannot be seen is shown as `U+202E`; line breaks stay in a `block`. */
export function visible(text: string, form: "block" | "line" = "line"): Markup {
  const parts: string[] = [];
  let from = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    const [character] = match;
    const { index } = match;
    if (form === "block" && character === "\n") continue;
    if (isPartOfEmoji(text, character, index)) continue;
    parts.push(escapeMarkup(text.slice(from, index)), hiddenMark(character));
    from = index + character.length;
  }
  parts.push(escapeMarkup(text.slice(from)));
  return { [MARKUP]: parts.join("") };
}

function hiddenMark(character: string): string {
  const codePoint = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `<span class="hidden-char" title="a character that cannot be seen">U+${codePoint}</span>`;
}

/** A joiner between two emoji and the emoji style after one are seen: they are the emoji. */
function isPartOfEmoji(text: string, character: string, index: number): boolean {
  const before = text.slice(Math.max(0, index - EMOJI_REACH), index);
  if (EMOJI_STYLE.test(character)) return ENDS_IN_EMOJI.test(before);
  return (
    JOINER.test(character) &&
    ENDS_IN_EMOJI.test(before) &&
    BEGINS_WITH_EMOJI.test(text.slice(index + 1, index + 1 + EMOJI_REACH))
  );
}

/** The same for an attribute or a filter, where no mark can stand. */
function plainText(text: string): string {
  return text.replace(INVISIBLE, (character, index: number) => {
    if (character === "\n" || isPartOfEmoji(text, character, index)) return character;
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

/** At most `maxLength` UTF-16 units, whole characters, and how many were cut off. */
export function clipped(text: string, maxLength: number): { readonly text: string; readonly cut: number } {
  if (text.length <= maxLength) return { text, cut: 0 };
  const last = text.charCodeAt(maxLength - 1);
  const end = last >= 0xd800 && last < 0xdc00 ? maxLength - 1 : maxLength;
  return { text: text.slice(0, end), cut: text.length - end };
}

/** A name or a short value in one line. */
export function name(text: string, maxLength = 300): Markup {
  const { text: shown, cut } = clipped(text, maxLength);
  return markup`<bdi class="name"
    >${visible(shown)}${cut > 0 && markup`<span class="cut">… ${cut} more characters</span>`}</bdi
  >`;
}
