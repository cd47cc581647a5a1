// What cedar-wasm refuses is refused at activation, also where the interpreter decides the slice and cedar-wasm only checks it.
import { describe, expect, it } from "vitest";
import type { PolicySection, PrincipalFacts, RegistrySection } from "#bundle";
import { createCedarInstance, createInterpretedPdp } from "#pdp";
import type { CedarInstance, DecisionQuery } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { content, policySection } from "./bundle-fixture.ts";

const COUNT = 20;
const ACTIONS = Array.from({ length: COUNT }, (_, index) => `tools/call:sql-prod/sql.tool_${String(index)}`);
const ALICE: PrincipalFacts = {
  type: "User",
  id: "alice",
  tenant: "default",
  roles: [],
  groups: [],
  attributes: { is_external: false },
};

function sectionOf(): PolicySection {
  return policySection(
    ACTIONS.map((action, index) => ({
      action,
      call: {
        p: `permit (principal, action, resource) when { context.arguments.sql != "${String(index)}" };`,
      },
      derivations: [],
    })),
  );
}

const REGISTRY: RegistrySection = registryOf();

function registryOf(): RegistrySection {
  const [server] = content([]).registry.servers;
  const leaf = server?.leaves[0];
  if (server === undefined || leaf === undefined) throw new Error("the fixture has a server with a leaf");
  return { servers: [{ ...server, leaves: ACTIONS.map((action) => ({ ...leaf, action })) }] };
}

/** The section with the schema of one slice changed inside its nameless namespace. */
function withSchema(section: PolicySection, index: number, change: (fragment: JsonObject) => JsonObject) {
  const digest = section.slices[index]?.schema ?? "";
  const fragment = section.schemas[digest]?.[""];
  if (!isJsonObject(fragment)) throw new Error("the fixture's schemas have the nameless namespace");
  return { ...section, schemas: { ...section.schemas, [digest]: { "": change(fragment) } } };
}

function withAction(fragment: JsonObject, name: string, action: JsonObject): JsonObject {
  return { ...fragment, actions: { ...(fragment["actions"] as JsonObject), [name]: action } };
}

function countingInstance(parsed: string[]): () => CedarInstance {
  return () => {
    const real = createCedarInstance();
    return {
      ...real,
      preparseSchema: (name, schema) => {
        parsed.push(name);
        return real.preparseSchema(name, schema);
      },
    };
  };
}

function query(action: string): DecisionQuery {
  const facts = { ok: false, operations: [], tables: [], functions: [] };
  const context = {
    primitive: "tool",
    target: action,
    server: "sql-prod",
    arguments: { sql: "x" },
    extra: [],
  };
  return {
    mode: "call",
    tenant: "default",
    action,
    server: REGISTRY.servers[0]?.id ?? "",
    principal: ALICE,
    context: { ...context, _m: { r1: false }, _d: { sql: facts } },
  };
}

describe("slices that cedar-wasm only checks", () => {
  it("are parsed by it at the first decision it is asked for", async () => {
    const parsed: string[] = [];
    const options = { createInstance: countingInstance(parsed), crossCheckEvery: 1 };
    const pdp = await createInterpretedPdp(sectionOf(), REGISTRY, options);
    expect(pdp.coverage()).toEqual({ interpreted: COUNT, reference: 0 });
    expect(parsed).toEqual([]);
    expect(pdp.decide(query(ACTIONS[7] ?? ""))).toMatchObject({ effect: "allow", reasons: ["p"] });
    expect(parsed).toEqual([`schema of ${ACTIONS[7] ?? ""}`]);
    expect(pdp.coverage()).toEqual({ interpreted: COUNT, reference: 0 });
    pdp.dispose();
  });

  it.each([0, 9, COUNT - 1])("a schema that Cedar refuses is named, at place %i", async (index) => {
    const section = withSchema(sectionOf(), index, (fragment) =>
      withAction(fragment, "other", {
        appliesTo: { principalTypes: ["Nowhere"], resourceTypes: ["Server"] },
      }),
    );
    await expect(createInterpretedPdp(section, REGISTRY)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      detail: expect.stringContaining(`schema of ${ACTIONS[index] ?? ""} cannot be parsed`) as string,
    });
  });

  it("a group that only another slice's schema declares does not count", async () => {
    const declared = withSchema(sectionOf(), 3, (fragment) => withAction(fragment, "group", {}));
    const section = withSchema(declared, 4, (fragment) =>
      withAction(fragment, "member", { memberOf: [{ id: "group" }] }),
    );
    await expect(createInterpretedPdp(section, REGISTRY)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      detail: expect.stringContaining(`schema of ${ACTIONS[4] ?? ""} cannot be parsed`) as string,
    });
  });

  it("schemas that declare an action differently are both accepted", async () => {
    const first = withSchema(sectionOf(), 3, (fragment) => withAction(fragment, "other", {}));
    const both = withSchema(first, 4, (fragment) =>
      withAction(fragment, "other", { memberOf: [{ id: "tools/call" }] }),
    );
    const pdp = await createInterpretedPdp(both, REGISTRY);
    expect(pdp.coverage()).toEqual({ interpreted: COUNT, reference: 0 });
    pdp.dispose();
  });

  it("a policy that Cedar refuses is named", async () => {
    const section = sectionOf();
    const digest = section.slices[12]?.call[0]?.residual ?? "";
    const spoilt = { ...section.residuals[digest], annotations: { "no identifier": "x" } };
    const broken = { ...section, residuals: { ...section.residuals, [digest]: spoilt } };
    await expect(createInterpretedPdp(broken, REGISTRY)).rejects.toMatchObject({
      code: "BUNDLE_INVALID",
      detail: expect.stringContaining(`policies of ${ACTIONS[12] ?? ""} cannot be parsed`) as string,
    });
  });
});
