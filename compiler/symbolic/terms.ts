// Terms of SMT-LIB 2.6 as text, with constants folded so that what is certain costs the solver nothing.
// https://smt-lib.org/papers/smt-lib-reference-v2.6-r2021-05-12.pdf

/** A term in SMT-LIB's concrete syntax. */
export type Term = string;

export const TRUE: Term = "true";
export const FALSE: Term = "false";

/** Why an expression has no term: the construct, for people. */
export class OutsideFragment extends Error {
  readonly construct: string;
  constructor(construct: string) {
    super(construct);
    this.construct = construct;
  }
}

export function not(term: Term): Term {
  if (term === TRUE) return FALSE;
  if (term === FALSE) return TRUE;
  return term.startsWith("(not ") ? term.slice(5, -1) : `(not ${term})`;
}

export function and(...terms: readonly Term[]): Term {
  if (terms.includes(FALSE)) return FALSE;
  return row("and", terms, TRUE);
}

export function or(...terms: readonly Term[]): Term {
  if (terms.includes(TRUE)) return TRUE;
  return row("or", terms, FALSE);
}

function row(operator: string, terms: readonly Term[], neutral: Term): Term {
  const rest = [...new Set(terms.filter((term) => term !== neutral))];
  return rest.length <= 1 ? (rest[0] ?? neutral) : `(${operator} ${rest.join(" ")})`;
}

export function implies(left: Term, right: Term): Term {
  return or(not(left), right);
}

export function ite(test: Term, then: Term, otherwise: Term): Term {
  if (test === TRUE || then === otherwise) return then;
  return test === FALSE ? otherwise : `(ite ${test} ${then} ${otherwise})`;
}

const LITERAL = /^(?:true|false|[0-9]+|\(- [0-9]+\)|"(?:[^"]|"")*")$/u;

/** True for a number, a text or a truth value. */
export function isLiteral(term: Term): boolean {
  return LITERAL.test(term);
}

export function equal(left: Term, right: Term): Term {
  if (left === right) return TRUE;
  if (isLiteral(left) && isLiteral(right)) return FALSE;
  if (left === TRUE) return right;
  if (right === TRUE) return left;
  if (left === FALSE) return not(right);
  return right === FALSE ? not(left) : `(= ${left} ${right})`;
}

export function integer(value: bigint | number): Term {
  const exact = BigInt(value);
  return exact < 0n ? `(- ${-exact})` : `${exact}`;
}

/** The number that a literal term writes; undefined for any other term. */
export function integerOf(term: Term): bigint | undefined {
  const match = /^(?:\(- ([0-9]+)\)|([0-9]+))$/u.exec(term);
  if (match === null) return undefined;
  return match[1] === undefined ? BigInt(match[2] ?? 0) : -BigInt(match[1]);
}

export type Comparison = "<" | "<=" | ">" | ">=";

export function compare(operator: Comparison, left: Term, right: Term): Term {
  const [a, b] = [integerOf(left), integerOf(right)];
  if (a === undefined || b === undefined) return `(${operator} ${left} ${right})`;
  const order = a < b ? -1 : a > b ? 1 : 0;
  const holds = { "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0 };
  return holds[operator] ? TRUE : FALSE;
}

/** First and last number of a range, both inside. */
export function between(term: Term, least: bigint | number, most: bigint | number): Term {
  return and(compare("<=", integer(least), term), compare("<=", term, integer(most)));
}

/** Z3 knows characters up to this code point. */
const MAX_CODE_POINT = 0x2ffff;

/** @throws {OutsideFragment} for an unpaired surrogate, and for a character that the solver does not know */
export function text(value: string): Term {
  if (!value.isWellFormed()) throw new OutsideFragment("a text with an unpaired surrogate");
  const characters = Array.from(value, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code > MAX_CODE_POINT) throw new OutsideFragment("a character above U+2FFFF");
    if (character === '"') return '""';
    return code < 0x20 || code > 0x7e || character === "\\" ? `\\u{${code.toString(16)}}` : character;
  });
  return `"${characters.join("")}"`;
}

/** The text that a literal term writes, as the solver writes it or as `text` does. */
export function textOfTerm(term: Term): string {
  return term
    .slice(1, -1)
    .replaceAll('""', '"')
    .replace(/\\u\{([0-9a-fA-F]+)\}|\\u([0-9a-fA-F]{4})/gu, (_whole, braced?: string, plain?: string) =>
      String.fromCodePoint(Number.parseInt(braced ?? plain ?? "0", 16)),
    );
}
