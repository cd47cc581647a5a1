// The patterns of `.matches`: compiled with the linear-time engine that the gateway uses, and linted.
import { RE2JS } from "re2js";
import type { CedarCode } from "./finding.ts";

/** Longest pattern, in UTF-16 code units. */
export const MAX_PATTERN_LENGTH = 1_000;
/** Largest compiled program, in instructions. */
const MAX_PATTERN_PROGRAM = 2_000;

export interface PatternFinding {
  readonly code: CedarCode;
  readonly message: string;
  readonly help?: string;
}

/** `CEDAR_REGEX_SQL` is advice that an SQL constraint on the same argument answers. */
export const SQL_ADVICE: CedarCode = "CEDAR_REGEX_SQL";

const LEADING_FLAGS = /^(?:\(\?[a-zA-Z-]+\))*/;
const MULTI_LINE = /\(\?[a-ln-zA-Z]*m/;
const ANCHORED = /^(?:\(\?[a-zA-Z-]*:|\(\?P?<\w+>|\((?!\?))*(?:\^|\\A)/;
const SQL_KEYWORD =
  /(?<![A-Za-z])(?:select|insert|update|delete|drop|alter|truncate|create|grant|merge|exec(?:ute)?)(?![A-Za-z])/i;
const URL_SYNTAX = /\\?:(?:\\?\/){2}|^\^?\(?(?:\?:)?(?:https?|wss?|ftp)\b/i;
const PATH_SYNTAX = /^(?:\^|\\A)?(?:\(\??:?)*\\?\/(?:[\w.-]|\\\.)|\\\.\\\.(?:\\?\/|\[)/;
// A pattern that finds each of these finds everything that matters: no letter, digit or sign is common to them.
const UNRELATED_TEXTS: readonly string[] = [
  "",
  "a",
  "0",
  "\n",
  " ",
  "\u{1f600}",
  "Zz9_",
  ";\t,",
  "\u00e9\u00df",
];

/** Lints one pattern. An error entry is alone. */
export function lintPattern(pattern: string): readonly PatternFinding[] {
  const invalid = (message: string, help?: string): readonly PatternFinding[] => [
    { code: "CEDAR_REGEX_INVALID", message, ...(help === undefined ? {} : { help }) },
  ];
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return invalid(`the pattern has more than ${String(MAX_PATTERN_LENGTH)} characters`);
  }
  const compiled = compilePattern(pattern);
  if (typeof compiled === "string") {
    return invalid(
      `the pattern is not RE2 syntax: ${compiled}`,
      "RE2 has no look-around and no back-references.",
    );
  }
  if (compiled.programSize() > MAX_PATTERN_PROGRAM) {
    return invalid("the pattern compiles to too large a program", "Use smaller repeat counts.");
  }
  const findings: PatternFinding[] = [];
  const body = pattern.replace(LEADING_FLAGS, "");
  if (UNRELATED_TEXTS.every((text) => compiled.test(text))) {
    return [
      {
        code: "CEDAR_REGEX_ALWAYS_TRUE",
        message: "the pattern matches every text",
        help: "Anchor it with ^ and $.",
      },
    ];
  }
  if (/^\^?\.\*/.test(body)) {
    findings.push({
      code: "CEDAR_REGEX_PREFIX",
      message: "the pattern begins with .* which changes nothing: .matches searches",
      help: "Leave .* out, or anchor what must come first with ^.",
    });
  } else if (MULTI_LINE.test(pattern)) {
    findings.push({
      code: "CEDAR_REGEX_UNANCHORED",
      message: "with (?m) ^ and $ stand at the ends of every line, not of the text",
      help: "Leave m out, or write \\A and \\z.",
    });
  } else if (!branchesOf(body).every((branch) => ANCHORED.test(branch))) {
    findings.push({
      code: "CEDAR_REGEX_UNANCHORED",
      message: "the pattern may match anywhere in the text",
      help: "Anchor every alternative with ^ (and $); where it may stand anywhere, say so: ^(?s:.)* before it.",
    });
  }
  if (SQL_KEYWORD.test(body)) {
    findings.push({
      code: SQL_ADVICE,
      message:
        "a regular expression over SQL is not a security boundary: it also passes `select 1; drop table t`",
      help: "Add `constraints: <tool>: operations: [SELECT]`, which is decided by a SQL parser.",
    });
  } else if (URL_SYNTAX.test(body)) {
    findings.push({
      code: "CEDAR_REGEX_URL",
      message:
        "a regular expression over a URL is read otherwise than the URL: user information, ports, encodings",
      help: 'Ask for the parts: `.url().host == "example.com"`; in YAML `host` and `schemes`.',
    });
  } else if (PATH_SYNTAX.test(body)) {
    findings.push({
      code: "CEDAR_REGEX_PATH",
      message: "a regular expression over a path does not see `..`, `//` and encodings as the server does",
      help: 'Ask for the resolved path: `.path().normalized like "/srv/public/*"`; in YAML `within`.',
    });
  }
  return findings;
}

/** The alternatives of a pattern that no group encloses. */
function branchesOf(body: string): readonly string[] {
  const branches: string[] = [];
  let start = 0;
  let depth = 0;
  let inClass = false;
  for (let at = 0; at < body.length; at += 1) {
    const character = body[at];
    if (character === "\\") at += 1;
    else if (inClass) inClass = character !== "]";
    else if (character === "[") inClass = true;
    else if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    else if (character === "|" && depth === 0) {
      branches.push(body.slice(start, at));
      start = at + 1;
    }
  }
  return [...branches, body.slice(start)];
}

/** True where `pattern` is found in `text`; the answer of the gateway for the same pair. */
export function searchPattern(pattern: string, text: string): boolean {
  const compiled = compilePattern(pattern);
  return typeof compiled !== "string" && compiled.test(text);
}

function compilePattern(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : "unreadable";
  }
}
