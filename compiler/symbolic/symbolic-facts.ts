// Derived facts as terms. A fact that the solver cannot compute is an unknown, the same on both sides where the same is
// derived from the same value; what it is of the literals that the policies name is computed by the gateway's own code.
import { canonicalJson } from "#bundle";
import type { Derivation } from "#bundle";
import { UNKNOWN_SQL, compileMatcher, textFact } from "#facts";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { RawArguments } from "./raw-arguments.ts";
import { isValue, readType } from "./request-types.ts";
import type { TypeReader } from "./request-types.ts";
import type { SymbolTable } from "./symbol-table.ts";
import { scalar } from "./symbolic-values.ts";
import type { SymbolicRecord, SymbolicValue } from "./symbolic-values.ts";
import {
  FALSE,
  TRUE,
  and,
  equal,
  implies,
  integer,
  isLiteral,
  ite,
  not,
  or,
  text,
  textOfTerm,
} from "./terms.ts";
import type { Term } from "./terms.ts";

/** Where derivations read. */
export interface FactInputs {
  readonly context: SymbolicRecord;
  readonly principal: SymbolicRecord;
  readonly raw: RawArguments;
  readonly reader: TypeReader;
}

interface Input {
  readonly value: SymbolicValue | undefined;
  readonly isPresent: Term;
}

/** `context._m` and `context._d`. `types`: the attributes of `_d` in the schema. */
export function symbolicFacts(
  derivations: readonly Derivation[],
  types: JsonObject,
  inputs: FactInputs,
): { readonly _m: SymbolicRecord; readonly _d: SymbolicRecord } {
  const facts = new Map(derivations.map((item) => [item.name, item]));
  const made = new Map<string, SymbolicValue>();
  const memberOf = (name: string, isMatch: boolean): ReturnType<SymbolicRecord["member"]> => {
    const derivation = facts.get(name);
    if (derivation === undefined || (derivation.kind === "matches") !== isMatch) return undefined;
    const value = made.get(name) ?? factOf(derivation, types[name], inputs);
    made.set(name, value);
    return { isPresent: TRUE, value };
  };
  return {
    _m: { kind: "Record", member: (name) => memberOf(name, true) },
    _d: { kind: "Record", member: (name) => memberOf(name, false) },
  };
}

/** Facts of texts of any length. */
const OF_ANY_LENGTH: ReadonlySet<Derivation["kind"]> = new Set([
  "count",
  "length",
  "range",
  "sql",
  "sqlNames",
]);

/**
 * Where no text is too long for the facts that a side derives from it: the gateway refuses such a call. Which texts are
 * is left open, the same for every side that derives a fact of the place.
 */
export function canDerive(derivations: readonly Derivation[], symbols: SymbolTable): Term {
  const bounded = derivations.filter(({ kind }) => !OF_ANY_LENGTH.has(kind));
  return and(
    ...bounded.map((item) => {
      const within = item.kind === "every" ? ["elements", ...item.element] : [];
      return symbols.unknown("Bool", "can be judged", JSON.stringify(item.path), ...within);
    }),
  );
}

function inputAt(path: readonly string[], { context, principal }: FactInputs): Input {
  const isPrincipal = path[0] === "principal";
  let value: SymbolicValue | undefined = isPrincipal ? principal : context;
  let isPresent: Term = TRUE;
  for (const name of isPrincipal ? path.slice(1) : path) {
    const member: ReturnType<SymbolicRecord["member"]> =
      value.kind === "Record" ? value.member(name) : undefined;
    if (member === undefined) return { value: undefined, isPresent: FALSE };
    isPresent = and(isPresent, member.isPresent);
    value = member.value;
  }
  return { value, isPresent };
}

/** What a fact is called: what it is derived from and how, not the name it stands under. */
function factKey(derivation: Derivation): readonly string[] {
  if (derivation.kind === "matches") return ["matches", derivation.pattern, ...derivation.path];
  const { name: _name, ...how } = derivation;
  return ["fact", canonicalJson(how as unknown as JsonObject)];
}

function factOf(derivation: Derivation, type: JsonValue | undefined, inputs: FactInputs): SymbolicValue {
  const { reader } = inputs;
  const input = inputAt(derivation.path, inputs);
  const string = input.value?.kind === "String" ? input.value.term : undefined;
  const onText = string === undefined ? FALSE : input.isPresent;
  if (derivation.kind === "length")
    return scalar("Long", string === undefined ? integer(0) : ite(onText, `(str.len ${string})`, integer(0)));
  if (derivation.kind === "count" && derivation.path[0] === "arguments") {
    const count = inputs.raw.count(derivation.path.slice(1));
    return scalar("Long", ite(input.isPresent, count, integer(0)));
  }
  // What is no text here may be one on the other side: this side's answer then says nothing of the other's.
  const key = [...factKey(derivation), ...(string === undefined ? ["of no text"] : [])];
  const value =
    derivation.kind === "matches"
      ? scalar("Bool", reader.symbols.unknown("Bool", ...key))
      : readType(type, key, reader);
  const say = (where: Term, json: JsonValue | undefined): void => {
    if (json !== undefined) reader.symbols.assert(implies(where, isValue(value, json, literalTerm)));
  };
  say(not(onText), factOfText(derivation, undefined));
  if (string !== undefined) {
    const named = isLiteral(string) ? [string] : (reader.literals.get("String") ?? []);
    for (const literal of named)
      say(and(onText, equal(string, literal)), factOfText(derivation, textOfTerm(literal)));
  }
  return value;
}

/** The fact of a text, or of no text at all; undefined where it is not computed here. */
function factOfText(derivation: Derivation, value: string | undefined): JsonValue | undefined {
  switch (derivation.kind) {
    case "matches":
      return value === undefined ? false : compileMatcher(derivation.pattern)(value);
    case "url":
    case "path":
    case "email":
    case "lower": {
      const answer = textFact(derivation.kind, value);
      return answer.ok ? answer.fact : undefined;
    }
    case "sql":
      return value === undefined ? { ...UNKNOWN_SQL } : undefined;
    default:
      return undefined;
  }
}

/** A scalar of JSON as a term. */
function literalTerm(json: JsonValue): Term {
  if (typeof json === "string") return text(json);
  return typeof json === "number" ? integer(json) : String(json);
}

/** That the facts are these wherever the text they are derived from is this one: what deciding a call has shown. */
export function observedFact(
  derivation: Derivation,
  type: JsonValue | undefined,
  observed: { readonly value: string; readonly fact: JsonValue },
  inputs: FactInputs,
): Term {
  const input = inputAt(derivation.path, inputs);
  if (input.value?.kind !== "String") return TRUE;
  const value =
    derivation.kind === "matches"
      ? scalar("Bool", inputs.reader.symbols.unknown("Bool", ...factKey(derivation)))
      : readType(type, factKey(derivation), inputs.reader);
  const isIt = and(input.isPresent, equal(input.value.term, text(observed.value)));
  return or(not(isIt), isValue(value, observed.fact, literalTerm));
}

/** Attributes of a record type in JSON form. */
export function attributesOf(type: JsonValue | undefined): JsonObject {
  const attributes = type !== undefined && isJsonObject(type) ? type["attributes"] : undefined;
  return attributes !== undefined && isJsonObject(attributes) ? attributes : {};
}
