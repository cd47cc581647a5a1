// Random argument schemas of tools: as JSON Schema, as Cedar type, as sampled values, and as what of a value Cedar sees.
import type { JsonObject, JsonValue } from "#std";
import type { Dice } from "./dice.ts";

export type FieldKind =
  | "choice"
  | "flag"
  | "list"
  | "maybe"
  | "number"
  | "opaque"
  | "record"
  | "rows"
  | "text"
  | "whole"
  | "wholes";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly required: boolean;
  /** Of a record, or of each row. */
  readonly fields: readonly Field[];
}

export const TEXTS = [
  "",
  "alpha",
  "ALPHA",
  "select 1",
  " Select 2",
  "drop table t",
  "10.0.0.1",
  "a*b",
  "ünï",
  "https://api.example.com/a",
  "https://b.api.example.com:8443/",
  "http://10.0.0.1/x",
  "ftp://example.org",
  "https://user@example.com/",
  "/srv/public/a.txt",
  "/srv/public/../etc/b",
  "docs/./a.md",
  "ada@example.com",
  "Bob@Mail.Example.com",
  "b@example.org",
  "select count(*) from public.orders",
  "select a from reports.daily",
  "delete from orders",
];
/** Elements of lists beside plain words. */
const LISTED = ["https://api.example.com/a", "/srv/public/a.txt", "ada@example.com", "b@example.org"];
/** More than half of what an argument called `sql` is given. */
const SQL_TEXTS = TEXTS.filter((text) => /select |delete /iu.test(text));
const NAMES = ["sql", "limit", "to", "amount", "path", "x-y", "opts", "tags", "dry_run"];
const KINDS: readonly FieldKind[] = [
  ...([
    "text",
    "text",
    "whole",
    "whole",
    "flag",
    "number",
    "list",
    "choice",
    "maybe",
    "opaque",
    "record",
    "record",
    "rows",
    "wholes",
  ] as const),
];

const ROW: readonly Field[] = [
  { name: "name", kind: "text", required: true, fields: [] },
  { name: "price", kind: "whole", required: false, fields: [] },
];

export function randomFields(dice: Dice, depth = 0): readonly Field[] {
  return dice.some(NAMES, depth === 0 ? 0.45 : 0.25).map((name) => {
    const drawn = name === "sql" && dice.chance(0.6) ? "text" : dice.pick(KINDS);
    const kind = (drawn === "record" || drawn === "rows") && depth > 1 ? "text" : drawn;
    const fields = kind === "record" ? randomFields(dice, depth + 1) : kind === "rows" ? ROW : [];
    return { name, kind, required: dice.chance(0.5), fields };
  });
}

export function objectSchema(fields: readonly Field[]): JsonObject {
  const required = fields.filter((field) => field.required).map(({ name }) => name);
  return {
    type: "object",
    properties: Object.fromEntries(fields.map((field) => [field.name, schemaOf(field)])),
    ...(required.length === 0 ? {} : { required }),
  };
}

function schemaOf({ kind, fields }: Field): JsonObject {
  switch (kind) {
    case "text":
      return { type: "string", maxLength: 60 };
    case "choice":
      return { type: "string", enum: ["alpha", "ALPHA", "beta"] };
    case "whole":
      return { type: "integer" };
    case "number":
      return { type: "number" };
    case "flag":
      return { type: "boolean" };
    case "list":
      return { type: "array", items: { type: "string" } };
    case "rows":
      return { type: "array", items: objectSchema(fields) };
    case "wholes":
      return { type: "array", items: { type: "integer" } };
    case "maybe":
      return { type: ["string", "null"] };
    case "opaque":
      return { anyOf: [{ type: "string" }, { type: "integer" }] };
    case "record":
      return objectSchema(fields);
  }
}

/** Cedar type by the documented table; every member optional, as a value that Cedar cannot hold is left out. */
export function cedarRecord(fields: readonly Field[]): JsonObject {
  const members = fields.filter(({ kind }) => kind !== "opaque");
  return {
    type: "Record",
    attributes: Object.fromEntries(
      members.map((field) => [field.name, { ...cedarType(field), required: false }]),
    ),
  };
}

function cedarType({ kind, fields }: Field): JsonObject {
  switch (kind) {
    case "whole":
      return { type: "Long" };
    case "number":
      return { type: "Extension", name: "decimal" };
    case "flag":
      return { type: "Boolean" };
    case "list":
      return { type: "Set", element: { type: "String" } };
    case "wholes":
      return { type: "Set", element: { type: "Long" } };
    case "rows":
      return { type: "Set", element: cedarRecord(fields) };
    case "record":
      return cedarRecord(fields);
    default:
      return { type: "String" };
  }
}

export function sampleObject(dice: Dice, fields: readonly Field[]): JsonObject {
  const given = fields.filter((field) => field.required || dice.chance(0.6));
  return Object.fromEntries(given.map((field) => [field.name, sample(dice, field)]));
}

function sample(dice: Dice, { kind, name, fields }: Field): JsonValue {
  switch (kind) {
    case "text":
      return dice.pick(name === "sql" && dice.chance(0.6) ? SQL_TEXTS : TEXTS);
    case "wholes":
      return dice.some([0, 1, 1, 5, 1_000], 0.35);
    case "rows":
      return dice.times(0, 3, () => sampleObject(dice, fields));
    case "choice":
      return dice.pick(["alpha", "ALPHA", "beta"]);
    case "whole":
      return dice.pick([0, 1, -1, 5, 10, 1_000, 9_007_199_254_740_991]);
    case "number":
      return dice.pick([0, 1.5, -2.25, 10, 99.9999, 1_000_000]);
    case "flag":
      return dice.chance(0.5);
    case "list":
      return dice.some(["alpha", "beta", "alpha", ...LISTED], 0.25);
    case "maybe":
      return dice.chance(0.3) ? null : dice.pick(TEXTS);
    case "opaque":
      return dice.chance(0.5) ? dice.pick(TEXTS) : dice.below(10);
    case "record":
      return sampleObject(dice, fields);
  }
}

const STRANGE: readonly JsonValue[] = [
  ...[1.000_01, 52.520_008, 1e300, -1e-9, 18_014_398_509_481_984, 1e16],
  ...[
    null,
    "",
    "x".repeat(80),
    true,
    [],
    [[]],
    {},
    { __entity: { type: "User", id: "u0" } },
    "\u0000",
    "\u202e",
  ],
];

/** One member is strange, missing or not described. */
export function hostileObject(dice: Dice, fields: readonly Field[]): JsonObject {
  const value = sampleObject(dice, fields);
  const name = fields.length === 0 ? "extra" : dice.pick(fields).name;
  switch (dice.below(4)) {
    case 0:
      return JSON.parse(
        JSON.stringify(value).replace("{", '{"__proto__":1,').replace(",}", "}"),
      ) as JsonObject;
    case 1:
      return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
    case 2:
      return { ...value, [dice.pick(["zz", "yy", "__extn"])]: dice.pick(STRANGE) };
    default:
      return { ...value, [name]: dice.pick(STRANGE) };
  }
}

/** What Cedar sees of a valid value, by the documented table; what it cannot hold is left out. */
export function projectObject(fields: readonly Field[], value: JsonObject): JsonObject {
  const seen = fields.flatMap((field): readonly (readonly [string, JsonValue])[] => {
    const given = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    const shown = given === undefined || given === null ? undefined : project(field, given);
    return shown === undefined ? [] : [[field.name, shown]];
  });
  return Object.fromEntries(seen);
}

function project({ kind, fields }: Field, value: JsonValue): JsonValue | undefined {
  switch (kind) {
    case "opaque":
      return undefined;
    case "whole":
      return Number.isSafeInteger(value) ? value : undefined;
    case "number":
      return decimal(value as number);
    case "record":
      return projectObject(fields, value as JsonObject);
    case "rows":
      return (value as readonly JsonObject[]).map((row) => projectObject(fields, row));
    default:
      return value;
  }
}

function decimal(value: number): JsonValue | undefined {
  const text = Number.isInteger(value) && Math.abs(value) < 1e14 ? `${String(value)}.0` : String(value);
  return /^-?\d{1,14}\.\d{1,4}$/u.test(text) ? { __extn: { fn: "decimal", arg: text } } : undefined;
}
