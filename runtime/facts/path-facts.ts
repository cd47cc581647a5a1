// Facts about a file path, by its text alone: nothing is looked up. Only a spelling that POSIX and Windows, and tools
// that decode or normalise, read alike is judged; everything else is not `ok`.

import { normalizeStreamSafe } from "#std";
import { isDisguisedDotSegment } from "./dot-segments.ts";

/** `R.path()`. What is not `ok` has empty members. */
export interface PathFacts {
  readonly ok: boolean;
  /** `.`, `..` and repeated slashes resolved, no slash at the end: `/srv/data`, `docs/a.txt`, `.`, `/`. */
  readonly normalized: string;
  readonly isAbsolute: boolean;
  /** Of the last segment, lower case, without the dot; empty where it has none. */
  readonly extension: string;
}

/** Facts about text that is no path. */
export const UNKNOWN_PATH: PathFacts = { ok: false, normalized: "", isAbsolute: false, extension: "" };

/** UTF-16 code units: PATH_MAX of Linux. */
const MAX_PATH_LENGTH = 4_096;
// Controls with NUL, format characters, lone surrogates, line separators; the separator of Windows.
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\\]/u;
// An encoded dot, slash, backslash, NUL or percent sign: another layer may decode it.
const ENCODED = /%(?:2e|2f|5c|00|25)/i;
// `~/x`, `~user`; `C:` and every URI scheme; `//server/share`.
const SPECIAL_START = /^(?:~|[A-Za-z][A-Za-z0-9+.-]*:|\/\/)/;
// Characters that compatibility normalisation turns into a dot or a separator, such as U+FF0F and U+2024.
const NORMALISING = /\P{ASCII}/gu;
const SEPARATOR_LIKE: ReadonlySet<string> = new Set([".", "..", "/", "\\", ":", "~"]);

function isJudgeable(text: string): boolean {
  if (text === "" || text.length > MAX_PATH_LENGTH) return false;
  if (UNSAFE.test(text) || ENCODED.test(text) || SPECIAL_START.test(text)) return false;
  if (normalizeStreamSafe(text, "NFC") !== text) return false;
  const foreign = text.match(NORMALISING) ?? [];
  return foreign.every((character) => !SEPARATOR_LIKE.has(character.normalize("NFKC")));
}

/** The segments with `.` and `..` resolved; undefined where `..` leads out, or a segment means another on Windows. */
function resolve(segments: readonly string[]): readonly string[] | undefined {
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      if (resolved.pop() === undefined) return undefined;
      continue;
    }
    if (isDisguisedDotSegment(segment)) return undefined;
    // Windows drops dots and spaces at the end of a name.
    if (/[. ]$/.test(segment) || segment.trim() === "") return undefined;
    resolved.push(segment);
  }
  return resolved;
}

/**
 * Facts about one path. Not `ok`: empty or of more than 4,096 characters; `..` above the start; backslash, NUL and other control characters; a leading
 * `~`, `//`, drive letter or URI scheme; percent-encoded dots and slashes; text that is not NFC, or whose compatibility
 * form has other separators; `..;x`; a name that ends in a dot or space. Symbolic links are not seen. Never throws.
 */
export function readPath(text: string): PathFacts {
  if (!isJudgeable(text)) return UNKNOWN_PATH;
  const isAbsolute = text.startsWith("/");
  const segments = resolve(text.split("/"));
  if (segments === undefined) return UNKNOWN_PATH;
  const joined = segments.join("/");
  const last = segments.at(-1) ?? "";
  const dot = last.lastIndexOf(".");
  return {
    ok: true,
    normalized: isAbsolute ? `/${joined}` : joined === "" ? "." : joined,
    isAbsolute,
    extension: dot > 0 ? last.slice(dot + 1).toLowerCase() : "",
  };
}
