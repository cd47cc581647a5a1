// Hostile pins and schemas.
import type { JsonObject } from "#std";
import {
  KIB,
  write,
  filled,
  file,
  serverWithTools,
  pinned,
  nestedSchema,
  branchingReferences,
  many,
} from "./planting.ts";
import type { HostileRepository } from "./planting.ts";

export const HOSTILE_PINS: readonly HostileRepository[] = [
  pinned("a schema 60 deep", () => nestedSchema(60), undefined, true),
  pinned("a schema 600 deep", () => nestedSchema(400)),
  pinned("2^40 references", () => branchingReferences(40), undefined, true),
  pinned("a reference to itself", () => ({ type: "object", properties: { a: { $ref: "#" } } })),
  pinned(
    "a cycle of references",
    () => ({ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }),
    "SCHEMA_REF_CYCLE",
  ),
  pinned(
    "a pattern bomb",
    () => ({ type: "object", properties: { a: { type: "string", pattern: "((a{1,900}){1,900}){1,900}" } } }),
    "SCHEMA_PATTERN_UNSUPPORTED",
  ),
  pinned("50,000 properties", () => ({
    type: "object",
    properties: Object.fromEntries(
      Array.from({ length: 50_000 }, (_, index) => [`p${index}`, { type: "string" }]),
    ),
  })),
  pinned("200,000 enum values", () => ({
    type: "object",
    properties: { a: { enum: Array.from({ length: 200_000 }, (_, index) => `v${index}`) } },
  })),
  pinned("anyOf of anyOf", () => {
    let schema: JsonObject = { type: "string" };
    for (let level = 0; level < 50; level += 1) schema = { anyOf: [schema, { type: "number" }] };
    return { type: "object", properties: { a: schema } };
  }),
  file("pins that are no JSON", "registry/pins/jira.json", () => filled("["), "PIN_INVALID"),
  file(
    "pins 100,000 deep",
    "registry/pins/jira.json",
    () => `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    "PIN_INVALID",
  ),
  file(
    "pins of 15 MiB",
    "registry/pins/jira.json",
    () => `[${filled("1,", 15 * KIB * KIB)}1]`,
    "PIN_INVALID",
  ),
  {
    name: "5,000 tools",
    small: false,
    plant: (dir) =>
      serverWithTools(
        dir,
        "n",
        Array.from({ length: 5_000 }, (_, index) => ({
          name: `t${index}`,
          inputSchema: { type: "object", properties: { a: { type: "string" } } },
        })),
      ),
  },
  {
    name: "2,000 tools under 3,000 wide policies",
    small: false,
    plant: (dir) => {
      serverWithTools(
        dir,
        "n",
        Array.from({ length: 2_000 }, (_, index) => ({
          name: `t${index}`,
          inputSchema: { type: "object", properties: { a: { type: "string" } } },
        })),
      );
      write(
        dir,
        "policies/hostile.cedar",
        many(3_000, (index) => `forbid(principal,action,resource)when{principal in Group::"g${index}"};`, ""),
      );
    },
    code: "CEDAR_TOO_MANY",
  },
];
