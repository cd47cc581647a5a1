// Splits a command line into program and arguments. No shell runs: nothing in the text is expanded or chained.
import { ReleaseToolError } from "./release-error.ts";

const MAX_COMMAND_LENGTH = 16 * 1024;

/** One word at a time: blanks, then quoted and plain parts that stand together. */
const PART = /'([^']*)'|"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"|\\([^])|([^\s'"\\]+)/uy;

/**
 * Words of a command line. Blanks separate; `'…'` keeps everything, `"…"` everything but `\"` and `\\`, and a backslash
 * outside quotes the next character. `$`, `*`, `|`, `;` and the like have no meaning. Throws RELEASE_INPUT_INVALID.
 */
export function splitCommand(text: string): readonly [string, ...string[]] {
  if (text.length > MAX_COMMAND_LENGTH) throw invalid("it is too long");
  if (text.includes("\0")) throw invalid("it holds a NUL character");
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/u.test(text.charAt(at))) at += 1;
    if (at >= text.length) break;
    const { word, end } = readWord(text, at);
    words.push(word);
    at = end;
  }
  const [program, ...args] = words;
  if (program === undefined || program === "") throw invalid("it names no program");
  return [program, ...args];
}

function readWord(text: string, start: number): { readonly word: string; readonly end: number } {
  let word = "";
  let at = start;
  while (at < text.length && !/\s/u.test(text.charAt(at))) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) throw invalid("a quote or a backslash is not closed");
    const [whole, single, double, escaped, plain] = part;
    word += single ?? double?.replace(/\\(["\\])/gu, "$1") ?? escaped ?? plain ?? "";
    at += whole.length;
  }
  return { word, end: at };
}

function invalid(reason: string): ReleaseToolError {
  return new ReleaseToolError("RELEASE_INPUT_INVALID", `the signer command cannot be read: ${reason}`);
}
