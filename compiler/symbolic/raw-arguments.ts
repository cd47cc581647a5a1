// The arguments of a call as unknowns: at each place the kind of JSON value that stands there, and the value. Both sides
// of a question read the same raw arguments, each through its own schema.
import { resolveProjection, visibleAttributes } from "#schema";
import type { ResolvedProjection } from "#schema";
import type { CedarProjection, SchemaNode, SchemaProgram } from "#bundle";
import { readSet } from "./request-types.ts";
import type { TypeReader } from "./request-types.ts";
import { scalar } from "./symbolic-values.ts";
import type { SymbolicRecord, SymbolicValue } from "./symbolic-values.ts";
import {
  OutsideFragment,
  TRUE,
  and,
  between,
  compare,
  equal,
  implies,
  integer,
  ite,
  not,
  or,
} from "./terms.ts";
import type { Term } from "./terms.ts";

/** Kinds of JSON values by number. `decimal`: exact in four places; `number`: any other. `null` stands below values. */
export const KINDS = {
  absent: 0,
  null: 1,
  boolean: 2,
  integer: 3,
  decimal: 4,
  number: 5,
  string: 6,
  array: 7,
  object: 8,
} as const;
export type Kind = keyof typeof KINDS;

const ROOT = "arguments";
const UNITS = 10_000;
/** Decimals that 64 bits of ten-thousandths hold. */
const MAX_UNITS = 2n ** 63n - 1n;

const MAX_SHAPE_DEPTH = 16;

export interface ProjectedArguments {
  readonly record: SymbolicRecord;
  /** Where the side can represent the values: each is of the projected kind. */
  readonly accepts: Term;
}

/** The places of one call's arguments. */
export class RawArguments {
  readonly reader: TypeReader;
  readonly #elementTypes = new Map<string, "Long" | "String">();

  constructor(reader: TypeReader) {
    this.reader = reader;
  }

  /** The kind of value at a place, as a number of `KINDS`. */
  kind(path: readonly string[]): Term {
    if (path.length === 0) return integer(KINDS.object);
    const { symbols } = this.reader;
    const known = symbols.find("Int", "kind", ...path);
    if (known !== undefined) return known;
    const kind = symbols.unknown("Int", "kind", ...path);
    symbols.assert(between(kind, KINDS.absent, KINDS.object));
    symbols.assert(implies(this.isPresent(path), this.is(path.slice(0, -1), "object")));
    return kind;
  }

  is(path: readonly string[], kind: Kind): Term {
    return equal(this.kind(path), integer(KINDS[kind]));
  }

  /** In the object, null included. */
  isPresent(path: readonly string[]): Term {
    return not(this.is(path, "absent"));
  }

  text(path: readonly string[]): Term {
    return this.reader.symbols.unknown("String", "text", ...path);
  }

  flag(path: readonly string[]): Term {
    return this.reader.symbols.unknown("Bool", "flag", ...path);
  }

  integer(path: readonly string[]): Term {
    return this.reader.symbols.unknown("Int", "integer", ...path);
  }

  /** Ten-thousandths of what stands there as an integer or a decimal. */
  units(path: readonly string[]): Term {
    const { symbols } = this.reader;
    const exact = symbols.unknown("Int", "decimal", ...path);
    symbols.assert(not(equal(`(mod ${exact} ${UNITS})`, integer(0))));
    return ite(this.is(path, "integer"), `(* ${this.integer(path)} ${UNITS})`, exact);
  }

  /** Elements of the array at a place, those that are equal counted too. */
  count(path: readonly string[]): Term {
    const { symbols } = this.reader;
    const known = symbols.find("Int", "count", ...path);
    if (known !== undefined) return known;
    const count = symbols.unknown("Int", "count", ...path);
    symbols.assert(compare(">=", count, integer(0)));
    return count;
  }

  /** The members of the array at a place as a set, empty exactly where the array is: of one type for both sides. */
  set(element: "Long" | "String", path: readonly string[]): SymbolicValue {
    const place = JSON.stringify(path);
    if ((this.#elementTypes.get(place) ?? element) !== element)
      throw new OutsideFragment("an array of texts on one side and of numbers on the other");
    this.#elementTypes.set(place, element);
    const set = readSet(element, [ROOT, ...path], this.reader);
    if (set.kind !== "RequestSet") return set;
    const different = [...set.universe.map(set.has), set.hasOthers];
    const count = this.count(path);
    this.reader.symbols.assert(implies(compare(">", count, integer(0)), or(...different)));
    const sum = different.map((term) => ite(term, integer(1), integer(0)));
    this.reader.symbols.assert(
      compare(">=", count, sum.length === 1 ? (sum[0] ?? "0") : `(+ ${sum.join(" ")})`),
    );
    return set;
  }

  /** The arguments as one side's policies see them. */
  project(program: SchemaProgram): ProjectedArguments {
    const accepts: Term[] = [];
    const root = resolveProjection(program, program.root);
    const record = this.#record(program, root?.projection === "Record" ? root.node : {}, [], accepts);
    return { record, accepts: and(...accepts) };
  }

  #record(
    program: SchemaProgram,
    node: SchemaNode,
    path: readonly string[],
    accepts: Term[],
  ): SymbolicRecord {
    const members = new Map(
      visibleAttributes(program, node).map(({ name, projection }) => {
        const place = [...path, name];
        const value = this.#value(program, projection, place, accepts);
        accepts.push(this.#accepts(projection, place));
        return [name, { isPresent: compare(">=", this.kind(place), integer(KINDS.boolean)), value }] as const;
      }),
    );
    return { kind: "Record", member: (name) => members.get(name) };
  }

  #accepts({ projection, nullable }: ResolvedProjection, path: readonly string[]): Term {
    const kinds: readonly Kind[] = [
      "absent",
      ...(nullable ? (["null"] as const) : []),
      ...kindsOf(projection),
    ];
    return or(...kinds.map((kind) => this.is(path, kind)));
  }

  /** Whether a side can read every element; only of plain texts and truth values the schema alone says so. */
  #elements(
    program: SchemaProgram,
    { items, prefixItems }: SchemaNode,
    item: ResolvedProjection | undefined,
    path: readonly string[],
  ): Term {
    const types = items === undefined ? undefined : program.nodes[items]?.types;
    const exact = item === undefined || item.nullable ? undefined : EXACT_TYPES[item.projection];
    const isPlain = exact !== undefined && types?.length === 1 && types[0] === exact;
    if (isPlain && prefixItems === undefined) return TRUE;
    const shape = shapeOf(program, item);
    return this.reader.symbols.unknown("Bool", "elements can be read", shape, ...path);
  }

  #value(
    program: SchemaProgram,
    { projection, node }: ResolvedProjection,
    path: readonly string[],
    accepts: Term[],
  ): SymbolicValue {
    switch (projection) {
      case "String":
        return scalar("String", this.text(path));
      case "Bool":
        return scalar("Bool", this.flag(path));
      case "Long": {
        const long = this.integer(path);
        // The side that reads a number refuses one that it cannot hold; the other side may not.
        accepts.push(
          implies(this.is(path, "integer"), between(long, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
        );
        return scalar("Long", long);
      }
      case "Decimal": {
        const units = this.units(path);
        const isNumber = or(this.is(path, "integer"), this.is(path, "decimal"));
        accepts.push(implies(isNumber, between(units, -MAX_UNITS - 1n, MAX_UNITS)));
        return scalar("Decimal", units);
      }
      case "Set": {
        const item = node.items === undefined ? undefined : resolveProjection(program, node.items);
        accepts.push(implies(this.is(path, "array"), this.#elements(program, node, item, path)));
        const element = item?.projection;
        if (element !== "String" && element !== "Long") return { kind: "Opaque", what: "a set of this type" };
        return this.set(element, path);
      }
      case "Record":
        return this.#record(program, node, path, accepts);
    }
  }
}

const EXACT_TYPES: Readonly<Partial<Record<CedarProjection, string>>> = { Bool: "boolean", String: "string" };

/** What of a value a side reads, as text: a value that one side can read so, the other can too. */
function shapeOf(program: SchemaProgram, resolved: ResolvedProjection | undefined, depth = 0): string {
  if (resolved === undefined) return "";
  if (depth > MAX_SHAPE_DEPTH) throw new OutsideFragment("elements of a deep type");
  const { projection, nullable, node } = resolved;
  const items = node.items === undefined ? undefined : resolveProjection(program, node.items);
  const inner =
    projection === "Set"
      ? [shapeOf(program, items, depth + 1)]
      : projection === "Record"
        ? visibleAttributes(program, node).map((member) => [
            member.name,
            shapeOf(program, member.projection, depth + 1),
          ])
        : [];
  return JSON.stringify([projection, nullable, inner]);
}

function kindsOf(projection: CedarProjection): readonly Kind[] {
  switch (projection) {
    case "String":
      return ["string"];
    case "Bool":
      return ["boolean"];
    case "Long":
      return ["integer"];
    case "Decimal":
      return ["integer", "decimal"];
    case "Set":
      return ["array"];
    case "Record":
      return ["object"];
  }
}
