// Characters that make a reviewer read something else than the compiler does. Cedar files have this check of their own.
import { LineMap } from "../documents/source-text.ts";
import type { TextRule } from "./context.ts";

// Default-ignorable characters (zero-width, bidirectional controls, fillers, tags), other format and control
// characters, line and paragraph separators. Tabs and line ends are text; U+FE0F only selects an emoji's look.
const HIDDEN = /(?!\ufe0f)(?![\t\n\r])[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LATIN = /\p{Script=Latin}/u;
const LOOK_ALIKE = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}]/u;
const WORD = /[\p{L}\p{N}_]+/gu;

export const hiddenCharacters: TextRule = {
  name: "hidden-characters",
  run: (file, text, sink) => {
    if (file.endsWith(".cedar")) return;
    const lines = new LineMap(file, text);
    for (const match of text.matchAll(HIDDEN)) {
      const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      const at = lines.span(match.index, match.index + match[0].length);
      sink.report(
        "SOURCE_HIDDEN_CHARACTER",
        at,
        `the invisible character U+${code}`,
        "remove it, or write it as an escape",
      );
    }
    for (const match of text.matchAll(WORD)) {
      if (!LATIN.test(match[0]) || !LOOK_ALIKE.test(match[0])) continue;
      const at = lines.span(match.index, match.index + match[0].length);
      sink.report(
        "SOURCE_MIXED_SCRIPT",
        at,
        `${JSON.stringify(match[0])} mixes Latin letters with look-alikes`,
      );
    }
  },
};
