// Deciding on what policies read equals deciding on everything the pinned schema shows.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LeafEntry, PolicySection, PrincipalFacts, RegistrySection, ServerEntry } from "#bundle";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import type { JsonObject } from "#std";
import { compileCedar } from "../../../../compiler/cedar/index.ts";
import { leafSchema } from "../../../../compiler/cedar/schema.ts";
import { lowerSchema } from "../../../../compiler/json-schema/index.ts";
import { ATTRIBUTES, MODEL, server } from "./model.ts";

const ACTION = "tools/call:shop/order";

const place = {
  type: "object",
  properties: { lat: { type: "number" }, label: { type: "string" } },
  required: ["label"],
};
const { program } = lowerSchema({
  type: "object",
  properties: {
    id: { type: "integer" },
    name: { type: ["string", "null"] },
    tags: { type: "array", items: { type: "string" } },
    place,
    trip: { type: "object", properties: { from: place, to: place }, required: ["from"] },
    anything: {},
  },
});

const LEAF: LeafEntry = {
  action: ACTION,
  kind: "tool",
  name: "order",
  definitions: [],
  argumentsProgram: program,
  paramHeaders: [],
};
const SHOP: ServerEntry = server("shop", "internal", [], [LEAF]);
const CALLER: PrincipalFacts = {
  type: "User",
  id: "alice",
  tenant: "default",
  roles: [],
  groups: [],
  attributes: { is_external: false, email: "a@example.org", teams: [] },
};

const a = "context.arguments";
const READS: readonly string[] = [
  `${a} has id`,
  `${a} has id && ${a}.id > 3`,
  `${a} has name && ${a}.name == "x"`,
  `${a} has name && ${a}["name"].matches("^x")`,
  `${a} has tags && ${a}.tags.contains("x")`,
  `${a} has tags && ${a}.tags.isEmpty()`,
  `${a} has place && ${a}.place.label == "here"`,
  `${a} has place.lat && ${a}.place.lat.lessThan(decimal("1.5"))`,
  `${a} has trip && ${a}.trip has to && ${a}.trip.to.label == ${a}.trip.from.label`,
  `${a} has trip.to.lat`,
  `${a} has trip && ${a} has place && ${a}.place == ${a}.trip.from`,
  `${a} has trip && ${a}.trip has to && [${a}.trip.to].contains(${a}.trip.from)`,
  `(if context.extra.contains("z") then ${a} else ${a}) has id`,
  `(if principal.is_external then context else context).target == "order" && ${a} has name`,
  `{whole: ${a}, one: 1}.whole has tags`,
  `context == context`,
];

const text = fc.constantFrom("x", "xy", "here");
const somewhere = fc.record({ label: text, lat: fc.constantFrom(1, 1.25, 2) }, { requiredKeys: ["label"] });
const callArguments = fc.record(
  {
    id: fc.integer({ min: 0, max: 6 }),
    name: fc.option(text),
    tags: fc.array(text, { maxLength: 2 }),
    place: somewhere,
    trip: fc.record({ from: somewhere, to: somewhere }, { requiredKeys: ["from"] }),
    anything: fc.constantFrom<JsonObject[string]>(1.000001, "x", []),
    z: fc.constant(1),
  },
  { requiredKeys: [] },
);
const condition = fc
  .array(fc.tuple(fc.boolean(), fc.constantFrom(...READS)), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map(([negated, part]) => `${negated ? "!" : ""}(${part})`).join(" || "));
const written = fc
  .array(fc.tuple(fc.constantFrom("permit", "permit", "forbid"), condition), { minLength: 1, maxLength: 3 })
  .map((items) => items.map(([effect, body]) => `${effect} (principal, action, resource) when { ${body} };`));

async function answer(evaluator: Evaluator, value: JsonObject): Promise<JsonObject> {
  const prepared = await evaluator.prepare({
    tenant: "default",
    action: ACTION,
    arguments: value,
    principal: CALLER,
    request: UNKNOWN_REQUEST,
    signal: AbortSignal.timeout(5_000),
  });
  if (!prepared.ok) return { code: prepared.code };
  const { effect, reasons, errors } = evaluator.decide(prepared.query);
  return {
    effect,
    reasons,
    errors: errors.map((error) => error.policy),
    extra: prepared.query.context["extra"] ?? [],
  };
}

/** The same slices over everything the pinned schema shows. */
function unpruned(section: PolicySection): {
  readonly policies: PolicySection;
  readonly registry: RegistrySection;
} {
  const schemas: Record<string, JsonObject> = {};
  const slices = section.slices.map((slice) => {
    schemas[slice.action] = leafSchema(LEAF, ATTRIBUTES, slice.derivations);
    return { ...slice, schema: slice.action };
  });
  return { policies: { ...section, schemas, slices }, registry: { servers: [SHOP] } };
}

async function compare(policies: readonly string[], calls: readonly JsonObject[]): Promise<void> {
  const sources = [{ file: "p.cedar", text: policies.join("\n") }];
  const output = compileCedar({ sources, generated: [], model: { ...MODEL, servers: [SHOP] } });
  expect(output.findings.filter((item) => item.severity === "error")).toEqual([]);
  const narrow = await createEvaluator({ policies: output.policies, registry: { servers: output.servers } });
  const wide = await createEvaluator(unpruned(output.policies));
  try {
    for (const call of calls) {
      const expected = await answer(wide, call);
      expect(expected["code"]).toBeUndefined();
      expect(await answer(narrow, call)).toEqual(expected);
    }
  } finally {
    narrow.dispose();
    wide.dispose();
  }
}

const FULL: JsonObject = {
  id: 5,
  name: "x",
  tags: ["x"],
  place: { label: "here", lat: 1.25 },
  trip: { from: { label: "here" }, to: { label: "here", lat: 2 } },
};

test.each(READS)("%s", async (read) => {
  const members = Object.keys(FULL).map((name) => ({ ...FULL, [name]: undefined }));
  const without = JSON.parse(JSON.stringify(members)) as readonly JsonObject[];
  await compare([`permit (principal, action, resource) when { ${read} };`], [FULL, {}, ...without]);
});

test("what is not read makes no difference", async () => {
  await fc.assert(
    fc.asyncProperty(written, fc.array(callArguments, { minLength: 4, maxLength: 8 }), (policies, calls) =>
      compare(policies, calls as readonly JsonObject[]),
    ),
    { seed: 20_260_728, numRuns: 25 },
  );
});
