// The unknowns of one question to the solver: one for each thing a request can say, by a key, so that both sides of a
// comparison speak of the same request.
import type { Term } from "./terms.ts";
import { TRUE } from "./terms.ts";

export type Sort = "Bool" | "Int" | "String";

export interface Unknown {
  readonly name: Term;
  readonly sort: Sort;
}

/** Keys are JSON texts: a path, and what is asked of it. */
export class SymbolTable {
  readonly #unknowns = new Map<string, Unknown>();
  readonly #assertions = new Set<Term>();

  /** The unknown of a key; the same one whenever it is asked for. */
  unknown(sort: Sort, ...key: readonly string[]): Term {
    const id = JSON.stringify([sort, ...key]);
    const known = this.#unknowns.get(id);
    if (known !== undefined) return known.name;
    const made: Unknown = { name: `x${String(this.#unknowns.size)}`, sort };
    this.#unknowns.set(id, made);
    return made.name;
  }

  /** The name of an unknown that was asked for; undefined otherwise. */
  find(sort: Sort, ...key: readonly string[]): Term | undefined {
    return this.#unknowns.get(JSON.stringify([sort, ...key]))?.name;
  }

  /** Something that holds of every request. */
  assert(term: Term): void {
    if (term !== TRUE) this.#assertions.add(term);
  }

  /** The keys that begin with these words, without the sort and them. */
  keys(sort: Sort, ...start: readonly string[]): readonly (readonly string[])[] {
    return [...this.#unknowns.keys()].flatMap((id) => {
      const [own, ...key] = JSON.parse(id) as string[];
      return own === sort && start.every((word, index) => word === key[index])
        ? [key.slice(start.length)]
        : [];
    });
  }

  get unknowns(): readonly Unknown[] {
    return [...this.#unknowns.values()];
  }

  /** Declarations and assertions in the order they were made. */
  script(): string {
    const declared = this.unknowns.map(({ name, sort }) => `(declare-const ${name} ${sort})`);
    return [...declared, ...[...this.#assertions].map((term) => `(assert ${term})`)].join("\n");
  }
}
