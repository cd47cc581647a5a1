// What the interpreter does not have, in one table, and the two ways it says so: for a slice while it is compiled, and
// for one request.

/** Every construct that stays with cedar-wasm. The key is the reason that `UnsupportedConstruct` carries. */
export const UNSUPPORTED = Object.freeze({
  operator:
    "an operator, function, variable or slot that the operator table does not have (`unknown`, templates)",
  arity: "an extension function with a wrong number of arguments; the strict validator refuses it",
  form: "a policy in a JSON form that cedar-wasm refuses too",
  literal:
    "a literal that has no exact JavaScript form, and extension values inside a literal that are computed",
  namespace: "a schema with namespaces",
  schema: "a schema that does not declare the action, its context, or a type it names",
  "open record": "a record type with additional attributes (not in the strict validator's language)",
  "reserved name": "an attribute named `__entity`, `__extn` or `__expr`",
  "deep type": "types nested more than 64 levels deep",
  "action attributes": "actions with attributes or in a hierarchy over several types",
  "server entity": "a server entity that does not fit the schema: cedar-wasm refuses every request",
});

export type UnsupportedReason = keyof typeof UNSUPPORTED;

/** A construct outside the interpreter's tables: the slice that has it stays with cedar-wasm. */
export class UnsupportedConstruct extends Error {
  readonly reason: UnsupportedReason;
  constructor(reason: UnsupportedReason, detail = "") {
    super(detail === "" ? UNSUPPORTED[reason] : `${UNSUPPORTED[reason]}: ${detail}`);
    this.reason = reason;
  }
}

/**
 * A request value in one of Cedar JSON's rare forms (computed extension values, more values than one query may have).
 * The projection never writes one; cedar-wasm decides that one request.
 */
export class ReferenceOnly extends Error {}
