// Random slices in Cedar JSON form and random requests for them, well typed and not.
import fc from "fast-check";
import type { PolicySection, PrincipalFacts, RegistrySection } from "#bundle";
import { canonicalJson, sha256Hex } from "#bundle";
import type { JsonObject, JsonValue } from "#std";

export const ACTION = "tools/call:srv/tool";

const CALLER: JsonObject = {
  memberOfTypes: ["Role", "Group", "Tenant"],
  shape: {
    type: "Record",
    attributes: {
      external: { type: "Boolean" },
      level: { type: "Long", required: false },
      teams: { type: "Set", element: { type: "String" }, required: false },
    },
  },
};

export const SCHEMA: JsonObject = {
  "": {
    entityTypes: {
      Role: {},
      Group: {},
      Tenant: {},
      User: CALLER,
      Agent: CALLER,
      Server: {
        shape: {
          type: "Record",
          attributes: { tier: { type: "String" }, labels: { type: "Set", element: { type: "String" } } },
        },
      },
    },
    actions: {
      "tools/call": {},
      [ACTION]: {
        memberOf: [{ id: "tools/call" }],
        appliesTo: {
          principalTypes: ["Agent", "User"],
          resourceTypes: ["Server"],
          context: {
            type: "Record",
            attributes: {
              text: { type: "String" },
              count: { type: "Long" },
              flag: { type: "Boolean", required: false },
              amount: { type: "Extension", name: "decimal" },
              now: { type: "Extension", name: "datetime", required: false },
              sourceIp: { type: "Extension", name: "ipaddr", required: false },
              auth: {
                type: "Record",
                attributes: { tokenAge: { type: "Extension", name: "duration" } },
                required: false,
              },
              names: { type: "Set", element: { type: "String" } },
              inner: {
                type: "Record",
                attributes: { text: { type: "String", required: false }, count: { type: "Long" } },
              },
            },
          },
        },
      },
    },
  },
};

const texts = fc.constantFrom("", "a", "ab", "abc", "ba", "*", "SELECT 1", "é", "👍a");
const longs = fc.constantFrom(0, 1, -1, 2, 7, 1000, 9007199254740991, -9007199254740991);
const decimals = fc.constantFrom("0.0", "1.5", "-1.25", "1.2500", "922337203685477.5807", "12.0001");
const times = fc.constantFrom(
  "2026-11-22",
  "2026-11-22T17:00:00.000Z",
  "1969-12-31T23:59:59.999Z",
  "9999-12-31",
);
const addresses = fc.constantFrom("10.1.2.3", "10.0.0.0/8", "::1", "::/0", "::ffff:a01:203", "224.0.0.1");
const spans = fc.constantFrom("0s", "90s", "-1500ms", "1h", "9223372036854775807ms");
const value = (json: JsonValue): JsonObject => ({ Value: json });
const variable = (name: string): JsonObject => ({ Var: name });
const attribute = (left: JsonValue, attr: string): JsonObject => ({ ".": { left, attr } });

const leaves: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.boolean().map(value),
  texts.map(value),
  longs.map(value),
  decimals.map((text) => ({ decimal: [value(text)] })),
  fc
    .constantFrom("text", "count", "flag", "amount", "names", "inner", "absent")
    .map((name) => attribute(variable("context"), name)),
  fc.constantFrom("text", "count").map((name) => attribute(attribute(variable("context"), "inner"), name)),
  fc
    .constantFrom("external", "level", "teams", "absent")
    .map((name) => attribute(variable("principal"), name)),
  times.map((text) => ({ datetime: [value(text)] })),
  addresses.map((text) => ({ ip: [value(text)] })),
  spans.map((text) => ({ duration: [value(text)] })),
  fc.constantFrom("now", "sourceIp").map((name) => attribute(variable("context"), name)),
  fc.constant(attribute(attribute(variable("context"), "auth"), "tokenAge")),
  fc.constantFrom("tier", "labels").map((name) => attribute(variable("resource"), name)),
  fc.constantFrom("principal", "resource", "action").map(variable),
  fc.constantFrom("A", "B").map((id) => value({ __entity: { type: "Role", id } })),
  fc.array(texts, { maxLength: 3 }).map((items) => ({ Set: items.map(value) })),
);

const BINARY = [
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "&&",
  "||",
  "+",
  "-",
  "*",
  "in",
  "contains",
  "containsAll",
  "containsAny",
];
const METHODS = [
  "lessThan",
  "lessThanOrEqual",
  "greaterThan",
  "greaterThanOrEqual",
  "isInRange",
  "offset",
  "durationSince",
];
const CONVERSIONS = ["isIpv4", "isLoopback", "toDate", "toTime", "toSeconds", "toDays"];
const patternParts = fc.oneof(
  fc.constant("Wildcard"),
  fc.constantFrom("a", "b", "ab", "é").map((text) => ({ Literal: text })),
);

const { expression } = fc.letrec<{ expression: JsonObject }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, depthSize: "medium" },
    leaves,
    fc
      .tuple(fc.constantFrom(...BINARY), tie("expression"), tie("expression"))
      .map(([operator, left, right]) => ({ [operator]: { left, right } })),
    fc
      .tuple(fc.constantFrom(...METHODS), tie("expression"), tie("expression"))
      .map(([method, left, right]) => ({ [method]: [left, right] })),
    fc
      .tuple(fc.constantFrom(...CONVERSIONS), tie("expression"))
      .map(([method, receiver]) => ({ [method]: [receiver] })),
    tie("expression").map((arg) => ({ "!": { arg } })),
    tie("expression").map((arg) => ({ neg: { arg } })),
    tie("expression").map((arg) => ({ isEmpty: { arg } })),
    fc.tuple(tie("expression"), tie("expression"), tie("expression")).map(([test, then, otherwise]) => ({
      "if-then-else": { if: test, then, else: otherwise },
    })),
    fc
      .tuple(tie("expression"), fc.constantFrom("text", "level", "external", "tier", "absent"))
      .map(([left, attr]) => ({ has: { left, attr } })),
    fc
      .tuple(tie("expression"), fc.array(patternParts, { maxLength: 4 }))
      .map(([left, pattern]) => ({ like: { left, pattern } })),
    fc
      .tuple(tie("expression"), fc.constantFrom("User", "Role", "Server"))
      .map(([left, entity_type]) => ({ is: { left, entity_type } })),
    fc.array(tie("expression"), { maxLength: 3 }).map((items) => ({ Set: items })),
    tie("expression").map((inner) => attribute({ Record: { text: inner } }, "text")),
  ),
}));

const principalScopes: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  { op: "All" },
  { op: "in", entity: { type: "Role", id: "A" } },
  { op: "==", entity: { type: "User", id: "alice" } },
  { op: "is", entity_type: "User" },
  { op: "is", entity_type: "User", in: { entity: { type: "Role", id: "B" } } },
);

const policy: fc.Arbitrary<JsonObject> = fc
  .record({
    effect: fc.constantFrom("permit", "forbid"),
    principal: principalScopes,
    conditions: fc.array(fc.record({ kind: fc.constantFrom("when", "unless"), body: expression }), {
      maxLength: 2,
    }),
  })
  .map(({ effect, principal, conditions }) => ({
    effect,
    principal,
    action: { op: "All" },
    resource: { op: "All" },
    conditions,
  }));

/** One to four policies as the section of a bundle. */
export const section: fc.Arbitrary<PolicySection> = fc
  .array(policy, { minLength: 1, maxLength: 4 })
  .map((policies) => {
    const residuals = policies.map((body) => [sha256Hex(canonicalJson(body)), body] as const);
    const schema = sha256Hex(canonicalJson(SCHEMA));
    const call = residuals.map(([residual], index) => ({ id: `p${index}`, residual }));
    return {
      residuals: Object.fromEntries(residuals),
      schemas: { [schema]: SCHEMA },
      slices: [
        { tenant: "default", action: ACTION, schema, call, visibility: [], shadow: [], derivations: [] },
      ],
    };
  });

export const REGISTRY: RegistrySection = {
  servers: [
    {
      id: "srv",
      tier: "production",
      labels: ["a", "b"],
      transports: {},
      pinMaxAgeMs: 1,
      eras: {},
      leaves: [
        {
          action: ACTION,
          kind: "tool",
          name: "tool",
          definitions: [],
          argumentsProgram: { nodes: [{}], root: 0 },
          paramHeaders: [],
        },
      ],
    },
  ],
};

export const principal: fc.Arbitrary<PrincipalFacts> = fc.record({
  type: fc.constantFrom("User", "Agent"),
  id: fc.constantFrom("alice", "bob"),
  tenant: fc.constant("default"),
  roles: fc.subarray(["A", "B"]),
  groups: fc.subarray(["g"]),
  attributes: fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record(
        { external: fc.boolean(), level: longs, teams: fc.subarray(["a", "ab"]) },
        { requiredKeys: ["external"] },
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom<Record<string, string | boolean>>({}, { external: "yes" }) },
  ),
});

const wellTyped: fc.Arbitrary<JsonObject> = fc.record(
  {
    text: texts,
    count: longs,
    flag: fc.boolean(),
    amount: decimals.map((arg) => ({ __extn: { fn: "decimal", arg } })),
    now: times.map((arg) => ({ __extn: { fn: "datetime", arg } })),
    sourceIp: addresses.map((arg) => ({ __extn: { fn: "ip", arg } })),
    auth: spans.map((arg) => ({ tokenAge: { __extn: { fn: "duration", arg } } })),
    names: fc.array(texts, { maxLength: 3 }),
    inner: fc.record({ text: texts, count: longs }, { requiredKeys: ["count"] }),
  },
  { requiredKeys: ["text", "count", "amount", "names", "inner"] },
);

/** Mostly contexts the schema accepts; some that it must refuse, and extension values as plain text. */
export const context: fc.Arbitrary<JsonObject> = fc.oneof(
  { weight: 9, arbitrary: wellTyped },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        wellTyped,
        fc.constantFrom<JsonObject>(
          { text: 1 },
          { count: "1" },
          { extra: true },
          { names: [1] },
          { inner: {} },
          { amount: 1 },
          { amount: "1.5" },
          { amount: "1" },
          { now: "2026-11-22" },
          { sourceIp: "::ffff:10.1.2.3" },
          { auth: { tokenAge: "1d1h" } },
          { auth: {} },
        ),
      )
      .map(([base, spoiled]) => ({ ...base, ...spoiled })),
  },
);
