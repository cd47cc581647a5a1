// Generated schemas and instances: our program and ajv must agree on every verdict, and a projected value must have
// exactly the type that the compiler tells the Cedar schema generator.
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { compileProgram, validateAndProject } from "#schema";
import type { JsonObject, JsonValue } from "#std";
import { describeProjection, lowerSchema } from "../../../compiler/json-schema/index.ts";
import type { ProjectedType } from "../../../compiler/json-schema/index.ts";

const SCHEMAS = Number(process.env["AEGIS_SCHEMA_RUNS"] ?? 500);
const INSTANCES_PER_SCHEMA = 8;

const NAMES = ["a", "b", "c", "d1", "__entity", "constructor"] as const;
const name = fc.constantFrom(...NAMES);
const small = fc.integer({ min: -3, max: 6 });
const count = fc.integer({ min: 0, max: 3 });
const text = fc.constantFrom("", "a", "ab", "b1", "\u{1f600}", "\u00a0", "a\nb", "2026", "é");
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  text,
  small,
  fc.constantFrom(0.5, 1.25, -0.75, 2.00001, 9007199254740991, 1e21),
  fc.boolean(),
  fc.constant(null),
);

const instance: fc.Memo<JsonValue> = fc.memo((depth) =>
  depth <= 1
    ? scalar
    : fc.oneof(
        { weight: 3, arbitrary: scalar },
        { weight: 1, arbitrary: fc.array(instance(depth - 1), { maxLength: 3 }) },
        { weight: 3, arbitrary: fc.dictionary(name, instance(depth - 1), { maxKeys: 4 }) },
      ),
);
const args = fc.dictionary(name, instance(3), { maxKeys: 5 }) as fc.Arbitrary<JsonObject>;

const pattern = fc.constantFrom(
  "^a",
  "b$",
  "^\\s$",
  "^.$",
  "[0-9]{2,}",
  "^[^a]+$",
  "\\u0061",
  "\\S",
  "[\\s\\w]+",
  "^(a|b)*$",
);
const typeName = fc.constantFrom("string", "integer", "number", "boolean", "null", "array", "object");
const reference = fc.constantFrom("#/$defs/d", "#/definitions/e", "#", "#anchored");

function optional(entries: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<JsonObject> {
  return fc.record(entries, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>;
}

const schema: fc.Memo<JsonValue> = fc.memo((depth) => {
  const leaf = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: typeName }) },
    { weight: 2, arbitrary: fc.record({ type: fc.uniqueArray(typeName, { minLength: 1, maxLength: 2 }) }) },
    { weight: 1, arbitrary: fc.boolean() },
    {
      weight: 2,
      arbitrary: fc.record({
        enum: fc.uniqueArray(instance(2), {
          minLength: 1,
          maxLength: 3,
          selector: (value) => JSON.stringify(value),
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ const: instance(2) }) },
    {
      weight: 2,
      arbitrary: fc.record(
        { type: fc.constant("string"), minLength: count, maxLength: count, pattern },
        { requiredKeys: ["type"] },
      ),
    },
    {
      weight: 2,
      arbitrary: optional({
        type: fc.constantFrom("integer", "number"),
        minimum: small,
        maximum: small,
        exclusiveMinimum: small,
        exclusiveMaximum: small,
        multipleOf: fc.constantFrom(2, 0.25, 1),
      }),
    },
    { weight: 2, arbitrary: fc.record({ $ref: reference }) },
    { weight: 1, arbitrary: fc.record({ $ref: reference, maxProperties: count }) },
  ) as fc.Arbitrary<JsonValue>;
  if (depth <= 1) return leaf;
  const sub = schema(depth - 1);
  const object = optional({
    type: fc.constant("object"),
    properties: fc.dictionary(name, sub, { maxKeys: 3 }),
    required: fc.uniqueArray(name, { maxLength: 2 }),
    additionalProperties: sub,
    propertyNames: sub,
    patternProperties: fc.dictionary(pattern, sub, { minKeys: 1, maxKeys: 1 }),
    minProperties: count,
    maxProperties: count,
    dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 1 }),
    dependentSchemas: fc.dictionary(name, sub, { maxKeys: 1 }),
  });
  const lengths = {
    type: fc.constant("array"),
    minItems: count,
    maxItems: count,
    uniqueItems: fc.boolean(),
    items: sub,
  };
  // Never together: ajv accepts [] for {prefixItems: [{maxProperties: 0}], contains: {}}, which §10.3.1.3 refuses.
  const tuple = optional({ ...lengths, prefixItems: fc.array(sub, { minLength: 1, maxLength: 2 }) });
  const list = optional({ ...lengths, contains: sub, minContains: count, maxContains: count });
  const mixed = optional({
    type: typeName,
    allOf: fc.array(sub, { minLength: 1, maxLength: 2 }),
    anyOf: fc.array(sub, { minLength: 1, maxLength: 3 }),
    oneOf: fc.array(sub, { minLength: 1, maxLength: 3 }),
    not: sub,
    if: sub,
    then: sub,
    else: sub,
  });
  const nullable = sub.map((inner) => ({ anyOf: [inner, { type: "null" }] }));
  return fc.oneof(leaf, object, object, tuple, list, mixed, nullable) as fc.Arbitrary<JsonValue>;
});

const root = fc
  .record({
    properties: fc.dictionary(name, schema(3), { minKeys: 1, maxKeys: 4 }),
    rest: schema(2),
    d: schema(2),
    e: schema(2),
    anchored: schema(1),
  })
  .map(({ properties, rest, d, e, anchored }): JsonObject => ({
    type: "object",
    properties,
    ...(typeof rest === "object" && rest !== null ? { anyOf: [rest, true] } : {}),
    $defs: { d, f: { $anchor: "anchored", allOf: [anchored] } },
    definitions: { e },
  }));

/** The keywords of the older dialects, from a schema of the newest. */
function toDraft07(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map((item: JsonValue) => toDraft07(item));
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, JsonValue> = {};
  for (const [key, member] of Object.entries(value as JsonObject)) {
    if (key === "prefixItems") result["items"] = toDraft07(member);
    else if (key === "items")
      result["prefixItems" in value ? "additionalItems" : "items"] = toDraft07(member);
    else if (key === "dependentRequired" || key === "dependentSchemas") {
      result["dependencies"] = toDraft07(member);
    } else if (key === "minContains" || key === "maxContains") continue;
    else if (key === "$anchor") continue;
    else if (member === "#anchored") result[key] = "#/$defs/f";
    else result[key] = toDraft07(member);
  }
  return result;
}

function matches(type: ProjectedType, value: JsonValue | undefined): boolean {
  switch (type.kind) {
    case "String":
      return typeof value === "string";
    case "Long":
      return Number.isSafeInteger(value);
    case "Bool":
      return typeof value === "boolean";
    case "Decimal":
      return /^\{"__extn":\{"fn":"decimal","arg":"-?\d+\.\d{1,4}"\}\}$/.test(JSON.stringify(value));
    case "Set":
      return Array.isArray(value) && value.every((item: JsonValue) => matches(type.element, item));
    case "Record": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
      const known = new Map(type.attributes.map((attribute) => [attribute.name, attribute]));
      const record = value as JsonObject;
      return (
        Object.keys(record).every((key) => known.has(key)) &&
        type.attributes.every((attribute) =>
          Object.hasOwn(record, attribute.name)
            ? matches(attribute.type, record[attribute.name])
            : !attribute.required,
        )
      );
    }
  }
}

interface Tally {
  verdicts: number;
  valid: number;
  projected: number;
}

/** Ordinary objects: ajv's equality looks at the prototype. */
function plain(value: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/** ajv's verdict; undefined where the code it generated is faulty (`props0 is not defined`). */
function referenceVerdict(validator: (value: JsonObject) => unknown, value: JsonObject): boolean | undefined {
  try {
    return validator(value) === true;
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

function compare(
  generated: JsonObject,
  instances: readonly JsonObject[],
  ajv: Ajv | Ajv2020,
  tally: Tally,
): void {
  const draft = plain(generated);
  const values = instances.map(plain);
  const { program, findings } = lowerSchema(draft);
  const errors = findings.filter(({ severity }) => severity === "error");
  // ajv overflows the stack on a schema that is applied to its own value for ever; we refuse it when lowering.
  if (errors.some(({ code }) => code === "SCHEMA_REF_CYCLE")) return;
  expect(errors).toEqual([]);
  const validator = ajv.compile(draft);
  const compiled = compileProgram(program);
  const { type } = describeProjection(program);
  for (const value of values) {
    const expected = referenceVerdict(validator, value);
    if (expected === undefined) continue;
    const outcome = validateAndProject(compiled, value);
    const valid = outcome.ok || outcome.code === "ARGUMENTS_NOT_REPRESENTABLE";
    tally.verdicts += 1;
    if (valid) tally.valid += 1;
    expect({ valid, draft, value }).toEqual({ valid: expected, draft, value });
    if (!outcome.ok) continue;
    tally.projected += 1;
    expect({ typed: matches(type, outcome.projected), draft, value }).toEqual({ typed: true, draft, value });
  }
}

describe("against ajv", () => {
  const corpus = fc.tuple(
    root,
    fc.array(args, { minLength: INSTANCES_PER_SCHEMA, maxLength: INSTANCES_PER_SCHEMA }),
  );

  it("agrees on 2020-12", () => {
    const ajv = new Ajv2020({
      strict: false,
      validateFormats: false,
      validateSchema: false,
      logger: false,
      ownProperties: true,
    });
    const tally: Tally = { verdicts: 0, valid: 0, projected: 0 };
    fc.assert(
      fc.property(corpus, ([draft, values]) => compare(draft, values, ajv, tally)),
      { numRuns: SCHEMAS, seed: 20_201_2 },
    );
    expect(tally.verdicts).toBeGreaterThan(SCHEMAS * INSTANCES_PER_SCHEMA * 0.8);
    expect(tally.valid).toBeGreaterThan(tally.verdicts / 20);
    expect(tally.valid).toBeLessThan(tally.verdicts);
    expect(tally.projected).toBeGreaterThan(tally.verdicts / 20);
  });

  it("agrees on draft-07", () => {
    const ajv = new Ajv({
      strict: false,
      validateFormats: false,
      validateSchema: false,
      logger: false,
      ownProperties: true,
    });
    const tally: Tally = { verdicts: 0, valid: 0, projected: 0 };
    fc.assert(
      fc.property(corpus, ([draft, values]) => compare(toDraft07(draft) as JsonObject, values, ajv, tally)),
      { numRuns: SCHEMAS, seed: 7 },
    );
    expect(tally.verdicts).toBeGreaterThan(SCHEMAS * INSTANCES_PER_SCHEMA * 0.8);
    expect(tally.valid).toBeGreaterThan(tally.verdicts / 20);
    expect(tally.valid).toBeLessThan(tally.verdicts);
  });
});
