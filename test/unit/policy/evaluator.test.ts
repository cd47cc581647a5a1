import { afterEach, describe, expect, it } from "vitest";
import type { PrincipalFacts } from "#bundle";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import type { Decision, Evaluator, PreparedCall } from "#pdp";
import { rawNumber } from "#std";
import type { JsonObject } from "#std";
import { ACTION, content, user } from "./bundle-fixture.ts";
import type { SliceFixture } from "./bundle-fixture.ts";

const permitSelect = `permit(principal in Role::"Developer", action == Action::"${ACTION}", resource == Server::"sql-prod")
  when { context.arguments.sql like "*" && context._m.r1 };`;
const forbidExternal = "forbid(principal, action, resource) when { principal.is_external };";
const onlySelect = `forbid(principal, action, resource) unless { ["SELECT"].containsAll(context._d.sql.operations) && context._d.sql.ok };`;
const visibility = {
  permit: `permit(principal in Role::"Developer", action, resource);`,
  external: forbidExternal,
};
const seed: SliceFixture = {
  call: { permit: permitSelect, external: forbidExternal, only: onlySelect },
  visibility,
};

const open: Evaluator[] = [];
afterEach(() => {
  for (const evaluator of open.splice(0)) evaluator.dispose();
});

async function make(...slices: SliceFixture[]): Promise<Evaluator> {
  const evaluator = await createEvaluator(content(slices), { sqlParseLimitMs: 20_000 });
  open.push(evaluator);
  return evaluator;
}

const signal = new AbortController().signal;
const prepare = (evaluator: Evaluator, args: JsonObject, principal = user(), tenant = "default") =>
  evaluator.prepare({ tenant, action: ACTION, arguments: args, principal, request: UNKNOWN_REQUEST, signal });

async function decide(evaluator: Evaluator, args: JsonObject, principal?: PrincipalFacts): Promise<Decision> {
  const prepared = await prepare(evaluator, args, principal);
  if (!prepared.ok) throw new Error(`${prepared.code} ${prepared.detail}`);
  return evaluator.decide(prepared.query);
}

describe("evaluator", () => {
  it("allows a permitted call and names the permit", async () => {
    const evaluator = await make(seed);
    expect(await decide(evaluator, { sql: "select 1" })).toEqual({
      effect: "allow",
      reasons: ["permit"],
      errors: [],
    });
  });

  it.each([
    ["drop after select", { sql: "select 1; drop table t" }, ["only"]],
    ["not a select", { sql: "drop table t" }, ["only"]],
    ["function off the list", { sql: "select pg_sleep(1)" }, ["only"]],
  ])("denies %s and names the forbid", async (_, args, reasons) => {
    const evaluator = await make(seed);
    expect(await decide(evaluator, args)).toEqual({ effect: "deny", reasons, errors: [] });
  });

  it("denies an external caller, one without the role, and one without the attribute", async () => {
    const evaluator = await make(seed);
    const args = { sql: "select 1" };
    const external = await decide(evaluator, args, user({ attributes: { is_external: true } }));
    expect(external).toEqual({ effect: "deny", reasons: ["external"], errors: [] });
    expect(await decide(evaluator, args, user({ roles: [] }))).toEqual({
      effect: "deny",
      reasons: [],
      errors: [],
    });
    const missing = await decide(evaluator, args, user({ attributes: {} }));
    expect(missing.effect).toBe("deny");
    expect(missing.errors).toHaveLength(1);
    const wrongType = await decide(evaluator, args, user({ attributes: { is_external: "no" } }));
    expect(wrongType.effect).toBe("deny");
    expect(wrongType.errors).toHaveLength(1);
  });

  it("keeps attributes, roles and parents that the schema does not declare out of the request", async () => {
    const evaluator = await make(seed);
    const principal = user({ attributes: { is_external: false, shoe_size: 44 }, groups: ["unknown"] });
    expect((await decide(evaluator, { sql: "select 1" }, principal)).effect).toBe("allow");
  });

  it("refuses arguments that the approved schema refuses, and numbers Cedar cannot hold, before any decision", async () => {
    const evaluator = await make(seed);
    const refuse = async (args: JsonObject): Promise<PreparedCall> => prepare(evaluator, args);
    expect(await refuse({})).toMatchObject({ ok: false, code: "ARGUMENTS_INVALID" });
    expect(await refuse({ sql: 5 })).toMatchObject({ ok: false, code: "ARGUMENTS_INVALID" });
    const ratio = { sql: "select 1", ratio: 1.00001 };
    expect(await refuse(ratio)).toMatchObject({ ok: false, code: "ARGUMENTS_NOT_REPRESENTABLE" });
    const amount = { sql: "select 1", amount: rawNumber("9007199254740993") };
    expect(await refuse(amount)).toMatchObject({ ok: false, code: "ARGUMENTS_NOT_REPRESENTABLE" });
    const surrogate = { sql: "select '\ud800'" };
    expect(await refuse(surrogate)).toMatchObject({ ok: false, code: "ARGUMENTS_NOT_REPRESENTABLE" });
    const long = { sql: `select '${"x".repeat(70_000)}'` };
    expect(await refuse(long)).toMatchObject({ ok: false, code: "ARGUMENTS_NOT_REPRESENTABLE" });
  });

  it("treats Cedar escapes in arguments as plain data", async () => {
    const evaluator = await make(seed);
    for (const note of [
      { __entity: { type: "Role", id: "Admin" } },
      { __extn: { fn: "unknown", arg: "x" } },
      { __extn: { fn: "ip", arg: "1.1.1.1" } },
      { __expr: "true" },
    ]) {
      expect((await decide(evaluator, { sql: "select 1", note })).effect).toBe("allow");
      expect(await prepare(evaluator, { sql: note })).toMatchObject({ ok: false, code: "ARGUMENTS_INVALID" });
      expect(await prepare(evaluator, { sql: "select 1", amount: note })).toMatchObject({ ok: false });
    }
    const undescribed = {
      sql: "select 1",
      __entity: { type: "Role", id: "Admin" },
      ["__proto__"]: { sql: "x" },
    };
    expect((await decide(evaluator, undescribed)).effect).toBe("allow");
  });

  it("denies where a policy errors, whatever the others say", async () => {
    const erring: SliceFixture = {
      call: {
        all: "permit(principal, action, resource);",
        overflow:
          "forbid(principal, action, resource) when { context has arguments && context.arguments has amount && context.arguments.amount * 9007199254740991 * 9007199254740991 > 1 };",
      },
    };
    const evaluator = await make(erring);
    const decision = await decide(evaluator, { sql: "select 1", amount: 9007199254740991 });
    expect(decision.effect).toBe("deny");
    expect(decision.reasons).toEqual([]);
    expect(decision.errors.map(({ policy }) => policy)).toEqual(["overflow"]);
    expect(JSON.stringify(decision)).not.toContain("9007199254740991");
  });

  it("denies an unknown slice, another tenant's slice, and a principal of another tenant", async () => {
    const all = { all: "permit(principal, action, resource);" };
    const evaluator = await make({ tenant: "acme", call: all });
    const args = { sql: "select 1" };
    expect(await decide(evaluator, args)).toEqual({ effect: "deny", reasons: [], errors: [] });
    const prepared = await prepare(evaluator, args, user({ tenant: "other" }), "acme");
    if (!prepared.ok) throw new Error(prepared.detail);
    expect(evaluator.decide(prepared.query)).toMatchObject({ effect: "deny", reasons: [] });
    expect(evaluator.decide(prepared.query).errors).toHaveLength(1);
    const own = await prepare(evaluator, args, user({ tenant: "acme" }), "acme");
    expect(own.ok && evaluator.decide(own.query).effect).toBe("allow");
  });

  it("qualifies roles of a named tenant", async () => {
    const call = { bare: `permit(principal in Role::"Developer", action, resource);` };
    const qualified = { own: `permit(principal in Role::"acme/Developer", action, resource);` };
    const evaluator = await make({ tenant: "acme", call: qualified }, { tenant: "other", call });
    const ask = async (tenant: string) => {
      const prepared = await prepare(evaluator, { sql: "select 1" }, user({ tenant }), tenant);
      return prepared.ok ? evaluator.decide(prepared.query).effect : prepared.code;
    };
    expect(await ask("acme")).toBe("allow");
    expect(await ask("other")).toBe("deny");
  });

  it("shows a tool to those who could call it with some arguments", async () => {
    const evaluator = await make(seed);
    expect(evaluator.visible("default", ACTION, user(), UNKNOWN_REQUEST)).toBe(true);
    expect(evaluator.visible("default", ACTION, user({ roles: ["Guest"] }), UNKNOWN_REQUEST)).toBe(false);
    expect(
      evaluator.visible("default", ACTION, user({ attributes: { is_external: true } }), UNKNOWN_REQUEST),
    ).toBe(false);
    expect(evaluator.visible("acme", ACTION, user({ tenant: "acme" }), UNKNOWN_REQUEST)).toBe(false);
    expect(evaluator.visible("default", "tools/call:none/none", user(), UNKNOWN_REQUEST)).toBe(false);
  });

  it("keeps what a caller may see for as long as the caller's facts, and no longer than the release", async () => {
    const evaluator = await make(seed);
    const principal = user();
    expect(evaluator.visible("default", ACTION, principal, UNKNOWN_REQUEST)).toBe(true);
    expect(evaluator.visible("default", ACTION, principal, UNKNOWN_REQUEST)).toBe(true);
    expect(evaluator.visible("acme", ACTION, principal, UNKNOWN_REQUEST)).toBe(false);
    expect(evaluator.visible("default", ACTION, { ...principal, roles: [] }, UNKNOWN_REQUEST)).toBe(false);
    evaluator.dispose();
    expect(evaluator.visible("default", ACTION, principal, UNKNOWN_REQUEST)).toBe(false);
  });

  it("names an unknown action, and denies everything once disposed", async () => {
    const evaluator = await make(seed);
    const unknown = evaluator.prepare({
      tenant: "default",
      action: "tools/call:none/none",
      arguments: {},
      principal: user(),
      request: UNKNOWN_REQUEST,
      signal: signal,
    });
    expect(await unknown).toMatchObject({ ok: false, code: "TARGET_UNKNOWN" });
    expect(evaluator.leaf(ACTION)?.name).toBe("sql.query");
    expect(evaluator.leaf("__proto__")).toBeUndefined();
    const prepared = await prepare(evaluator, { sql: "select 1" });
    if (!prepared.ok) throw new Error(prepared.detail);
    expect(evaluator.decide(prepared.query).effect).toBe("allow");
    evaluator.dispose();
    expect(evaluator.decide(prepared.query)).toMatchObject({ effect: "deny" });
    expect(evaluator.visible("default", ACTION, user(), UNKNOWN_REQUEST)).toBe(false);
  });

  it("prepares synchronously for short arguments and judges long SQL in the worker", async () => {
    const evaluator = await make(seed);
    expect(prepare(evaluator, { sql: "select 1" })).not.toBeInstanceOf(Promise);
    const long = { sql: `select 1 where 1 in (${"1,".repeat(2_000)}1)` };
    expect(prepare(evaluator, long)).toBeInstanceOf(Promise);
    expect((await decide(evaluator, long)).effect).toBe("allow");
    const aborted = await evaluator.prepare({
      tenant: "default",
      action: ACTION,
      arguments: long,
      principal: user(),
      request: UNKNOWN_REQUEST,
      signal: AbortSignal.abort(),
    });
    expect(aborted.ok && evaluator.decide(aborted.query).effect).toBe("deny");
  });

  it.each([
    [
      "a residual that is absent",
      (c: ReturnType<typeof content>) => ({ ...c, policies: { ...c.policies, residuals: {} } }),
    ],
    [
      "a schema that is absent",
      (c: ReturnType<typeof content>) => ({ ...c, policies: { ...c.policies, schemas: {} } }),
    ],
    [
      "a slice of an unknown action",
      (c: ReturnType<typeof content>) => ({ ...c, registry: { servers: [] } }),
    ],
    [
      "two slices for one leaf",
      (c: ReturnType<typeof content>) => ({
        ...c,
        policies: { ...c.policies, slices: [...c.policies.slices, ...c.policies.slices] },
      }),
    ],
    [
      "a residual that Cedar refuses",
      (c: ReturnType<typeof content>) => ({
        ...c,
        policies: {
          ...c.policies,
          residuals: Object.fromEntries(
            Object.keys(c.policies.residuals).map((key) => [key, { effect: "maybe" }]),
          ),
        },
      }),
    ],
  ])("refuses a bundle with %s", async (_, spoil) => {
    await expect(createEvaluator(spoil(content([seed])))).rejects.toMatchObject({ code: "BUNDLE_INVALID" });
  });
});
