// Arguments through lowered schemas: the cases of test/data/schema, and what the data format cannot say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { compileProgram, validateAndProject } from "#schema";
import type { JsonObject, JsonValue } from "#std";
import { parseJsonText } from "#transform";
import { lowerSchema } from "../../../compiler/json-schema/index.ts";

interface ArgumentsCase {
  readonly json: string;
  readonly projected?: JsonObject;
  readonly extra?: readonly string[];
  readonly code?: string;
  readonly path?: string;
}

interface ArgumentsGroup {
  readonly name: string;
  readonly schema: JsonValue;
  readonly cases: readonly ArgumentsCase[];
}

const file = join(import.meta.dirname, "../../data/schema/arguments.yaml");
const groups = parse(readFileSync(file, "utf8")) as readonly ArgumentsGroup[];

describe.each(groups)("$name", ({ schema, cases }) => {
  const { program, findings } = lowerSchema(schema);
  it("lowers without errors", () => {
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
  });
  it.each(cases)("$json", ({ json, projected, extra, code, path }) => {
    const value = parseJsonText(json);
    if (value === undefined) throw new Error(`not JSON: ${json}`);
    const outcome = validateAndProject(compileProgram(program), value);
    if (code === undefined) expect(outcome).toEqual({ ok: true, projected, extra });
    else expect(outcome).toMatchObject({ ok: false, code, path });
  });
});

describe("validateAndProject", () => {
  it("accepts a program that was through JSON", () => {
    const { program } = lowerSchema({
      type: "object",
      properties: { a: { type: "string", pattern: "^\\s$" } },
    });
    const copy = JSON.parse(JSON.stringify(program)) as typeof program;
    expect(validateAndProject(copy, { a: "\u00a0" })).toMatchObject({ ok: true, projected: { a: "\u00a0" } });
  });

  it("gives records without a prototype", () => {
    const { program } = lowerSchema({
      type: "object",
      properties: { o: { type: "object", properties: {} } },
    });
    const outcome = validateAndProject(program, { o: {} });
    if (!outcome.ok) throw new Error(outcome.message);
    expect(Object.getPrototypeOf(outcome.projected)).toBe(null);
    expect(Object.getPrototypeOf(outcome.projected["o"])).toBe(null);
  });

  it.each([-0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("does not represent %s", (number) => {
    const schema = { type: "object", properties: { i: { type: "integer" }, n: { type: "number" } } };
    const { program } = lowerSchema(schema);
    expect(validateAndProject(program, { i: number })).toMatchObject({ ok: false, path: "/i" });
    expect(validateAndProject(program, { n: number })).toMatchObject({ ok: false, path: "/n" });
  });

  it("never names a value in a refusal", () => {
    const { program } = lowerSchema({ type: "object", properties: { a: { enum: ["x"] } } });
    expect(JSON.stringify(validateAndProject(program, { a: "hunter2" }))).not.toContain("hunter2");
  });

  it("stops exponential schemas", () => {
    const branch = { type: "array", items: { $ref: "#/$defs/A" } };
    const { program } = lowerSchema({
      type: "object",
      properties: { a: { $ref: "#/$defs/A" } },
      $defs: { A: { anyOf: [{ ...branch, maxItems: 5 }, { ...branch, minItems: 0 }, { const: 1 }] } },
    });
    let value: JsonValue = 2;
    for (let level = 0; level < 60; level += 1) value = [value];
    expect(validateAndProject(program, { a: value })).toMatchObject({ ok: false, code: "ARGUMENTS_INVALID" });
  });

  it("stops at values nested too deeply", () => {
    const { program } = lowerSchema({ type: "object", properties: { a: { $ref: "#" } } });
    let value: JsonObject = {};
    for (let level = 0; level < 5_000; level += 1) value = { a: value };
    expect(validateAndProject(program, value)).toMatchObject({ ok: false, code: "ARGUMENTS_INVALID" });
    const listed = lowerSchema({ type: "object", properties: { a: { uniqueItems: true } } }).program;
    expect(validateAndProject(listed, { a: [value] })).toMatchObject({
      ok: false,
      code: "ARGUMENTS_INVALID",
    });
  });

  it("limits undescribed names", () => {
    const many = Object.fromEntries(Array.from({ length: 1_025 }, (_, index) => [`k${index}`, 1]));
    const { program } = lowerSchema({ type: "object" });
    expect(validateAndProject(program, many)).toMatchObject({
      ok: false,
      code: "ARGUMENTS_NOT_REPRESENTABLE",
    });
  });
});

describe("compileProgram", () => {
  it.each([
    ["a link to nowhere", { nodes: [{ items: 7 }], root: 0 }],
    ["a root that does not exist", { nodes: [], root: 0 }],
    ["a pattern that is not RE2", { nodes: [{ pattern: "(?=a)" }], root: 0 }],
    ["a projection that is no Record", { nodes: [{ types: ["string"], projection: "String" }], root: 0 }],
    [
      "a Set without element type",
      {
        nodes: [{ projection: "Record", properties: { a: 1 } }, { projection: "Set", items: 2 }, {}],
        root: 0,
      },
    ],
    ["a recursive projection", { nodes: [{ projection: "Record", properties: { a: 0 } }], root: 0 }],
    ["an unknown type", { nodes: [{ types: ["text"] }], root: 0 }],
  ])("refuses %s", (_, program) => {
    expect(() => compileProgram(program as unknown as Parameters<typeof compileProgram>[0])).toThrow(
      expect.objectContaining({ code: "BUNDLE_INVALID" }) as Error,
    );
  });
});
