// What the solver prints: sat with values, unsat, or anything else, which counts as no answer.
import type { Term } from "./terms.ts";

export type Answer =
  | { readonly kind: "sat"; readonly values: ReadonlyMap<Term, Term> }
  | { readonly kind: "unsat" }
  | { readonly kind: "unknown"; readonly reason: string };

/** Reads the output of `(check-sat)` and `(get-value …)`. Never throws. */
export function readAnswer(output: string, names: readonly Term[]): Answer {
  const [first = "", ...rest] = output.trimStart().split("\n");
  // Asking for values of what cannot be satisfied is an error, behind the answer.
  if (first === "unsat") return { kind: "unsat" };
  if (first !== "sat")
    return { kind: "unknown", reason: first === "unknown" ? "no answer" : "a question it refused" };
  const values = pairs(rest.join("\n"));
  if (!names.every((name) => values.has(name)))
    return { kind: "unknown", reason: "an answer without values" };
  return { kind: "sat", values };
}

const TOKEN = /"(?:[^"]|"")*"|[()]|[^\s()"]+/gu;

/** The pairs of `((x0 true) (x1 (- 5)))`. */
function pairs(text: string): ReadonlyMap<Term, Term> {
  const found = new Map<Term, Term>();
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  let own: string[] = [];
  for (const token of tokens) {
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    if (depth === 1 && token === ")" && own.length > 1) {
      const [name = "", ...value] = own;
      found.set(name, joined(value));
      own = [];
    } else if (depth >= 2 && !(depth === 2 && token === "(")) own.push(token);
  }
  return found;
}

function joined(tokens: readonly string[]): Term {
  return tokens.reduce((text, token) => {
    const isTight = text === "" || text.endsWith("(") || token === ")";
    return isTight ? text + token : `${text} ${token}`;
  }, "");
}
