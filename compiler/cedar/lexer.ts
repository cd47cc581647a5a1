// Tokens of Cedar source text, with UTF-16 offsets. It accepts a superset of Cedar: the engine has the last word on
// syntax, and this lexer exists for what must be known before the engine sees a text.

export type TokenKind = "identifier" | "number" | "string" | "slot" | "symbol" | "unknown";

export interface Token {
  readonly kind: TokenKind;
  /** Source text, except for a string: its value with escapes resolved. */
  readonly value: string;
  /** UTF-16 offsets, end exclusive. */
  readonly start: number;
  readonly end: number;
}

const SPACE_OR_COMMENT = /(?:[\t\n\r\f\v ]|\/\/[^\n\r]*)+/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+/y;
const SLOT = /\?[A-Za-z_][A-Za-z0-9_]*/y;
const STRING = /"(?:\\[^]|[^"\\])*"/y;
const SYMBOL = /::|==|!=|<=|>=|&&|\|\||[@.,;(){}[\]:+\-*!<>=?&|%/]/y;
const ESCAPE = /\\(?:u\{([0-9A-Fa-f]{1,6})\}|x([0-7][0-9A-Fa-f])|([^]))/g;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["0", "\0"],
]);
const RULES: readonly (readonly [TokenKind, RegExp])[] = [
  ["identifier", IDENTIFIER],
  ["string", STRING],
  ["number", NUMBER],
  ["slot", SLOT],
  ["symbol", SYMBOL],
];

/** The tokens of `text`; comments and white space are left out. Never throws: what is no token is `unknown`. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    SPACE_OR_COMMENT.lastIndex = at;
    if (SPACE_OR_COMMENT.test(text)) {
      at = SPACE_OR_COMMENT.lastIndex;
      continue;
    }
    const token = readToken(text, at);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function readToken(text: string, start: number): Token {
  for (const [kind, pattern] of RULES) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match === null) continue;
    const end = start + match[0].length;
    return { kind, value: kind === "string" ? unescapeString(match[0]) : match[0], start, end };
  }
  // An unterminated string swallows the rest: nothing after it can be told apart from its content.
  const end = text[start] === '"' ? text.length : start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
  return { kind: "unknown", value: text.slice(start, end), start, end: Math.min(end, text.length) };
}

/** The value of a Cedar string literal, quotes included. An escape that Cedar does not know is kept as written. */
function unescapeString(literal: string): string {
  return literal
    .slice(1, -1)
    .replace(
      ESCAPE,
      (whole, unicode: string | undefined, hex: string | undefined, simple: string | undefined) => {
        const digits = unicode ?? hex;
        if (digits !== undefined) {
          const code = Number.parseInt(digits, 16);
          return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
        }
        return SIMPLE_ESCAPES.get(simple ?? "") ?? simple ?? whole;
      },
    );
}

export function isSymbol(token: Token | undefined, value: string): boolean {
  return token?.kind === "symbol" && token.value === value;
}

export function isIdentifier(token: Token | undefined, value: string): boolean {
  return token?.kind === "identifier" && token.value === value;
}
