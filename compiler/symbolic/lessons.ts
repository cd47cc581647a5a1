// What a call that came out otherwise than the solver said teaches: which facts its texts really have.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { compileMatcher } from "#facts";
import { derivationsOf } from "./realise.ts";
import { memberAt } from "./build-arguments.ts";
import type { Question } from "./question.ts";
import type { SymbolicCall, Verdicts } from "./replay-sides.ts";
import { observedFact } from "./symbolic-facts.ts";
import { FALSE, OutsideFragment, TRUE, and, equal, implies, text } from "./terms.ts";
import type { Term } from "./terms.ts";

/** Terms that hold of every request and that the last answer may contradict; empty where there is nothing to learn. */
export function lessonsOf(
  question: Question,
  { call, verdicts }: { readonly call: SymbolicCall; readonly verdicts: Verdicts },
): readonly Term[] {
  const context = verdicts.verdict?.query?.context;
  const terms = [
    ...schemaPatterns(question, call),
    ...(context === undefined ? [] : facts(question, call, context)),
  ];
  return [...new Set(terms)].filter((term) => term !== TRUE && term !== FALSE);
}

function facts(question: Question, call: SymbolicCall, context: JsonObject): readonly Term[] {
  const { inputs, factTypes } = question.head;
  return derivationsOf(question).flatMap((derivation) => {
    const { name, path, kind } = derivation;
    const value =
      path[0] === "principal"
        ? memberAt({ ...call.principal.attributes }, path.slice(1))
        : memberAt(context, path);
    const group = context[kind === "matches" ? "_m" : "_d"];
    const fact: JsonValue | undefined = group !== undefined && isJsonObject(group) ? group[name] : undefined;
    if (typeof value !== "string" || fact === undefined) return [];
    return attempt(() => observedFact(derivation, factTypes[name], { value, fact }, inputs));
  });
}

/** Patterns of the schema on the texts of the call. */
function schemaPatterns({ head, symbols }: Question, { arguments: args }: SymbolicCall): readonly Term[] {
  const { raw } = head.inputs;
  return symbols.keys("Bool", "matches").flatMap(([pattern = "", root, ...path]) => {
    const value = root === "arguments" ? memberAt(args, path) : undefined;
    const term = symbols.find("Bool", "matches", pattern, root ?? "", ...path);
    if (typeof value !== "string" || term === undefined) return [];
    return attempt(() =>
      implies(
        and(raw.is(path, "string"), equal(raw.text(path), text(value))),
        equal(term, String(compileMatcher(pattern)(value))),
      ),
    );
  });
}

/** Nothing is learned from a text that has no term. */
function attempt(make: () => Term): readonly Term[] {
  try {
    return [make()];
  } catch (fault) {
    if (fault instanceof OutsideFragment) return [];
    throw fault;
  }
}
