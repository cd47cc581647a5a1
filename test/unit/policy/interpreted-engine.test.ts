// The second engine's safety net: what it does not have stays with cedar-wasm, and a difference denies and is reported.
import { describe, expect, it } from "vitest";
import { canonicalJson, sha256Hex } from "#bundle";
import type { PolicySection, PrincipalFacts } from "#bundle";
import { createCedarInstance, createCedarPdp, createInterpretedPdp } from "#pdp";
import type { CedarInstance, DecisionDifference, DecisionQuery } from "#pdp";
import type { JsonObject } from "#std";
import { ACTION, REGISTRY, SCHEMA } from "./random-slices.ts";

const ALICE: PrincipalFacts = {
  type: "User",
  id: "alice",
  tenant: "default",
  roles: ["A"],
  groups: [],
  attributes: { external: false },
};
const QUERY: DecisionQuery = {
  mode: "call",
  tenant: "default",
  action: ACTION,
  server: "srv",
  principal: ALICE,
  context: {
    text: "",
    count: 0,
    amount: { __extn: { fn: "decimal", arg: "0.0" } },
    names: [],
    inner: { count: 0 },
  },
};

function sectionOf(...conditions: readonly JsonObject[]): PolicySection {
  const body = {
    effect: "permit",
    principal: { op: "All" },
    action: { op: "All" },
    resource: { op: "All" },
    conditions: [...conditions],
  };
  const residual = sha256Hex(canonicalJson(body));
  const schema = sha256Hex(canonicalJson(SCHEMA));
  const slice = {
    tenant: "default",
    action: ACTION,
    schema,
    call: [{ id: "p", residual }],
    visibility: [],
    shadow: [],
    derivations: [],
  };
  return { residuals: { [residual]: body }, schemas: { [schema]: SCHEMA }, slices: [slice] };
}

const when = (body: JsonObject): JsonObject => ({ kind: "when", body });

describe("interpreted engine", () => {
  it.each([
    ["ip addresses", when({ isLoopback: [{ ip: [{ Value: "127.0.0.1" }] }] })],
    [
      "dates",
      when({
        "<": {
          left: { datetime: [{ Value: "2020-01-01" }] },
          right: { datetime: [{ Value: "2021-01-01" }] },
        },
      }),
    ],
    [
      "the action variable",
      when({
        in: { left: { Var: "action" }, right: { Value: { __entity: { type: "Action", id: "tools/call" } } } },
      }),
    ],
    ["extended has", when({ has: { left: { Var: "context" }, attr: ["inner", "count"] } })],
  ])("interprets %s", async (_name, condition) => {
    const pdp = await createInterpretedPdp(sectionOf(condition), REGISTRY, { crossCheckEvery: 1 });
    expect(pdp.coverage()).toEqual({ interpreted: 1, reference: 0 });
    expect(pdp.decide(QUERY)).toEqual({ effect: "allow", reasons: ["p"], errors: [] });
  });

  it("leaves what is not in its list to cedar-wasm", async () => {
    const unknown = when({ "||": { left: { Value: true }, right: { unknown: [{ Value: "x" }] } } });
    const pdp = await createInterpretedPdp(sectionOf(unknown), REGISTRY, { crossCheckEvery: 0 });
    expect(pdp.coverage()).toEqual({ interpreted: 0, reference: 1 });
    expect(pdp.decide(QUERY)).toEqual({ effect: "allow", reasons: ["p"], errors: [] });
  });

  it.each([
    ["as plain text", "1.0", "allow"],
    ["in the implicit form", { fn: "decimal", arg: "1.0" }, "allow"],
    ["with an argument that is computed", { __extn: { fn: "lessThan", args: ["1.0", "2.0"] } }, "deny"],
    ["malformed", "1", "deny"],
  ] as const)("reads a decimal %s as cedar-wasm does", async (_name, amount, effect) => {
    const differences: DecisionDifference[] = [];
    const pdp = await createInterpretedPdp(sectionOf(), REGISTRY, {
      crossCheckEvery: 1,
      onDifference: (found) => differences.push(found),
    });
    expect(pdp.decide({ ...QUERY, context: { ...QUERY.context, amount } }).effect).toBe(effect);
    expect(differences).toEqual([]);
    expect(pdp.coverage()).toEqual({ interpreted: 1, reference: 0 });
  });

  it("decides about one caller by each action's own principal types and server", async () => {
    const other = "tools/call:desk/tool";
    const fragment = SCHEMA[""] as { readonly actions: Readonly<Record<string, JsonObject>> };
    const { [ACTION]: declared, ...groups } = fragment.actions;
    const appliesTo = { ...(declared?.["appliesTo"] as JsonObject), principalTypes: ["Agent"] };
    const otherSchema = { "": { ...fragment, actions: { ...groups, [other]: { ...declared, appliesTo } } } };
    const isProduction = when({
      "==": {
        left: { ".": { left: { Var: "resource" }, attr: "tier" } },
        right: { Value: "production" },
      },
    });
    const section = sectionOf(isProduction);
    const [slice] = section.slices;
    const [server] = REGISTRY.servers;
    if (slice === undefined || server === undefined) throw new Error("the fixture is empty");
    const both = {
      ...section,
      schemas: { ...section.schemas, other: otherSchema },
      slices: [slice, { ...slice, action: other, schema: "other" }],
    };
    const desk = { ...server, id: "desk", leaves: server.leaves.map((leaf) => ({ ...leaf, action: other })) };
    const effectsOf = async (tier: "internal" | "production"): Promise<readonly string[]> => {
      const registry = { servers: [server, { ...desk, tier }] };
      const engines = [
        await createInterpretedPdp(both, registry, { crossCheckEvery: 0 }),
        await createCedarPdp(both, registry),
      ];
      const callers: readonly PrincipalFacts[] = [ALICE, { ...ALICE, type: "Agent" }];
      const effects = engines.map((pdp) =>
        callers.map((principal) =>
          [QUERY, { ...QUERY, action: other, server: "desk" }]
            .map((query) => pdp.decide({ ...query, principal }).effect)
            .join(" "),
        ),
      );
      expect(effects[0]).toEqual(effects[1]);
      return effects[0] ?? [];
    };
    expect(await effectsOf("production")).toEqual(["allow deny", "allow allow"]);
    expect(await effectsOf("internal")).toEqual(["allow deny", "allow deny"]);
  });

  it("denies, reports and falls back where the engines disagree", async () => {
    const differences: DecisionDifference[] = [];
    let isWrong = true;
    const pdp = await createInterpretedPdp(sectionOf(), REGISTRY, {
      crossCheckEvery: 2,
      onDifference: (found) => differences.push(found),
      createInstance: () => {
        const cedar = createCedarInstance();
        const wrong: CedarInstance["statefulIsAuthorized"] = (call) => {
          const answer = cedar.statefulIsAuthorized(call);
          if (!isWrong || answer.type !== "success") return answer;
          const diagnostics = { reason: [], errors: [] };
          return { ...answer, response: { decision: "deny", diagnostics } };
        };
        return { ...cedar, statefulIsAuthorized: wrong };
      },
    });
    expect(pdp.decide(QUERY).effect).toBe("allow");
    expect(differences).toEqual([]);
    expect(pdp.decide(QUERY)).toMatchObject({ effect: "deny", errors: [{ policy: "(engine)" }] });
    expect(differences).toMatchObject([
      { action: ACTION, mode: "call", interpreted: { effect: "allow" }, reference: { effect: "deny" } },
    ]);
    expect(pdp.coverage()).toEqual({ interpreted: 0, reference: 1 });
    isWrong = false;
    expect(pdp.decide(QUERY).effect).toBe("allow");
  });

  it("denies after it was disposed, for another tenant's principal and for another server", async () => {
    const pdp = await createInterpretedPdp(sectionOf(), REGISTRY);
    expect(pdp.decide(QUERY).effect).toBe("allow");
    expect(pdp.decide({ ...QUERY, principal: { ...ALICE, tenant: "other" } }).effect).toBe("deny");
    expect(pdp.decide({ ...QUERY, server: "other" }).effect).toBe("deny");
    expect(pdp.decide({ ...QUERY, action: "tools/call:srv/absent" }).effect).toBe("deny");
    pdp.dispose();
    expect(pdp.decide(QUERY).effect).toBe("deny");
  });
});
