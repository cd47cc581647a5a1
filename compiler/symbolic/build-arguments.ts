// Arguments that a satisfiable answer describes: what the solver says of the places it was asked about, put into calls
// that satisfy the rest of the schema.
import type { JsonObject, JsonValue } from "#std";
import { isJsonObject } from "#std";
import { KINDS } from "./raw-arguments.ts";
import type { Model } from "./model.ts";

/** Texts or arrays worth trying at a place, the solver's own among them. */
export interface PlaceCandidates {
  readonly path: readonly string[];
  readonly values: readonly JsonValue[];
}

type Path = readonly string[];

/** Removed from the object. */
const ABSENT = Symbol("absent");
type Placed = JsonValue | typeof ABSENT;

/** The call with every place as the answer has it. */
export function buildArguments(model: Model, start: JsonObject, places: readonly Path[]): JsonObject {
  let built = start;
  for (const path of places) {
    const value = valueAt(model, path, memberAt(built, path));
    if (value !== undefined) built = withValue(built, path, value);
  }
  const names = model.trueNames("extra");
  for (const name of names) if (!Object.hasOwn(built, name)) built = withValue(built, [name], "x");
  return model.truth("extra beyond") === true ? withValue(built, ["undescribed"], "x") : built;
}

/** Undefined where the answer says nothing of the place. */
function valueAt(model: Model, path: Path, current: JsonValue | undefined): Placed | undefined {
  const kind = model.integer("kind", ...path);
  if (kind === undefined) return undefined;
  switch (Number(kind)) {
    case KINDS.absent:
      return ABSENT;
    case KINDS.null:
      return null;
    case KINDS.boolean:
      return model.truth("flag", ...path) ?? (typeof current === "boolean" ? current : false);
    case KINDS.integer:
      return integerAt(model, path, current);
    case KINDS.decimal: {
      const units = model.integer("decimal", ...path);
      return units === undefined ? 0.5 : Number(units) / 10_000;
    }
    case KINDS.number:
      return 0.000_01;
    case KINDS.string:
      return model.text("text", ...path) ?? (typeof current === "string" ? current : "x");
    case KINDS.array:
      return arrayAt(model, path, current);
    default:
      return current !== undefined && isJsonObject(current) ? current : {};
  }
}

function integerAt(model: Model, path: Path, current: JsonValue | undefined): number {
  const known = model.integer("integer", ...path);
  if (known !== undefined) return Number(known);
  return typeof current === "number" && Number.isSafeInteger(current) ? current : 0;
}

function arrayAt(model: Model, path: Path, current: JsonValue | undefined): JsonValue {
  const count = model.integer("count", ...path);
  const members = model.members("arguments", ...path);
  const old = Array.isArray(current) ? (current as readonly JsonValue[]) : [];
  const items: JsonValue[] = [...(members ?? old)];
  const filler = items.at(-1) ?? old[0] ?? "x";
  const length = Math.min(Number(count ?? BigInt(items.length)), MAX_ITEMS);
  while (items.length < length) items.push(filler);
  return members === undefined && count !== undefined ? items.slice(0, length) : items;
}

/** Longer arrays are not made up. */
const MAX_ITEMS = 1_000;

export function memberAt(object: JsonObject, path: Path): JsonValue | undefined {
  let current: JsonValue | undefined = object;
  for (const name of path) {
    current =
      current !== undefined && isJsonObject(current) && Object.hasOwn(current, name)
        ? current[name]
        : undefined;
  }
  return current;
}

function withValue(object: JsonObject, path: Path, value: Placed): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  const inner = Object.hasOwn(object, name) ? object[name] : undefined;
  const others = Object.entries(object).filter(([key]) => key !== name);
  if (rest.length === 0) return Object.fromEntries(value === ABSENT ? others : [...others, [name, value]]);
  // A place inside of what is no object is not there.
  if (inner === undefined || !isJsonObject(inner)) return object;
  return Object.fromEntries([...others, [name, withValue(inner, rest, value)]]);
}

/** The call with a member set; undefined removes it. */
export function withMember(object: JsonObject, path: Path, value: JsonValue | undefined): JsonObject {
  return withValue(object, path, value === undefined ? ABSENT : value);
}

/** Combinations of candidates in a call, those nearest to it first, at most `max`. */
export function* combinations(
  built: JsonObject,
  candidates: readonly PlaceCandidates[],
  max: number,
): Generator<JsonObject> {
  let left = max;
  const present = candidates.filter(({ path }) => memberAt(built, path) !== undefined);
  const visit = function* (at: number, call: JsonObject): Generator<JsonObject> {
    const place = present[at];
    if (place === undefined) {
      left -= 1;
      yield call;
      return;
    }
    for (const value of place.values) {
      if (left <= 0) return;
      yield* visit(at + 1, withValue(call, place.path, value));
    }
  };
  yield* visit(0, built);
}
