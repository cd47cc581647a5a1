// A satisfiable answer, read by the keys of the unknowns.
import type { Sort, SymbolTable } from "./symbol-table.ts";
import { integerOf, textOfTerm } from "./terms.ts";
import type { Term } from "./terms.ts";

export class Model {
  readonly symbols: SymbolTable;
  readonly #values: ReadonlyMap<Term, Term>;

  constructor(symbols: SymbolTable, values: ReadonlyMap<Term, Term>) {
    this.symbols = symbols;
    this.#values = values;
  }

  #value(sort: Sort, key: readonly string[]): Term | undefined {
    const name = this.symbols.find(sort, ...key);
    return name === undefined ? undefined : this.#values.get(name);
  }

  /** Undefined where nothing was asked about the key. */
  truth(...key: readonly string[]): boolean | undefined {
    const value = this.#value("Bool", key);
    return value === undefined ? undefined : value === "true";
  }

  integer(...key: readonly string[]): bigint | undefined {
    const value = this.#value("Int", key);
    return value === undefined ? undefined : integerOf(value);
  }

  text(...key: readonly string[]): string | undefined {
    const value = this.#value("String", key);
    return value === undefined ? undefined : textOfTerm(value);
  }

  /** The last words of the keys that begin so and are true, where one word is left. */
  trueNames(...start: readonly string[]): readonly string[] {
    const keys = this.symbols.keys("Bool", ...start);
    return keys
      .flatMap(([name, ...more]) =>
        name !== undefined && more.length === 0 && this.truth(...start, name) === true ? [name] : [],
      )
      .sort();
  }

  /** Members of a set of the request: texts or numbers; undefined where nothing was asked about it. */
  members(...key: readonly string[]): readonly (string | number)[] | undefined {
    const others = this.truth("other members", ...key);
    const literals = this.trueNames("member", ...key).map((literal) => {
      const number = integerOf(literal);
      return number === undefined ? textOfTerm(literal) : Number(number);
    });
    if (others === undefined && this.symbols.keys("Bool", "member", ...key).length === 0) return undefined;
    if (others !== true) return literals;
    const isNumeric = this.symbols
      .keys("Bool", "member", ...key)
      .some(([literal]) => literal !== undefined && integerOf(literal) !== undefined);
    const known = this.symbols.keys("Bool", "member", ...key).map(([literal = ""]) => literal);
    return [...literals, isNumeric ? otherNumber(known) : otherText(known)];
  }
}

function otherText(known: readonly Term[]): string {
  const texts = new Set(known.map(textOfTerm));
  let text = "other";
  while (texts.has(text)) text += "x";
  return text;
}

function otherNumber(known: readonly Term[]): number {
  const numbers = known.map((literal) => Number(integerOf(literal) ?? 0n));
  return Math.max(0, ...numbers) + 1;
}
