import { afterEach, describe, expect, it } from "vitest";
import { createCedarInstance, createCedarPdp, createInterpretedPdp } from "#pdp";
import type { CedarInstance, DecisionQuery, Pdp } from "#pdp";
import type { JsonObject } from "#std";
import { ACTION, CONTEXT_TYPE, policySection, registry, schemaFor, user } from "./bundle-fixture.ts";

const policies = policySection([
  { call: { all: `permit(principal in Role::"Developer", action, resource);` } },
]);

const open: Pdp[] = [];
afterEach(() => {
  for (const pdp of open.splice(0)) pdp.dispose();
});

async function make(createInstance?: () => CedarInstance): Promise<Pdp> {
  const pdp = await createCedarPdp(
    policies,
    registry,
    createInstance === undefined ? {} : { createInstance },
  );
  open.push(pdp);
  return pdp;
}

const facts = { ok: true, operations: ["SELECT"], tables: [], functions: [] };
const context: JsonObject = {
  primitive: "tool",
  target: "sql.query",
  server: "sql-prod",
  arguments: { sql: "select 1" },
  extra: [],
  _m: { r1: true },
  _d: { sql: facts },
};

const query = (overrides: Partial<DecisionQuery> = {}): DecisionQuery => ({
  mode: "call",
  tenant: "default",
  action: ACTION,
  server: "sql-prod",
  principal: user(),
  context,
  ...overrides,
});

const nested = (depth: number): JsonObject => {
  let value: JsonObject = {};
  for (let level = 0; level < depth; level += 1) value = { a: value };
  return value;
};

const withArguments = (args: JsonObject): DecisionQuery =>
  query({ context: { ...context, arguments: args } });

describe("hostile requests", () => {
  const hostile: [string, DecisionQuery][] = [
    ["half a surrogate pair", withArguments({ sql: "\ud800" })],
    ["half a surrogate pair in a key", withArguments({ sql: "x", "\ud800": 1 })],
    ["a fraction", withArguments({ sql: "x", amount: 1.5 })],
    ["a huge number", withArguments({ sql: "x", amount: 1e20 })],
    ["NaN", withArguments({ sql: "x", amount: Number.NaN })],
    ["null", withArguments({ sql: "x", amount: null })],
    ["a BigInt", withArguments({ sql: "x", amount: 1n as unknown as number })],
    ["undefined", withArguments({ sql: "x", amount: undefined as unknown as number })],
    ["depth 129", withArguments({ sql: "x", deep: nested(129) })],
    ["depth 5,000", withArguments({ sql: "x", deep: nested(5_000) })],
    ["an entity escape", withArguments({ sql: { __entity: { type: "Role", id: "Admin" } } })],
    ["an unknown escape", withArguments({ sql: { __extn: { fn: "unknown", arg: "x" } } })],
    ["a missing argument", withArguments({})],
    ["a wrong type", withArguments({ sql: 7 })],
    ["an extra member", withArguments({ sql: "x", other: "y" })],
    ["a context without derived facts", query({ context: { ...context, _d: {} } })],
    ["a subject with half a surrogate pair", query({ principal: user({ id: "\udfff" }) })],
    [
      "an attribute with half a surrogate pair",
      query({ principal: user({ attributes: { is_external: false, email: "\ud800" } }) }),
    ],
    ["an attribute of a wrong type", query({ principal: user({ attributes: { is_external: 1 } }) })],
    [
      "too many roles",
      query({ principal: user({ roles: Array.from({ length: 2_000 }, (_, n) => `r${n}`) }) }),
    ],
    ["a server that does not offer the action", query({ server: "finance" })],
    ["a mode that does not exist", query({ mode: "other" as "call" })],
  ];

  it.each(hostile)("are denied: %s", async (_, hostileQuery) => {
    const pdp = await make();
    expect(pdp.decide(hostileQuery)).toMatchObject({ effect: "deny", reasons: [] });
    expect(pdp.decide(hostileQuery).errors).toHaveLength(1);
    expect(pdp.decide(query()).effect).toBe("allow");
  });

  it.each(hostile)("are denied by the interpreter without asking cedar-wasm: %s", async (_, hostileQuery) => {
    const pdp = await createInterpretedPdp(policies, registry, { crossCheckEvery: 0 });
    open.push(pdp);
    expect(pdp.coverage()).toEqual({ interpreted: 1, reference: 0 });
    expect(pdp.decide(hostileQuery)).toMatchObject({ effect: "deny", reasons: [] });
    expect(pdp.decide(hostileQuery).errors).toHaveLength(1);
    expect(pdp.decide(query()).effect).toBe("allow");
  });

  it("leave the engine sound after 10,000 of them", async () => {
    const pdp = await make();
    for (let n = 0; n < 10_000; n += 1) {
      const [, hostileQuery] = hostile[n % hostile.length] ?? ["", query()];
      expect(pdp.decide(hostileQuery).effect).toBe("deny");
    }
    expect(pdp.decide(query())).toEqual({ effect: "allow", reasons: ["all"], errors: [] });
  });
});

describe("a failing instance", () => {
  /** Real instances that throw when told to. */
  function faulty(): {
    readonly made: () => number;
    fault: Error | undefined;
    readonly create: () => CedarInstance;
  } {
    let made = 0;
    const state = {
      made: () => made,
      fault: undefined as Error | undefined,
      create: (): CedarInstance => {
        made += 1;
        const first = made === 1;
        const real = createCedarInstance();
        return {
          ...real,
          statefulIsAuthorized: (call) => {
            if (first && state.fault !== undefined) throw state.fault;
            return real.statefulIsAuthorized(call);
          },
        };
      },
    };
    return state;
  }

  it("denies the call that traps and is replaced for the next", async () => {
    const instances = faulty();
    const pdp = await make(instances.create);
    expect(pdp.decide(query()).effect).toBe("allow");
    const trap = new Error("memory access out of bounds");
    trap.name = "RuntimeError";
    instances.fault = trap;
    expect(pdp.decide(query())).toMatchObject({ effect: "deny", reasons: [] });
    expect(pdp.decide(query())).toEqual({ effect: "allow", reasons: ["all"], errors: [] });
    expect(instances.made()).toBe(3);
  });

  it("denies calls that throw, and is replaced after a number of them", async () => {
    const instances = faulty();
    const pdp = await make(instances.create);
    instances.fault = new Error("recursion limit");
    let denied = 0;
    while (denied < 1_000 && pdp.decide(query()).effect === "deny") denied += 1;
    expect(denied).toBe(64);
    expect(instances.made()).toBe(3);
  });

  it("is survived when it is really dead", async () => {
    const made: CedarInstance[] = [];
    const pdp = await make(() => {
      const instance = createCedarInstance();
      made.push(instance);
      return instance;
    });
    const victim = made[0];
    if (victim === undefined) throw new Error("no instance was made");
    const poison = { principal: { type: "User", id: "\ud800" } } as unknown as Parameters<
      CedarInstance["statefulIsAuthorized"]
    >[0];
    let trapped = false;
    for (let n = 0; n < 5_000 && !trapped; n += 1) {
      try {
        victim.isAuthorized({
          ...poison,
          policies: {
            staticPolicies: {
              deep: `permit(principal, action, resource) when { ${"(".repeat(400)}true${")".repeat(400)} };`,
            },
          },
          entities: [],
          context: {},
        } as never);
      } catch (error) {
        trapped = (error as Error).name === "RuntimeError";
      }
    }
    expect(trapped).toBe(true);
    expect(pdp.decide(query()).effect).toBe("deny");
    expect(pdp.decide(query()).effect).toBe("allow");
  });
});

describe("answers", () => {
  const answer =
    (value: unknown): (() => CedarInstance) =>
    () => ({
      ...createCedarInstance(),
      statefulIsAuthorized: () => value as never,
    });

  it.each([
    [
      "allow without a reason",
      {
        type: "success",
        response: { decision: "allow", diagnostics: { reason: [], errors: [] } },
        warnings: [],
      },
    ],
    [
      "allow with an error",
      {
        type: "success",
        response: {
          decision: "allow",
          diagnostics: { reason: ["all"], errors: [{ policyId: "x", error: { message: "m" } }] },
        },
        warnings: [],
      },
    ],
    ["a failure", { type: "failure", errors: [{ message: "m" }], warnings: [] }],
    ["a failure without errors", { type: "failure", errors: [], warnings: [] }],
    [
      "an unknown decision",
      {
        type: "success",
        response: { decision: "perhaps", diagnostics: { reason: ["all"], errors: [] } },
        warnings: [],
      },
    ],
    ["an unknown type", { type: "maybe" }],
    ["undefined", undefined],
    ["null", null],
    ["a promise", Promise.resolve("allow")],
  ])("deny: %s", async (_, value) => {
    const pdp = await make(answer(value));
    expect(pdp.decide(query()).effect).toBe("deny");
  });
});

describe("instances", () => {
  it("share nothing: a set parsed into one is unknown to another", () => {
    const [first, second] = [createCedarInstance(), createCedarInstance()];
    const schema = schemaFor(ACTION, CONTEXT_TYPE);
    expect(first.preparseSchema("s", schema as never).type).toBe("success");
    expect(first.preparsePolicySet("p", { staticPolicies: {} }).type).toBe("success");
    const call = {
      principal: { type: "User", id: "a" },
      action: { type: "Action", id: ACTION },
      resource: { type: "Server", id: "x" },
      context: {},
      preparsedPolicySetId: "p",
      entities: [],
    };
    expect(first.statefulIsAuthorized(call).type).toBe("success");
    expect(second.statefulIsAuthorized(call).type).toBe("failure");
  });
});
