// The approved schema of the arguments as a term: which raw arguments are valid. A keyword without terms is an unknown,
// the same for both sides where they state the same of the same place.
import { canonicalJson, sha256Hex } from "#bundle";
import type { JsonTypeName, SchemaNode, SchemaProgram } from "#bundle";
import { visibleAttributes, resolveProjection } from "#schema";
import type { JsonObject, JsonValue } from "#std";
import { decimalUnits } from "./extension-literals.ts";
import { KINDS } from "./raw-arguments.ts";
import type { Kind, RawArguments } from "./raw-arguments.ts";
import {
  FALSE,
  OutsideFragment,
  TRUE,
  and,
  compare,
  equal,
  implies,
  integer,
  not,
  or,
  text,
} from "./terms.ts";
import type { Comparison, Term } from "./terms.ts";

const MAX_DEPTH = 6;
/** Places of one call that are unknowns of their own. */
const MAX_PLACES = 200;

type Path = readonly string[];

const KINDS_OF_TYPE: Readonly<Record<JsonTypeName, readonly Kind[]>> = {
  null: ["null"],
  boolean: ["boolean"],
  integer: ["integer"],
  number: ["integer", "decimal", "number"],
  string: ["string"],
  array: ["array"],
  object: ["object"],
};

/** The places that the policies of a side can read. */
export function visiblePlaces(program: SchemaProgram): readonly Path[] {
  const found: Path[] = [];
  const visit = (node: SchemaNode, path: Path): void => {
    for (const { name, projection } of visibleAttributes(program, node)) {
      found.push([...path, name]);
      if (projection.projection === "Record") visit(projection.node, [...path, name]);
    }
  };
  const root = resolveProjection(program, program.root);
  if (root?.projection === "Record") visit(root.node, []);
  return found;
}

/** Every member that a schema describes, as far as it is nested no deeper than a few levels. */
export function describedPlaces(program: SchemaProgram): readonly Path[] {
  const found = new Map<string, Path>();
  const visit = (index: number, path: Path, depth: number): void => {
    const node = program.nodes[index];
    if (node === undefined || depth > MAX_DEPTH || found.size > MAX_PLACES) return;
    for (const [name, member] of Object.entries(node.properties ?? {})) {
      found.set(JSON.stringify([...path, name]), [...path, name]);
      visit(member, [...path, name], depth + 1);
    }
    for (const same of [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? [])])
      visit(same, path, depth + 1);
  };
  visit(program.root, [], 0);
  return [...found.values()];
}

/** What a schema says of validity, whatever it makes visible: equal digests accept the same arguments. */
export function validationDigest(program: SchemaProgram, index: number = program.root): string {
  return digestOf(program, index, [], new Map());
}

function digestOf(
  program: SchemaProgram,
  index: number,
  above: readonly number[],
  known: Map<number, string>,
): string {
  const cycle = above.indexOf(index);
  if (cycle !== -1) return `cycle ${above.length - cycle}`;
  const before = known.get(index);
  if (before !== undefined) return before;
  const node = program.nodes[index] ?? {};
  const child = (inner: number): string => digestOf(program, inner, [...above, index], known);
  const digest = sha256Hex(canonicalJson(validationOf(node, child)));
  known.set(index, digest);
  return digest;
}

function validationOf(node: SchemaNode, child: (index: number) => string): JsonObject {
  const {
    projection: _projection,
    projectionOf: _projectionOf,
    nullable: _nullable,
    properties,
    patternProperties,
    additionalProperties,
    propertyNames,
    items,
    prefixItems,
    contains,
    allOf,
    anyOf,
    oneOf,
    ...rest
  } = node;
  const { not: isNot, if: test, then, else: otherwise, ...plain } = rest;
  const single = Object.entries({
    additionalProperties,
    propertyNames,
    items,
    contains,
    not: isNot,
    if: test,
    then,
    else: otherwise,
  }).flatMap(([name, index]) => (index === undefined ? [] : [[name, child(index)] as const]));
  const many = Object.entries({ prefixItems, allOf, anyOf, oneOf }).flatMap(([name, indexes]) =>
    indexes === undefined ? [] : [[name, indexes.map(child)] as const],
  );
  return {
    ...(plain as unknown as JsonObject),
    ...Object.fromEntries(single),
    ...Object.fromEntries(many),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, index]) => [name, child(index)]),
          ),
        }),
    ...(patternProperties === undefined
      ? {}
      : { patternProperties: patternProperties.map(([pattern, index]) => [pattern, child(index)]) }),
  };
}

/** Encodes the schema of one side. `places`: what stands there is unknown by kind and value; elsewhere by validity alone. */
export class SchemaEncoder {
  readonly #program: SchemaProgram;
  readonly #raw: RawArguments;
  readonly #places: ReadonlySet<string>;
  /** Names under a place that either side describes. */
  readonly #names: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(
    program: SchemaProgram,
    raw: RawArguments,
    places: readonly Path[],
    described: readonly Path[],
  ) {
    this.#program = program;
    this.#raw = raw;
    this.#places = new Set(places.map((path) => JSON.stringify(path)));
    const names = new Map<string, Set<string>>();
    for (const path of [...places, ...described]) {
      const parent = JSON.stringify(path.slice(0, -1));
      names.set(parent, (names.get(parent) ?? new Set()).add(path.at(-1) ?? ""));
    }
    this.#names = names;
  }

  /** Which arguments are valid. */
  valid(): Term {
    return this.#node(this.#program.root, [], 0);
  }

  /** Whether a member is there, known or not. */
  isPresent(path: Path): Term {
    return this.#places.has(JSON.stringify(path))
      ? this.#raw.isPresent(path)
      : this.#raw.reader.symbols.unknown("Bool", "is present", ...path);
  }

  /** Whether an object has members that neither side describes. */
  hasOthers(path: Path): Term {
    return this.#raw.reader.symbols.unknown("Bool", "has others", ...path);
  }

  #unknown(path: Path, ...what: readonly string[]): Term {
    return this.#raw.reader.symbols.unknown("Bool", "valid", JSON.stringify(path), ...what);
  }

  #digest(index: number): string {
    return validationDigest(this.#program, index);
  }

  #node(index: number, path: Path, depth: number): Term {
    const node = this.#program.nodes[index] ?? {};
    if (node.always !== undefined) return node.always ? TRUE : FALSE;
    if (depth > MAX_DEPTH) return this.#unknown(path, this.#digest(index));
    return and(
      this.#types(node, path),
      this.#enumeration(node, path),
      implies(this.#raw.is(path, "string"), this.#text(node, path)),
      this.#number(node, path),
      implies(this.#raw.is(path, "array"), this.#array(node, path)),
      implies(this.#raw.is(path, "object"), this.#object(node, path, depth)),
      this.#combinators(node, path, depth),
    );
  }

  #types({ types }: SchemaNode, path: Path): Term {
    if (types === undefined) return TRUE;
    const kinds = new Set(types.flatMap((type) => KINDS_OF_TYPE[type]));
    if (kinds.size === Object.keys(KINDS).length - 1) return TRUE;
    return or(...[...kinds].map((kind) => this.#raw.is(path, kind)));
  }

  #enumeration({ enum: values }: SchemaNode, path: Path): Term {
    return values === undefined ? TRUE : or(...values.map((value) => this.#equals(path, value)));
  }

  #equals(path: Path, value: JsonValue): Term {
    const raw = this.#raw;
    switch (typeof value) {
      case "string":
        return and(raw.is(path, "string"), this.#sameText(path, value));
      case "boolean":
        return and(raw.is(path, "boolean"), equal(raw.flag(path), String(value)));
      case "number": {
        if (Number.isSafeInteger(value))
          return and(raw.is(path, "integer"), equal(raw.integer(path), integer(value)));
        const units = decimalUnits(String(value));
        if (units !== undefined) return and(raw.is(path, "decimal"), equal(raw.units(path), integer(units)));
        return this.#unknown(path, "equals", String(value));
      }
      default:
        return value === null ? raw.is(path, "null") : this.#unknown(path, "equals", canonicalJson(value));
    }
  }

  #sameText(path: Path, value: string): Term {
    try {
      return equal(this.#raw.text(path), text(value));
    } catch (fault) {
      if (!(fault instanceof OutsideFragment)) throw fault;
      return this.#unknown(path, "equals", value);
    }
  }

  #text({ minLength, maxLength, pattern }: SchemaNode, path: Path): Term {
    const length = `(str.len ${this.#raw.text(path)})`;
    return and(
      minLength === undefined || minLength === 0 ? TRUE : compare(">=", length, integer(minLength)),
      maxLength === undefined ? TRUE : compare("<=", length, integer(maxLength)),
      pattern === undefined
        ? TRUE
        : this.#raw.reader.symbols.unknown("Bool", "matches", pattern, "arguments", ...path),
    );
  }

  #number(node: SchemaNode, path: Path): Term {
    const bounds: readonly (readonly [Comparison, number | undefined])[] = [
      [">=", node.minimum],
      ["<=", node.maximum],
      [">", node.exclusiveMinimum],
      ["<", node.exclusiveMaximum],
    ];
    const terms = bounds.flatMap(([operator, bound]) =>
      bound === undefined ? [] : [this.#bound(operator, bound, path)],
    );
    const { multipleOf } = node;
    if (multipleOf !== undefined) terms.push(this.#multiple(multipleOf, path));
    return and(...terms);
  }

  #bound(operator: Comparison, bound: number, path: Path): Term {
    const raw = this.#raw;
    const other = this.#unknown(path, operator, String(bound));
    const units = Number.isSafeInteger(bound) ? BigInt(bound) * 10_000n : decimalUnits(String(bound));
    const isOther = raw.is(path, "number");
    if (units === undefined) {
      const isNumber = or(raw.is(path, "integer"), raw.is(path, "decimal"), isOther);
      return implies(isNumber, other);
    }
    const onIntegers = Number.isSafeInteger(bound)
      ? compare(operator, raw.integer(path), integer(bound))
      : compare(operator, raw.units(path), integer(units));
    return and(
      implies(raw.is(path, "integer"), onIntegers),
      implies(raw.is(path, "decimal"), compare(operator, raw.units(path), integer(units))),
      implies(isOther, other),
    );
  }

  #multiple(of: number, path: Path): Term {
    const raw = this.#raw;
    const other = this.#unknown(path, "multipleOf", String(of));
    const isInexact = or(raw.is(path, "decimal"), raw.is(path, "number"));
    if (!Number.isSafeInteger(of)) return implies(or(raw.is(path, "integer"), isInexact), other);
    const isMultiple = equal(`(mod ${raw.integer(path)} ${of})`, integer(0));
    return and(implies(raw.is(path, "integer"), isMultiple), implies(isInexact, other));
  }

  #array(node: SchemaNode, path: Path): Term {
    const { minItems, maxItems, uniqueItems, prefixItems, contains, minContains, maxContains, items } = node;
    const count = (): Term => this.#raw.count(path);
    const terms = [
      minItems === undefined ? TRUE : compare(">=", count(), integer(minItems)),
      maxItems === undefined ? TRUE : compare("<=", count(), integer(maxItems)),
      uniqueItems === true ? this.#unknown(path, "uniqueItems") : TRUE,
    ];
    const others = { prefixItems, contains, minContains, maxContains };
    if (prefixItems !== undefined || contains !== undefined) {
      const inner = validationOf(JSON.parse(JSON.stringify(others)) as SchemaNode, (index) =>
        this.#digest(index),
      );
      terms.push(this.#unknown(path, "items", canonicalJson(inner)));
    }
    if (items !== undefined) terms.push(this.#items(items, path));
    return and(...terms);
  }

  /** Elements from a list of texts; whatever else is said of them is one unknown. */
  #items(items: number, path: Path): Term {
    const node = this.#program.nodes[items];
    const allowed = node?.enum;
    const digest = this.#digest(items);
    const all = this.#unknown(path, "every item", digest);
    if (allowed === undefined || !allowed.every((item) => typeof item === "string")) return all;
    const set = this.#raw.set("String", path);
    if (set.kind !== "RequestSet") return all;
    const texts = new Set(allowed.map((item) => text(item as string)));
    const named = set.universe.map((literal) => (texts.has(literal) ? TRUE : not(set.has(literal))));
    const hasMore = [...texts].some((item) => !set.universe.includes(item));
    return and(all, ...named, hasMore ? TRUE : not(set.hasOthers));
  }

  #object(node: SchemaNode, path: Path, depth: number): Term {
    const { required, dependentRequired, minProperties, maxProperties, propertyNames } = node;
    const present = (name: string): Term => this.isPresent([...path, name]);
    const dependent = Object.entries(dependentRequired ?? {}).map(([trigger, names]) =>
      implies(present(trigger), and(...names.map(present))),
    );
    const counted = {
      ...(minProperties === undefined ? {} : { minProperties }),
      ...(maxProperties === undefined ? {} : { maxProperties }),
    };
    return and(
      ...(required ?? []).map(present),
      ...dependent,
      Object.keys(counted).length === 0 ? TRUE : this.#unknown(path, "members", JSON.stringify(counted)),
      propertyNames === undefined ? TRUE : this.#unknown(path, "names", this.#digest(propertyNames)),
      this.#members(node, path, depth),
    );
  }

  #members(node: SchemaNode, path: Path, depth: number): Term {
    const { properties = {}, patternProperties, additionalProperties } = node;
    const named = Object.keys(properties);
    const others = [...(this.#names.get(JSON.stringify(path)) ?? [])].filter(
      (name) => !Object.hasOwn(properties, name),
    );
    const terms = named.map((name) => this.#member(properties[name] ?? -1, [...path, name], depth));
    if (patternProperties !== undefined) {
      const rest = patternProperties.map(([pattern, index]) => [pattern, this.#digest(index)]);
      const additional = additionalProperties === undefined ? "" : this.#digest(additionalProperties);
      const what = canonicalJson([named.toSorted(), rest, additional]);
      return and(...terms, this.#unknown(path, "other members", what));
    }
    if (additionalProperties === undefined) return and(...terms);
    const isClosed = this.#program.nodes[additionalProperties]?.always === false;
    if (isClosed) {
      const absent = others.map((name) => not(this.isPresent([...path, name])));
      return and(...terms, ...absent, not(this.hasOthers(path)));
    }
    return and(
      ...terms,
      ...others.map((name) => this.#member(additionalProperties, [...path, name], depth)),
      implies(this.hasOthers(path), this.#unknown(path, "others", this.#digest(additionalProperties))),
    );
  }

  #member(index: number, path: Path, depth: number): Term {
    const isPlace = this.#places.has(JSON.stringify(path));
    const valid = isPlace ? this.#node(index, path, depth + 1) : this.#unknown(path, this.#digest(index));
    return this.#program.nodes[index]?.always === true ? TRUE : implies(this.isPresent(path), valid);
  }

  #combinators(node: SchemaNode, path: Path, depth: number): Term {
    const each = (indexes: readonly number[] | undefined): readonly Term[] =>
      (indexes ?? []).map((index) => this.#node(index, path, depth + 1));
    const one = each(node.oneOf);
    const exactlyOne = or(
      ...one.map((term, index) => and(term, ...one.filter((_other, at) => at !== index).map(not))),
    );
    const test = node.if === undefined ? undefined : this.#node(node.if, path, depth + 1);
    const branch = (index: number | undefined): Term =>
      index === undefined ? TRUE : this.#node(index, path, depth + 1);
    return and(
      ...each(node.allOf),
      node.anyOf === undefined ? TRUE : or(...each(node.anyOf)),
      node.oneOf === undefined ? TRUE : exactlyOne,
      node.not === undefined ? TRUE : not(this.#node(node.not, path, depth + 1)),
      test === undefined
        ? TRUE
        : and(implies(test, branch(node.then)), implies(not(test), branch(node.else))),
    );
  }
}
