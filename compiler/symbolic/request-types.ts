// Values of a declared Cedar type whose parts are unknowns of the request.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { scalar } from "./symbolic-values.ts";
import type { RequestSet, ScalarKind, SymbolicRecord, SymbolicValue } from "./symbolic-values.ts";
import type { SymbolTable } from "./symbol-table.ts";
import { TRUE, and, between, compare, integer, ite, not } from "./terms.ts";
import type { Term } from "./terms.ts";

/** Instants that a date can be written for: years 1 to 9999. */
const FIRST_MS = Date.UTC(2001, 0, 1) - 5 * 146_097 * 86_400_000;
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** Ages beyond this are not told apart; 30,000 years. */
const MAX_DURATION_MS = 1_000_000_000_000_000;

export type Literals = ReadonlyMap<ScalarKind, readonly Term[]>;

/** What reading a value needs. */
export interface TypeReader {
  readonly symbols: SymbolTable;
  readonly literals: Literals;
}

/** The value of a type of the schema in JSON form; `key` names it. */
export function readType(
  type: JsonValue | undefined,
  key: readonly string[],
  reader: TypeReader,
): SymbolicValue {
  if (type === undefined || !isJsonObject(type)) return { kind: "Opaque", what: "an unknown type" };
  const kind = type["type"];
  const name = kind === "EntityOrCommon" || kind === "Extension" ? type["name"] : kind;
  switch (name) {
    case "String":
    case "Bool":
    case "Boolean":
    case "Long":
      return readScalar(name === "Boolean" ? "Bool" : name, key, reader);
    case "datetime":
    case "duration":
      return readTime(name, key, reader);
    case "ipaddr":
      return readAddress(key, reader);
    case "Set":
      return readSet(elementKind(type["element"]), key, reader);
    case "Record":
      return readRecord(type, key, reader);
    default:
      return { kind: "Opaque", what: `a value of type ${String(name)}` };
  }
}

function readScalar(
  kind: "Bool" | "Long" | "String",
  key: readonly string[],
  { symbols }: TypeReader,
): SymbolicValue {
  if (kind !== "Long") return scalar(kind, symbols.unknown(kind, ...key));
  const term = symbols.unknown("Int", ...key);
  // What the gateway hands to a decision as a Long is a safe integer.
  symbols.assert(between(term, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER));
  return scalar(kind, term);
}

function readTime(
  name: "datetime" | "duration",
  key: readonly string[],
  { symbols }: TypeReader,
): SymbolicValue {
  const term = symbols.unknown("Int", ...key);
  const isInstant = name === "datetime";
  symbols.assert(
    isInstant ? between(term, FIRST_MS, LAST_MS) : between(term, -MAX_DURATION_MS, MAX_DURATION_MS),
  );
  return scalar(isInstant ? "DateTime" : "Duration", term);
}

/** One address, never a range. */
function readAddress(key: readonly string[], { symbols }: TypeReader): SymbolicValue {
  const isV6 = symbols.unknown("Bool", ...key, "v6");
  const address = symbols.unknown("Int", ...key, "address");
  symbols.assert(compare(">=", address, integer(0)));
  symbols.assert(compare("<", address, ite(isV6, integer(2n ** 128n), integer(2n ** 32n))));
  return { kind: "Ip", isV6, address, prefix: ite(isV6, integer(128), integer(32)) };
}

function elementKind(element: JsonValue | undefined): "Bool" | "Long" | "String" | undefined {
  const name = element !== undefined && isJsonObject(element) ? element["type"] : undefined;
  return name === "String" || name === "Long" ? name : undefined;
}

/** A set of texts or numbers by its members among the literals; any other is opaque. */
export function readSet(
  element: ScalarKind | undefined,
  key: readonly string[],
  { symbols, literals }: TypeReader,
): RequestSet | { readonly kind: "Opaque"; readonly what: string } {
  if (element !== "String" && element !== "Long") return { kind: "Opaque", what: "a set of this type" };
  return {
    kind: "RequestSet",
    element,
    universe: literals.get(element) ?? [],
    has: (literal) => symbols.unknown("Bool", "member", ...key, literal),
    hasOthers: symbols.unknown("Bool", "other members", ...key),
    key: JSON.stringify(key),
  };
}

export function readRecord(type: JsonObject, key: readonly string[], reader: TypeReader): SymbolicRecord {
  const attributes = isJsonObject(type["attributes"] ?? null) ? (type["attributes"] as JsonObject) : {};
  return {
    kind: "Record",
    member: (name) => {
      const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      if (attribute === undefined) return undefined;
      const path = [...key, name];
      const isOptional = isJsonObject(attribute) && attribute["required"] === false;
      return {
        isPresent: isOptional ? reader.symbols.unknown("Bool", "present", ...path) : TRUE,
        value: readType(attribute, path, reader),
      };
    },
  };
}

/** A record whose members are known values. */
export function fixedRecord(members: ReadonlyMap<string, SymbolicValue>): SymbolicRecord {
  return {
    kind: "Record",
    member: (name) => {
      const value = members.get(name);
      return value === undefined ? undefined : { isPresent: TRUE, value };
    },
  };
}

/** That a value is what the JSON value says, as far as it has terms. Records and sets of JSON member by member. */
export function isValue(value: SymbolicValue, json: JsonValue, literalOf: (json: JsonValue) => Term): Term {
  switch (value.kind) {
    case "Bool":
    case "Long":
    case "String":
      return `(= ${value.term} ${literalOf(json)})`;
    case "RequestSet": {
      const items = (Array.isArray(json) ? (json as readonly JsonValue[]) : []).map(literalOf);
      const members = value.universe.map((literal) =>
        items.includes(literal) ? value.has(literal) : not(value.has(literal)),
      );
      const hasOthers = items.some((item) => !value.universe.includes(item));
      return and(...members, hasOthers ? value.hasOthers : not(value.hasOthers));
    }
    case "Record": {
      const members = isJsonObject(json) ? Object.entries(json) : [];
      return and(
        ...members.map(([name, item]) => {
          const member = value.member(name);
          return member === undefined ? TRUE : isValue(member.value, item, literalOf);
        }),
      );
    }
    default:
      return TRUE;
  }
}
