// What lowering reports, what policies can read afterwards, and pruning.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { SchemaProgram } from "#bundle";
import { validateAndProject } from "#schema";
import { rawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import {
  describeProjection,
  lowerPromptArguments,
  uriArguments,
  lowerSchema,
  projectedPaths,
  projectedTypeAt,
  pruneProjection,
} from "../../../../compiler/json-schema/index.ts";

interface FindingsCase {
  readonly name: string;
  readonly schema: JsonValue;
  readonly findings: readonly (readonly [string, string])[];
}

const file = join(import.meta.dirname, "../../../data/schema/findings.yaml");
const cases = parse(readFileSync(file, "utf8")) as readonly FindingsCase[];

describe("findings", () => {
  it.each(cases)("$name", ({ schema, findings }) => {
    const lowered = lowerSchema(schema);
    expect(lowered.findings.map(({ code, pointer }) => [code, pointer])).toEqual(findings);
    const failed = lowered.findings.some(({ severity }) => severity === "error");
    if (failed) expect(validateAndProject(lowered.program, {})).toMatchObject({ ok: false });
  });

  it("limits the number of nodes", () => {
    const properties = Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`p${index}`, {}]));
    const lowered = lowerSchema({ type: "object", properties });
    expect(lowered.findings.map(({ code }) => code)).toEqual(["SCHEMA_TOO_LARGE"]);
  });

  it("does not expand shared definitions without end", () => {
    const $defs: Record<string, JsonObject> = {
      d0: { type: "object", properties: { x: { type: "string" } } },
    };
    for (let level = 1; level < 30; level += 1) {
      const $ref = `#/$defs/d${level - 1}`;
      $defs[`d${level}`] = { type: "object", properties: { a: { $ref }, b: { $ref } } };
    }
    const lowered = lowerSchema({ type: "object", properties: { top: { $ref: "#/$defs/d29" } }, $defs });
    expect(new Set(lowered.findings.map(({ code }) => code))).toEqual(
      new Set(["SCHEMA_PROJECTION_TOO_LARGE"]),
    );
    expect(projectedPaths(lowered.program).length).toBeLessThan(5_000);
  });

  it("rounds a bound that no double carries and says so", () => {
    const schema = {
      type: "object",
      properties: { id: { type: "integer", maximum: rawNumber("18446744073709551615") } },
    };
    expect(lowerSchema(schema).findings.map(({ code }) => code)).toEqual(["SCHEMA_KEYWORD_IGNORED"]);
  });
});

const schema = {
  type: "object",
  required: ["sql", "opts", "maybe"],
  properties: {
    sql: { type: "string" },
    limit: { type: "integer" },
    ratio: { type: "number" },
    maybe: { type: ["string", "null"] },
    tags: { type: "array", items: { type: "string" } },
    any: {},
    opts: {
      type: "object",
      required: ["deep"],
      properties: { deep: { type: "boolean" }, either: { type: ["string", "boolean"] } },
    },
    alt: { anyOf: [{ $ref: "#/$defs/P" }, { type: "null" }] },
  },
  $defs: {
    P: { type: "object", properties: { x: { type: "number" }, y: { type: "string" } }, required: ["x"] },
  },
};

describe("describeProjection", () => {
  const { program } = lowerSchema(schema);
  const described = describeProjection(program);

  it("lists what policies can read and what they cannot", () => {
    expect(
      projectedPaths(program).map(({ path, type, required }) => [path.join("."), type.kind, required]),
    ).toEqual([
      ["alt", "Record", false],
      ["alt.x", "Decimal", false],
      ["alt.y", "String", false],
      ["limit", "Long", false],
      ["maybe", "String", false],
      ["opts", "Record", true],
      ["opts.deep", "Bool", true],
      ["ratio", "Decimal", false],
      ["sql", "String", true],
      ["tags", "Set", false],
    ]);
    expect(described.opaque).toEqual([["any"], ["opts", "either"]]);
  });

  it("finds the type at a path", () => {
    expect(projectedTypeAt(described.type, ["opts", "deep"])).toEqual({ kind: "Bool" });
    expect(projectedTypeAt(described.type, ["tags"])).toEqual({ kind: "Set", element: { kind: "String" } });
    expect(projectedTypeAt(described.type, ["opts", "either"])).toBeUndefined();
    expect(projectedTypeAt(described.type, ["sql", "x"])).toBeUndefined();
  });
});

describe("pruneProjection", () => {
  const { program } = lowerSchema(schema);
  const value = { sql: "s", ratio: 0.000001, maybe: "m", opts: { deep: true }, alt: { x: 0.000001, y: "v" } };
  const prune = (
    of: SchemaProgram,
    values: readonly (readonly string[])[],
    presences: readonly (readonly string[])[] = [],
  ): SchemaProgram => pruneProjection(of, { values, presences, elements: [] });

  it("denies what cannot be represented only where it is read", () => {
    expect(validateAndProject(program, value)).toMatchObject({ code: "ARGUMENTS_NOT_REPRESENTABLE" });
    const pruned = prune(program, [["sql"], ["alt", "y"]]);
    expect(validateAndProject(pruned, value)).toEqual({
      ok: true,
      projected: { sql: "s", alt: { y: "v" } },
      extra: [],
    });
    expect(validateAndProject(prune(program, [["alt"]]), value)).toMatchObject({
      code: "ARGUMENTS_NOT_REPRESENTABLE",
      path: "/alt/x",
    });
  });

  it("describes what it projects", () => {
    const pruned = prune(program, [["opts", "deep"], ["tags"], ["missing"], ["sql", "below"]]);
    expect(projectedPaths(pruned).map(({ path }) => path.join("."))).toEqual([
      "opts",
      "opts.deep",
      "sql",
      "tags",
    ]);
  });

  it("tells the presence of a record without its members", () => {
    const pruned = prune(program, [["alt", "y"]], [["alt"], ["opts"], ["maybe"], ["missing"]]);
    expect(validateAndProject(pruned, value)).toMatchObject({
      projected: { alt: { y: "v" }, opts: {}, maybe: "m" },
    });
    const { alt: _alt, ...without } = value;
    expect(validateAndProject(pruned, { ...without, maybe: null })).toMatchObject({
      projected: { opts: {} },
    });
  });

  it("keeps validation and recursion", () => {
    const tree = lowerSchema({
      type: "object",
      required: ["name"],
      properties: { name: { type: "string", maxLength: 3 }, kids: { type: "array", items: { $ref: "#" } } },
    }).program;
    const pruned = prune(tree, [["name"]]);
    expect(validateAndProject(pruned, { name: "a", kids: [{ name: "b" }], z: 1 })).toEqual({
      ok: true,
      projected: { name: "a" },
      extra: ["z"],
    });
    expect(validateAndProject(pruned, { name: "a", kids: [{ name: "long" }] })).toMatchObject({
      code: "ARGUMENTS_INVALID",
      path: "/kids/0/name",
    });
    expect(validateAndProject(prune(tree, []), { name: "a" })).toMatchObject({ projected: {} });
  });

  it("follows definitions thousands deep", () => {
    const $defs: Record<string, JsonObject> = { d0: { type: "string" } };
    for (let level = 1; level < 4_000; level += 1) {
      $defs[`d${level}`] = { type: "object", properties: { a: { $ref: `#/$defs/d${level - 1}` } } };
    }
    const { program: deep } = lowerSchema({
      type: "object",
      properties: { top: { $ref: "#/$defs/d3999" } },
      $defs,
    });
    expect(prune(deep, [["top"]]).nodes).toHaveLength(deep.nodes.length);
  });
});

describe("leaves without a schema", () => {
  it("takes prompt arguments as strings", () => {
    const prompt = { name: "p", arguments: [{ name: "who", required: true }, { name: "why" }] };
    const { program, findings } = lowerPromptArguments(prompt);
    expect(findings).toEqual([]);
    expect(validateAndProject(program, { who: "a", other: "b" })).toEqual({
      ok: true,
      projected: { who: "a" },
      extra: ["other"],
    });
    expect(validateAndProject(program, { why: "x" })).toMatchObject({
      code: "ARGUMENTS_INVALID",
      path: "/who",
    });
    expect(validateAndProject(program, { who: "a", other: 1 })).toMatchObject({ code: "ARGUMENTS_INVALID" });
  });

  it.each([[{ arguments: 1 }], [{ arguments: [{}] }], [{ arguments: [{ name: "a" }, { name: "a" }] }]])(
    "refuses the prompt %j",
    (prompt) => {
      const { program, findings } = lowerPromptArguments(prompt as unknown as JsonObject);
      expect(findings.map(({ code }) => code)).toEqual(["SCHEMA_INVALID"]);
      expect(validateAndProject(program, {})).toMatchObject({ ok: false });
    },
  );

  it("takes the URI of a resource", () => {
    const program = uriArguments();
    expect(validateAndProject(program, { uri: "file:///a" })).toMatchObject({
      projected: { uri: "file:///a" },
    });
    expect(validateAndProject(program, {})).toMatchObject({ ok: false });
    expect(validateAndProject(program, { uri: "x", b: "y" })).toMatchObject({ ok: false });
  });
});
