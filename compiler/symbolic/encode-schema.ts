// The approved schema of the arguments as a term: which raw arguments are valid. A keyword without terms is an unknown,
// the same for both sides where they state the same of the same place.
import { canonicalJson } from "#bundle";
import type { JsonTypeName, SchemaNode, SchemaProgram } from "#bundle";
import { visibleAttributes, resolveProjection } from "#schema";
import type { JsonValue } from "#std";
import { decimalUnits } from "./extension-literals.ts";
import { KINDS } from "./raw-arguments.ts";
import type { Kind, RawArguments } from "./raw-arguments.ts";
import { classOf } from "../json-schema/index.ts";
import type { SchemaClasses } from "../json-schema/index.ts";
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
/** Places of one side that are unknowns of their own though no policy reads them. */
const MAX_PLACES = 200;
/** Members that one side describes; of more nothing is proved. */
const MAX_NAMES = 2_000;
const MAX_VISITS = 20_000;

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

/**
 * Every member that any part of a schema speaks of, as far as it is nested no deeper than what is encoded: what stands
 * below `then`, `not` or `additionalProperties` is described too. @throws {OutsideFragment} where these are too many
 */
export function describedPlaces(program: SchemaProgram): readonly Path[] {
  const found = new Map<string, Path>();
  const seen = new Set<string>();
  const visit = (index: number, path: Path, depth: number): void => {
    const node = program.nodes[index];
    const key = JSON.stringify([index, path, depth]);
    if (node === undefined || depth > MAX_DEPTH || seen.has(key)) return;
    seen.add(key);
    if (found.size > MAX_NAMES || seen.size > MAX_VISITS)
      throw new OutsideFragment("a schema that describes too many members");
    const own = Object.entries(node.properties ?? {});
    for (const [name, member] of own) {
      found.set(JSON.stringify([...path, name]), [...path, name]);
      visit(member, [...path, name], depth + 1);
    }
    for (const same of appliedInPlace(node)) visit(same, path, depth + 1);
  };
  visit(program.root, [], 0);
  return [...found.values()];
}

/** Subschemas that judge the value itself. */
function appliedInPlace(node: SchemaNode): readonly number[] {
  const single = [node.not, node.if, node.then, node.else];
  return [
    ...[node.allOf, node.anyOf, node.oneOf].flatMap((list) => list ?? []),
    ...single.flatMap((index) => (index === undefined ? [] : [index])),
  ];
}

/** The places that are unknowns by kind and value: those that policies read, and of the others the first few. */
export function chosenPlaces(visible: readonly Path[], described: readonly Path[]): readonly Path[] {
  return [...visible, ...described.slice(0, MAX_PLACES)];
}

/** Encodes the schema of one side. `places`: what stands there is unknown by kind and value; elsewhere by validity alone. */
export class SchemaEncoder {
  readonly #program: SchemaProgram;
  readonly #classes: SchemaClasses;
  readonly #raw: RawArguments;
  readonly #places: ReadonlySet<string>;
  /** Names under a place that either side describes. */
  readonly #names: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(
    program: SchemaProgram,
    classes: SchemaClasses,
    raw: RawArguments,
    places: readonly Path[],
    described: readonly Path[],
  ) {
    this.#program = program;
    this.#classes = classes;
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
    return classOf(this.#classes, this.#program, index);
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
    const prefix = (prefixItems ?? []).map((index) => this.#digest(index));
    if (prefixItems !== undefined) terms.push(this.#unknown(path, "first items", ...prefix));
    if (contains !== undefined) {
      const range = [String(minContains ?? ""), String(maxContains ?? "")];
      terms.push(this.#unknown(path, "contains", this.#digest(contains), ...range));
    }
    if (items !== undefined && prefix.length > 0)
      // Only what comes after the first ones is judged, so how many these are belongs to the question.
      terms.push(this.#unknown(path, "every item after", String(prefix.length), this.#digest(items)));
    else if (items !== undefined) terms.push(this.#items(items, path));
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
    const shared = this.#names.get(JSON.stringify(path)) ?? new Set<string>();
    const others = [...shared].filter((name) => !Object.hasOwn(properties, name));
    // "Has others" means others than the names of both sides: of a name that is not among them it would say nothing.
    const isShared = named.every((name) => shared.has(name));
    if (!isShared && (patternProperties !== undefined || additionalProperties !== undefined))
      throw new OutsideFragment("members that a schema describes in an uncommon place");
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
