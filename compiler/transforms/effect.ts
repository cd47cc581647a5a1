// What an operation makes of values, judged by the approved schema of the place.
import type { DetectorName, JsonTypeName, SchemaNode, SchemaProgram } from "#bundle";
import { validateAndProject } from "#schema";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { REDACTED, truncateText } from "#transform";
import type { SchemaPlace } from "./path-check.ts";

/** One line of `transforms`, without its path. */
export type OperationSpec =
  | { readonly verb: "redact" | "remove" | "hash" }
  | { readonly verb: "truncate"; readonly length: number }
  | { readonly verb: "replace"; readonly value: JsonValue }
  | { readonly verb: "detect"; readonly detectors: readonly DetectorName[] };

/**
 * `breaks`: no value survives the schema. `mayBreak`: some values do not. `idle`: the operation can do nothing there.
 */
export interface Effect {
  readonly kind: "breaks" | "mayBreak" | "idle";
  readonly message: string;
}

const STAND_INS: Readonly<Record<JsonTypeName, JsonValue>> = {
  string: REDACTED,
  integer: 0,
  number: 0,
  boolean: false,
  array: [],
  object: {},
  null: null,
};
/** Of the form that a hash has. */
const HASH_SAMPLE = `hmac:${"A".repeat(22)}`;
const MAX_BRANCH_DEPTH = 32;

/** The node and every subschema that applies to the same value. */
function branches(program: SchemaProgram, index: number, depth = 0): readonly SchemaNode[] {
  const node = program.nodes[index];
  if (node === undefined || depth > MAX_BRANCH_DEPTH) return [];
  const inner = [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? []), node.then, node.else];
  return [node, ...inner.flatMap((next) => (next === undefined ? [] : branches(program, next, depth + 1)))];
}

function typeOf(value: JsonValue): JsonTypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (isJsonObject(value)) return "object";
  if (typeof value === "string") return "string";
  return typeof value === "boolean" ? "boolean" : "number";
}

/** Undefined where the schema does not say. */
function typesOf(program: SchemaProgram, index: number): readonly JsonTypeName[] | undefined {
  const own = program.nodes[index];
  if (own?.types !== undefined) return own.types;
  const found = branches(program, index).flatMap((node) => node.types ?? (node.enum ?? []).map(typeOf));
  return found.length === 0 ? undefined : [...new Set(found)];
}

function accepts(program: SchemaProgram, index: number, value: JsonValue): boolean {
  const nodes = [...program.nodes, { types: ["object" as const], properties: { value: index } }];
  return validateAndProject({ nodes, root: program.nodes.length }, { value }).ok;
}

function shown(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

function fits(
  program: SchemaProgram,
  index: number,
  type: JsonTypeName,
  verb: string,
  value: JsonValue,
): Effect[] {
  if (accepts(program, index, value)) return [];
  const message = `a ${verb} ${type} becomes ${shown(value)}, which the approved schema does not allow`;
  // Text that is no text any more, or the other way round, can never pass; a stand-in of the same type says less.
  return [{ kind: typeOf(value) === type || type === "integer" ? "mayBreak" : "breaks", message }];
}

function removed({ program, parents, segment }: SchemaPlace): Effect[] {
  const nodes = parents.flatMap((index) => branches(program, index));
  const effects: Effect[] = [];
  const add = (kind: Effect["kind"], message: string): void => void effects.push({ kind, message });
  if (segment?.kind === "name") {
    const { name } = segment;
    if (nodes.some((node) => node.required?.includes(name) === true))
      add("breaks", `the approved schema requires ${shown(name)}`);
    else if (
      nodes.some(({ dependentRequired }) =>
        Object.values(dependentRequired ?? {})
          .flat()
          .includes(name),
      )
    )
      add("mayBreak", `the approved schema requires ${shown(name)} beside other members`);
  } else if (segment?.kind === "wildcard") {
    const names = [...new Set(nodes.flatMap((node) => node.required ?? []))];
    if (names.length > 0) add("breaks", `the approved schema requires ${names.map(shown).join(", ")}`);
  } else if (nodes.some((node) => (node.prefixItems ?? []).length > 0))
    add("mayBreak", "later elements move to places for which the approved schema describes other ones");
  const least = Math.max(0, ...nodes.map((node) => Math.max(node.minItems ?? 0, node.minProperties ?? 0)));
  if (least > 0 && effects.length === 0) {
    const kind = segment?.kind === "wildcard" ? "breaks" : "mayBreak";
    add(kind, `the approved schema asks for at least ${least}`);
  }
  return effects;
}

function replaced({ program, nodes }: SchemaPlace, value: JsonValue): Effect[] {
  const refusing = nodes.filter((index) => !accepts(program, index, value));
  if (refusing.length === 0) return [];
  const message = `the approved schema does not allow ${shown(value)} there`;
  return [{ kind: refusing.length === nodes.length ? "breaks" : "mayBreak", message }];
}

function hashed(program: SchemaProgram, index: number, types: readonly JsonTypeName[]): Effect[] {
  return types.flatMap((type) => {
    if (type === "boolean") return fits(program, index, type, "hashed", false);
    const isHashed = type === "string" || type === "number" || type === "integer";
    return isHashed ? hashedScalar(program, index, type) : [];
  });
}

function hashedScalar(program: SchemaProgram, index: number, type: JsonTypeName): Effect[] {
  const [effect] = fits(program, index, type, "hashed", HASH_SAMPLE);
  if (effect === undefined) return [];
  return [{ ...effect, kind: type === "string" ? "mayBreak" : "breaks" }];
}

function truncated(program: SchemaProgram, index: number, length: number): Effect[] {
  const nodes = branches(program, index);
  const least = Math.max(0, ...nodes.map((node) => node.minLength ?? 0));
  if (least > length + 1) {
    return [{ kind: "breaks", message: `the approved schema asks for at least ${least} characters` }];
  }
  const words = nodes.flatMap((node) => node.enum ?? []).filter((word) => typeof word === "string");
  const cut = words.find((word) => truncateText(word, length) !== word);
  if (cut !== undefined && !accepts(program, index, truncateText(cut, length)))
    return [
      { kind: "mayBreak", message: `${shown(cut)} is cut to a text that the approved schema does not allow` },
    ];
  const isShaped =
    words.length === 0 && nodes.some(({ pattern, format }) => (pattern ?? format) !== undefined);
  const message = "cut text may not have the form that the approved schema asks for";
  return isShaped ? [{ kind: "mayBreak", message }] : [];
}

function detected(program: SchemaProgram, index: number, detectors: readonly DetectorName[]): Effect[] {
  if (branches(program, index).some((node) => node.enum !== undefined)) return [];
  const refused = detectors.find((name) => !accepts(program, index, `[redacted ${name}]`));
  if (refused === undefined) return [];
  const message = `what is found becomes "[redacted ${refused}]", which the approved schema does not allow`;
  return [{ kind: "mayBreak", message }];
}

/** Types in which the operation finds something to do. */
function isIdleFor(spec: OperationSpec, types: readonly JsonTypeName[]): boolean {
  const reads: JsonTypeName[] = ["string", "array", "object"];
  if (spec.verb === "hash") reads.push("number", "integer", "boolean");
  if (spec.verb === "detect" && spec.detectors.includes("card")) reads.push("number", "integer");
  const isSelective = spec.verb === "hash" || spec.verb === "truncate" || spec.verb === "detect";
  return isSelective && !types.some((type) => reads.includes(type));
}

function effectsAt(program: SchemaProgram, index: number, spec: OperationSpec): Effect[] {
  const types = typesOf(program, index);
  if (types === undefined) return [];
  if (isIdleFor(spec, types)) {
    return [{ kind: "idle", message: `${spec.verb} finds no text in a ${types.join(" or ")}` }];
  }
  switch (spec.verb) {
    case "redact":
      return types.flatMap((type) => fits(program, index, type, "redacted", STAND_INS[type]));
    case "hash":
      return hashed(program, index, types);
    case "truncate":
      return types.includes("string") ? truncated(program, index, spec.length) : [];
    case "detect":
      return types.includes("string") ? detected(program, index, spec.detectors) : [];
    default:
      return [];
  }
}

/** What is wrong with the operation at a place, each message once. */
export function effectsOf(place: SchemaPlace, spec: OperationSpec): readonly Effect[] {
  if (spec.verb === "remove") return removed(place);
  if (spec.verb === "replace") return replaced(place, spec.value);
  const effects = place.nodes.flatMap((index) => effectsAt(place.program, index, spec));
  return [...new Map(effects.map((effect) => [effect.message, effect])).values()];
}
