// ECMA-262 regular expressions, which JSON Schema patterns are, written as RE2 syntax with the same meaning.
import { RE2JS } from "re2js";

// ECMA-262 white space and line terminators; RE2 knows only five of them.
const SPACE_MEMBERS =
  "\\t\\n\\x0b\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
const ANY_BUT_LINE_END = "[^\\n\\r\\x{2028}\\x{2029}]";

/**
 * The RE2 form of `pattern`. Constructs that RE2 cannot express (look-around, back-references) are left as they are:
 * compiling the result reports them.
 */
export function toRe2(pattern: string): string {
  const braced = pattern.replace(/\\u\{([0-9a-fA-F]{1,6})\}/g, (_, digits: string) => `\\x{${digits}}`);
  return widenClasses(RE2JS.translateRegExp(braced));
}

function widenClasses(source: string): string {
  let result = "";
  let inClass = false;
  for (let index = 0; index < source.length; index += 1) {
    const unit = source.charAt(index);
    if (unit === "\\") {
      const escaped = source.charAt(index + 1);
      index += 1;
      if (escaped === "s") result += inClass ? SPACE_MEMBERS : `[${SPACE_MEMBERS}]`;
      else if (escaped === "S" && !inClass) result += `[^${SPACE_MEMBERS}]`;
      else result += unit + escaped;
      continue;
    }
    if (unit === "[" && !inClass) inClass = true;
    else if (unit === "[") {
      // RE2 would read `[[:alpha:]]` as a POSIX class; in ECMA-262 the bracket is a member.
      result += "\\[";
      continue;
    } else if (unit === "]") inClass = false;
    result += unit === "." && !inClass ? ANY_BUT_LINE_END : unit;
  }
  return result;
}
