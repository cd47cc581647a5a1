// A wrong encoding, as a mistake would make it, of each operator that proofs are made with; at least one for each.
import { ENCODINGS } from "../../../../compiler/symbolic/encodings.ts";
import type { Encoding, EncodingTable } from "../../../../compiler/symbolic/encodings.ts";
import { scalar } from "../../../../compiler/symbolic/symbolic-values.ts";
import type { Evaluated } from "../../../../compiler/symbolic/symbolic-values.ts";
import { FALSE, and, not, or } from "../../../../compiler/symbolic/terms.ts";

export interface PlantedEncoding {
  readonly what: string;
  readonly table: EncodingTable;
}

function sound(name: string): Encoding {
  const encoding = ENCODINGS.operators[name];
  if (encoding === undefined) throw new Error(`there is no ${name}`);
  return encoding;
}

function operator(name: string, what: string, encoding: Encoding): PlantedEncoding {
  return {
    what: `${name}: ${what}`,
    table: { ...ENCODINGS, operators: { ...ENCODINGS.operators, [name]: encoding } },
  };
}

const swapped = (name: string, instead: string): PlantedEncoding =>
  operator(name, `is ${instead}`, sound(instead));

const inverted = (name: string): PlantedEncoding =>
  operator(name, "inverted", (operands, world) => {
    const made: Evaluated = sound(name)(operands, world);
    return "term" in made.value ? { ...made, value: scalar("Bool", not(made.value.term)) } : made;
  });

/** The error of the operator is forgotten. */
const unfailing = (name: string): PlantedEncoding =>
  operator(name, "never fails", (operands, world) => ({ ...sound(name)(operands, world), fails: FALSE }));

const BOOLEANS = [
  "!",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "in",
  "isEmpty",
  "contains",
  "containsAll",
  "containsAny",
];
const FUNCTIONS = [
  ...["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"],
  ...["isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange"],
];

export const PLANTED_ENCODINGS: readonly PlantedEncoding[] = [
  ...[...BOOLEANS, ...FUNCTIONS].map(inverted),
  swapped("<", "<="),
  swapped("<=", "<"),
  swapped(">", ">="),
  swapped(">=", ">"),
  swapped("lessThan", "lessThanOrEqual"),
  swapped("greaterThanOrEqual", "greaterThan"),
  swapped("+", "-"),
  swapped("-", "+"),
  swapped("*", "+"),
  swapped("containsAll", "containsAny"),
  swapped("containsAny", "containsAll"),
  swapped("isLoopback", "isIpv4"),
  unfailing("+"),
  unfailing("-"),
  unfailing("*"),
  operator("neg", "identity", ([operand]) => ({
    value: operand ?? scalar("Long", "0"),
    fails: FALSE,
  })),
  operator("toTime", "the time since 1970", ([operand]) => ({
    value: scalar("Duration", operand !== undefined && "term" in operand ? operand.term : "0"),
    fails: FALSE,
  })),
  operator("toDate", "identity", ([operand]) => ({
    value: operand ?? scalar("DateTime", "0"),
    fails: FALSE,
  })),
  operator("offset", "identity", ([operand]) => ({
    value: operand ?? scalar("DateTime", "0"),
    fails: FALSE,
  })),
  operator("durationSince", "the other way round", (operands, world) =>
    sound("durationSince")(operands.toReversed(), world),
  ),
  swapped("toHours", "toMinutes"),
  { what: "&&: is ||", table: { ...ENCODINGS, rows: { ...ENCODINGS.rows, "&&": or } } },
  { what: "||: is &&", table: { ...ENCODINGS, rows: { ...ENCODINGS.rows, "||": and } } },
  {
    what: "if-then-else: branches swapped",
    table: { ...ENCODINGS, choice: (test, then, otherwise) => ENCODINGS.choice(test, otherwise, then) },
  },
  {
    what: "like: without its last piece",
    table: { ...ENCODINGS, like: (term, pieces) => ENCODINGS.like(term, [...pieces.slice(0, -1), ""]) },
  },
  { what: "like: always", table: { ...ENCODINGS, like: () => "true" } },
];
