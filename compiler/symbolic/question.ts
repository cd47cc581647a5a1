// One question to the solver: is there a call of a caller of this type that the head allows and the base does not?
import { canonicalJson, annotationsOf } from "#bundle";
import type { PrincipalType, SchemaProgram } from "#bundle";
import { resolveProjection, visibleAttributes } from "#schema";
import type { JsonObject } from "#std";
import type { PolicyEst } from "../cedar/est.ts";
import { collectLiterals } from "./collect-literals.ts";
import { encodeSlice } from "./encode-policy.ts";
import { SchemaEncoder, chosenPlaces, describedPlaces, visiblePlaces } from "./encode-schema.ts";
import type { EncodingTable } from "./encodings.ts";
import { RawArguments } from "./raw-arguments.ts";
import type { TypeReader } from "./request-types.ts";
import { classOf, schemaClasses } from "../json-schema/index.ts";
import { sideWorld } from "./side-world.ts";
import type { QuestionSide, SideWorld } from "./side-world.ts";
import { SymbolTable } from "./symbol-table.ts";
import type { RequestSet } from "./symbolic-values.ts";
import { FALSE, OutsideFragment, and, equal, not, or, textOfTerm } from "./terms.ts";
import type { Term } from "./terms.ts";

export interface Question {
  readonly script: string;
  readonly symbols: SymbolTable;
  /** Constructs that were left to chance. */
  readonly abstracted: ReadonlySet<string>;
  /** What may be refused by the one side that reads it, for people. */
  readonly oneSided: readonly string[];
  readonly places: readonly (readonly string[])[];
  readonly head: SideWorld;
  readonly sides: readonly QuestionSide[];
}

/** Makes the question. `base` is undefined where it denies every call. @throws {OutsideFragment} */
export function makeQuestion(
  base: QuestionSide | undefined,
  head: QuestionSide,
  type: PrincipalType,
  table?: EncodingTable,
): Question {
  const sides = base === undefined ? [head] : [head, base];
  const programs = sides.map(programOf);
  const literals = collectLiterals(sides.flatMap(policiesOf), programs);
  const symbols = new SymbolTable();
  const reader: TypeReader = { symbols, literals };
  const raw = new RawArguments(reader);
  const abstracted = new Set<string>();
  const described = programs.map(describedPlaces);
  const classes = schemaClasses(programs);
  const isSameSchema = new Set(programs.map((program) => classOf(classes, program))).size === 1;
  const visible = programs.flatMap(visiblePlaces);
  const places = unique(isSameSchema ? visible : described.flatMap((own) => chosenPlaces(visible, own)));
  const names = unique([...places, ...described.flat()]);
  const isAlike = base === undefined || (isSameSchema && areAlike(base, head));
  const encode = (side: QuestionSide, tag: string): { readonly allows: Term; readonly made: SideWorld } => {
    const schema = new SchemaEncoder(programOf(side), classes, raw, places, names);
    const extra = undescribed(side, schema, names, reader);
    const made = sideWorld(side, { type, raw, reader, abstracted, sideTag: isAlike ? "" : tag, extra });
    const allows = and(made.isAsked, schema.valid(), encodeSlice(policiesOf(side), made.world, table));
    return { allows, made };
  };
  const after = encode(head, "head");
  const before = base === undefined ? FALSE : encode(base, "base").allows;
  const script = `${symbols.script()}\n(assert ${after.allows})\n(assert ${not(before)})`;
  const oneSided = readByOne(symbols, after.allows, before);
  return { script, symbols, abstracted, oneSided, places, head: after.made, sides };
}

/** What only one side has to read, and of which the solver does not know when it can. */
const READ_BY_ONE: readonly (readonly [key: string, reason: string])[] = [
  ["can be judged", "texts too long for what one version derives"],
  ["elements can be read", "elements of a list that only one version reads"],
];

function readByOne(symbols: SymbolTable, after: Term, before: Term): readonly string[] {
  return READ_BY_ONE.flatMap(([what, reason]) => {
    const names = symbols.keys("Bool", what).map((key) => symbols.find("Bool", what, ...key) ?? "");
    const speaks = (term: Term, name: string): boolean => new RegExp(`\\b${name}\\b`, "u").test(term);
    return names.some((name) => speaks(after, name) !== speaks(before, name)) ? [reason] : [];
  });
}

export function programOf({ slice, leaf }: QuestionSide): SchemaProgram {
  return slice.argumentsProgram ?? leaf.argumentsProgram;
}

/** @throws {OutsideFragment} where a policy is missing: the bundle is refused elsewhere */
export function policiesOf({ content, slice }: QuestionSide): readonly PolicyEst[] {
  return slice.call.map(({ residual }) => {
    const est = content.policies.residuals[residual] as unknown as PolicyEst | undefined;
    if (est === undefined) throw new OutsideFragment("a policy that the bundle lacks");
    return est;
  });
}

function unique(paths: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const byKey = new Map(paths.map((path) => [JSON.stringify(path), path]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** True where equal expressions of both sides have equal values for every request, if their schemas are the same. */
function areAlike(base: QuestionSide, head: QuestionSide): boolean {
  const fixed = ({ server, leaf, slice }: QuestionSide): string =>
    canonicalJson([
      server.id,
      server.tier,
      server.labels,
      leaf.name,
      { ...annotationsOf(leaf) },
      slice.tenant,
    ]);
  if (fixed(base) !== fixed(head)) return false;
  if ([...base.tenants].sort().join("\0") !== [...head.tenants].sort().join("\0")) return false;
  return agree(factsOf(base), factsOf(head)) && agree(typesOf(base), typesOf(head));
}

function agree(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return [...left].every(([name, value]) => (right.get(name) ?? value) === value);
}

function factsOf({ slice }: QuestionSide): ReadonlyMap<string, string> {
  return new Map(slice.derivations.map((item) => [item.name, canonicalJson(item as unknown as JsonObject)]));
}

/** What each visible argument is projected as. */
function typesOf(side: QuestionSide): ReadonlyMap<string, string> {
  const program = programOf(side);
  const root = resolveProjection(program, program.root);
  const found = new Map<string, string>();
  const visit = (node: NonNullable<typeof root>["node"], path: readonly string[]): void => {
    for (const { name, projection } of visibleAttributes(program, node)) {
      const items = projection.node.items;
      const element = items === undefined ? undefined : resolveProjection(program, items);
      const type = [projection.projection, projection.nullable, element?.projection ?? ""];
      found.set(JSON.stringify([...path, name]), JSON.stringify(type));
      if (projection.projection === "Record") visit(projection.node, [...path, name]);
    }
  };
  if (root?.projection === "Record") visit(root.node, []);
  return found;
}

/** `context.extra`: the names of arguments that the schema of a side does not describe. */
function undescribed(
  side: QuestionSide,
  schema: SchemaEncoder,
  names: readonly (readonly string[])[],
  { symbols, literals }: TypeReader,
): RequestSet {
  const program = programOf(side);
  const root = resolveProjection(program, program.root)?.node ?? program.nodes[program.root];
  const own = new Set(Object.keys(root?.properties ?? {}));
  const known = new Set(names.flatMap((path) => (path.length === 1 ? path : [])));
  const universe = literals.get("String") ?? [];
  const beyond = symbols.unknown("Bool", "extra beyond");
  const unknownNames = universe.filter((literal) => !known.has(textOfTerm(literal)));
  const named = (literal: Term): Term => symbols.unknown("Bool", "extra", textOfTerm(literal));
  symbols.assert(equal(schema.hasOthers([]), or(beyond, ...unknownNames.map(named))));
  const others = [...known].filter(
    (name) => !own.has(name) && !universe.some((literal) => textOfTerm(literal) === name),
  );
  return {
    kind: "RequestSet",
    element: "String",
    universe,
    has: (literal) => {
      const name = textOfTerm(literal);
      if (own.has(name)) return FALSE;
      return known.has(name) ? schema.isPresent([name]) : named(literal);
    },
    hasOthers: or(beyond, ...others.map((name) => schema.isPresent([name]))),
    key: JSON.stringify(["extra", [...own].sort()]),
  };
}
