// Tools that a client must not use because of what they have mirrored into headers.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { mirrorFault } from "../../../../compiler/registry/mirrored-arguments.ts";

const one = (declared: unknown, type = "string"): JsonObject =>
  ({ type: "object", properties: { value: { type, "x-mcp-header": declared } } }) as JsonObject;
const two = (first: string, second: string): JsonObject => ({
  type: "object",
  properties: {
    a: { type: "string", "x-mcp-header": first },
    b: { type: "object", properties: { c: { type: "integer", "x-mcp-header": second } } },
  },
});

describe("declarations of mirrored arguments", () => {
  it.each([
    ["none", { type: "object", properties: { a: { type: "object" } } }],
    ["no schema at all", undefined],
    ["a string", one("Region")],
    ["an integer", one("Priority", "integer")],
    ["a boolean", one("Verbose", "boolean")],
    ["two names, one of them below a member", two("Region", "Zone")],
    [
      "a member that has the annotation's name",
      { type: "object", properties: { "x-mcp-header": { type: "number" } } },
    ],
  ])("are fine: %s", (_title, schema) => {
    expect(mirrorFault(schema)).toBeUndefined();
  });

  it.each([
    ["an empty name", one("")],
    ["no text", one(7)],
    ["a space", one("My Region")],
    ["a colon", one("Region:Primary")],
    ["beyond ASCII", one("Région")],
    ["a control character", one("Region\t1")],
    ["a number", one("Score", "number")],
    ["an object", one("Data", "object")],
    ["an array", one("Items", "array")],
    ["null", one("Nil", "null")],
    ["the same name twice", two("Region", "Region")],
    ["the same name in another case", two("MyField", "myfield")],
  ])("are refused: %s", (_title, schema) => {
    expect(mirrorFault(schema)).toContain("x-mcp-header");
  });
});
