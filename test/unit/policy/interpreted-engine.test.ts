// The second engine's safety net: what it does not have stays with cedar-wasm, and a difference denies and is reported.
import { describe, expect, it } from "vitest";
import { canonicalJson, sha256Hex } from "#bundle";
import type { PolicySection, PrincipalFacts } from "#bundle";
import { createInterpretedPdp } from "#pdp";
import type { DecisionDifference, DecisionQuery } from "#pdp";
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
  ])("leaves %s to cedar-wasm", async (_name, condition) => {
    const pdp = await createInterpretedPdp(sectionOf(condition), REGISTRY, { crossCheckEvery: 0 });
    expect(pdp.coverage()).toEqual({ interpreted: 0, reference: 1 });
    expect(pdp.decide(QUERY)).toEqual({ effect: "allow", reasons: ["p"], errors: [] });
  });

  it("denies, reports and falls back where the engines disagree", async () => {
    const differences: DecisionDifference[] = [];
    const pdp = await createInterpretedPdp(sectionOf(), REGISTRY, {
      crossCheckEvery: 2,
      onDifference: (found) => differences.push(found),
    });
    // A decimal as plain text: cedar-wasm reads it by the schema, the interpreter refuses it.
    const odd: DecisionQuery = { ...QUERY, context: { ...QUERY.context, amount: "1.0" } };
    expect(pdp.decide(odd).effect).toBe("deny");
    expect(differences).toEqual([]);
    expect(pdp.decide(odd)).toMatchObject({ effect: "deny", errors: [{ policy: "(engine)" }] });
    expect(differences).toMatchObject([
      { action: ACTION, mode: "call", interpreted: { effect: "deny" }, reference: { effect: "allow" } },
    ]);
    expect(pdp.coverage()).toEqual({ interpreted: 0, reference: 1 });
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
