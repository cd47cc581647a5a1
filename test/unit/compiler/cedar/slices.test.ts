// What a slice holds: residuals, schema, derivations, visibility, sources.
import { describe, expect, test } from "vitest";
import { canonicalJson, sha256Hex } from "#bundle";
import type { Slice, TenantId } from "#bundle";
import type { JsonObject } from "#std";
import { compileCedar, matchesName } from "../../../../compiler/cedar/index.ts";
import type { CedarInput, CedarOutput } from "../../../../compiler/cedar/index.ts";
import { MODEL, SEED } from "./model.ts";

type Generated = CedarInput["generated"][number];

function compile(
  text: string,
  generated: readonly Generated[] = [],
  tenant: TenantId = "default",
): CedarOutput {
  return compileCedar({ sources: [{ file: "p.cedar", text }], generated, model: { ...MODEL, tenant } });
}

function sliceOf(output: CedarOutput, target: string, tenant: TenantId = "default"): Slice {
  const slice = output.policies.slices.find(
    (item) => item.action.endsWith(`/${target}`) && item.tenant === tenant,
  );
  if (slice === undefined) throw new Error(`no slice for ${target}`);
  return slice;
}

function residual(
  output: CedarOutput,
  slice: Slice,
  mode: "call" | "visibility",
  id = "p.cedar#0",
): JsonObject | undefined {
  const policy = slice[mode].find((item) => item.id === id);
  return policy === undefined ? undefined : output.policies.residuals[policy.residual];
}

const r = matchesName(["arguments", "sql"], "(?i)^\\s*SELECT\\s");
const readSql: JsonObject = {
  ".": { left: { ".": { left: { Var: "context" }, attr: "arguments" } }, attr: "sql" },
};

describe("the seed", () => {
  const output = compile(SEED);

  test("gives every leaf a slice, empty where nothing applies", () => {
    expect(output.policies.slices.map((slice) => slice.call.map((item) => item.id))).toEqual([
      ...[[], [], []],
      ...[["p.cedar#1"], [], ["p.cedar#0"]],
    ]);
  });

  test("folds what the leaf fixes and keeps the rest", () => {
    const slice = sliceOf(output, "sql.query");
    expect(residual(output, slice, "call")).toEqual({
      effect: "permit",
      principal: { op: "in", entity: { type: "Role", id: "Developer" } },
      action: { op: "All" },
      resource: { op: "All" },
      conditions: [
        {
          kind: "when",
          body: {
            "&&": {
              left: { like: { left: readSql, pattern: ["Wildcard"] } },
              right: { ".": { left: { ".": { left: { Var: "context" }, attr: "_m" } }, attr: r } },
            },
          },
        },
      ],
    });
    expect(slice.derivations).toEqual([
      { kind: "matches", name: r, path: ["arguments", "sql"], pattern: "(?i)^\\s*SELECT\\s" },
    ]);
  });

  test("shows the tool to whom some statement could be allowed", () => {
    expect(residual(output, sliceOf(output, "sql.query"), "visibility")).toMatchObject({ conditions: [] });
    const finance = sliceOf(output, "finance.wire_transfer");
    expect(residual(output, finance, "visibility", "p.cedar#1")).toMatchObject({
      conditions: [{ kind: "when", body: { "==": { right: { Value: true } } } }],
    });
  });

  test("addresses content by its canonical digest", () => {
    for (const table of [output.policies.residuals, output.policies.schemas]) {
      for (const [digest, value] of Object.entries(table))
        expect(sha256Hex(canonicalJson(value))).toBe(digest);
    }
  });

  test("types what its policies read of the leaf", () => {
    const slice = sliceOf(output, "sql.query");
    const caller = {
      memberOfTypes: ["Role", "Group", "Tenant"],
      shape: {
        type: "Record",
        attributes: {
          is_external: { type: "Boolean" },
          email: { type: "String" },
          department: { type: "String", required: false },
          level: { type: "Long", required: false },
          teams: { type: "Set", element: { type: "String" } },
        },
      },
    };
    expect(output.policies.schemas[slice.schema]).toEqual({
      "": {
        entityTypes: {
          Role: {},
          Group: {},
          Tenant: {},
          User: caller,
          Agent: caller,
          Server: {
            shape: {
              type: "Record",
              attributes: { tier: { type: "String" }, labels: { type: "Set", element: { type: "String" } } },
            },
          },
        },
        actions: {
          "tools/call": {},
          "tools/call:sql-prod/sql.query": {
            memberOf: [{ id: "tools/call" }],
            appliesTo: {
              principalTypes: ["Agent", "User"],
              resourceTypes: ["Server"],
              context: {
                type: "Record",
                attributes: {
                  primitive: { type: "String" },
                  target: { type: "String" },
                  server: { type: "String" },
                  arguments: {
                    type: "Record",
                    attributes: { sql: { type: "String" } },
                  },
                  extra: { type: "Set", element: { type: "String" } },
                  _m: { type: "Record", attributes: { [r]: { type: "Boolean" } } },
                  _d: { type: "Record", attributes: {} },
                },
              },
            },
          },
        },
      },
    });
  });
});

describe("specialisation", () => {
  test("equal residuals are stored once", () => {
    const output = compile('permit (principal in Role::"Employee", action, resource);');
    expect(Object.keys(output.policies.residuals)).toHaveLength(1);
    expect(output.policies.slices.every((slice) => slice.call.length === 1)).toBe(true);
  });

  test("a pattern on what the leaf fixes needs no derivation", () => {
    const output = compile('permit (principal, action, resource) when { context.target.matches("^sql") };');
    expect(sliceOf(output, "sql.query")).toMatchObject({ call: [{ id: "p.cedar#0" }], derivations: [] });
    expect(sliceOf(output, "jira.search").call).toEqual([]);
  });

  test("X && false stays, because X may error and an error denies", () => {
    const overflow = 'principal.teams.contains("a") && 9007199254740991 * 9007199254740991 > 0';
    const output = compile(
      `forbid (principal, action, resource) when { ${overflow} && context.target == "triage" };`,
    );
    expect(sliceOf(output, "sql.query").call).toHaveLength(1);
    const first = compile(
      `forbid (principal, action, resource) when { context.target == "triage" && ${overflow} };`,
    );
    expect(sliceOf(first, "sql.query").call).toHaveLength(0);
  });

  test("what follows X && false is never evaluated, so that it asks for no fact", () => {
    const other = 'context.target == "jira.search" && context.arguments.jql.matches("^a")';
    const { findings, policies } = compile(
      `forbid (principal, action, resource) when { principal.is_external && (${other}) && 1 + 1 > 1 };`,
    );
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
    const asking = policies.slices.filter(({ derivations }) => derivations.length > 0);
    expect(asking.map(({ action }) => action)).toEqual(["tools/call:jira/jira.search"]);
  });

  test("a false condition after one that may error keeps the policy", () => {
    const text =
      'permit (principal, action, resource) when { principal.is_external } unless { context.server == "jira" };';
    const output = compile(text);
    expect(residual(output, sliceOf(output, "jira.search"), "call")).toMatchObject({
      conditions: [{ kind: "when" }, { kind: "unless", body: { Value: true } }],
    });
    expect(sliceOf(output, "jira.search").visibility).toEqual([]);
  });

  test("a role is qualified by the tenant of the policy", () => {
    const text =
      'permit (principal in Role::"Developer", action, resource) when { principal in Role::"Employee" || principal in [Group::"g"] };';
    const output = compile(text, [], "acme");
    const slice = sliceOf(output, "sql.query", "acme");
    const written = JSON.stringify(residual(output, slice, "call"));
    expect(written).toContain('"acme/Developer"');
    expect(written).toContain('"acme/Employee"');
    expect(written).toContain('"acme/g"');
    expect(output.findings).toEqual([]);
  });
});

describe("visibility", () => {
  const conditions = (text: string): unknown => {
    const output = compile(text);
    return residual(output, sliceOf(output, "sql.query"), "visibility")?.["conditions"];
  };

  test("a permit keeps what does not depend on the arguments", () => {
    expect(
      conditions(
        'permit (principal, action, resource == Server::"sql-prod") when { principal.is_external && context.arguments.sql == "x" };',
      ),
    ).toEqual([{ kind: "when", body: { ".": { left: { Var: "principal" }, attr: "is_external" } } }]);
  });

  test("a negation flips what is certain", () => {
    expect(
      conditions(
        'permit (principal, action, resource == Server::"sql-prod") unless { principal.is_external && context.arguments.sql == "x" };',
      ),
    ).toEqual([]);
    expect(
      conditions(
        'permit (principal, action, resource == Server::"sql-prod") unless { principal.is_external || context.arguments.sql == "x" };',
      ),
    ).toEqual([{ kind: "unless", body: { ".": { left: { Var: "principal" }, attr: "is_external" } } }]);
  });

  test("a forbid that depends on arguments hides nothing", () => {
    expect(
      conditions(
        'forbid (principal, action, resource == Server::"sql-prod") when { context.arguments.sql == "x" };',
      ),
    ).toBeUndefined();
    expect(
      conditions(
        'forbid (principal, action, resource == Server::"sql-prod") when { context.arguments.sql == "x" || principal.is_external };',
      ),
    ).toEqual([{ kind: "when", body: { ".": { left: { Var: "principal" }, attr: "is_external" } } }]);
  });

  test("arithmetic is left out: an overflow would hide what a call never computes", () => {
    const sum = "principal has level && principal.level * 9007199254740991 > 0";
    expect(
      conditions(
        `permit (principal, action, resource == Server::"sql-prod") when { context.arguments.sql == "x" || (${sum}) };`,
      ),
    ).toEqual([]);
    expect(
      conditions(`forbid (principal, action, resource == Server::"sql-prod") when { ${sum} };`),
    ).toBeUndefined();
  });

  test("nested conditionals do not grow", () => {
    let condition = 'context.arguments.sql == "x"';
    for (let depth = 0; depth < 24; depth++)
      condition = `if (${condition}) then principal.is_external else true`;
    const output = compile(
      `permit (principal, action, resource == Server::"sql-prod") when { ${condition} };`,
    );
    expect(JSON.stringify(output.policies.residuals).length).toBeLessThan(10_000);
  });
});

describe("generated policies", () => {
  const source = { file: "policies/sql.yaml", line: 7, column: 3 };
  const generated: Generated = {
    id: "policies/sql.yaml#/constraints/sql.query",
    text: 'forbid (principal, action == Action::"tools/call:sql-prod/sql.query", resource) unless { context._d.s_1.ok && ["SELECT"].containsAll(context._d.s_1.operations) };',
    source,
    reason: "reads only",
    tenant: "default",
    derivations: [{ kind: "sql", name: "s_1", path: ["arguments", "sql"], dialect: "postgresql" }],
  };

  test("may read derived facts, which the slice then computes", () => {
    const output = compile("", [generated]);
    expect(output.findings).toEqual([]);
    const slice = sliceOf(output, "sql.query");
    expect(slice.call.map((item) => item.id)).toEqual([generated.id]);
    expect(slice.visibility).toEqual([]);
    expect(slice.derivations).toEqual(generated.derivations);
    expect(sliceOf(output, "jira.search").derivations).toEqual([]);
    expect(output.sources.policies[generated.id]).toEqual({
      ...source,
      effect: "forbid",
      reason: "reads only",
    });
  });

  test("give findings at their document", () => {
    const output = compile("", [{ ...generated, text: generated.text.replace("s_1.ok", "s_2.ok") }]);
    expect(output.findings).toMatchObject([{ code: "CEDAR_UNKNOWN_ATTRIBUTE", ...source }]);
  });

  test("link only into the slices of their tenant", () => {
    const output = compile("", [{ ...generated, tenant: "acme" }]);
    expect(sliceOf(output, "sql.query").call).toEqual([]);
    expect(sliceOf(output, "sql.query", "acme").call).toHaveLength(1);
  });

  test("an id occurs once", () => {
    const output = compile("", [generated, generated]);
    expect(output.findings).toMatchObject([{ code: "CEDAR_DUPLICATE_ID", ...source }]);
  });
});

describe("sources", () => {
  test("carry position, effect and reason, whatever @id says", () => {
    const output = compile(
      '// head\n@id("mine")\n@reason("why")\npermit (principal, action, resource);\nforbid (principal, action == Action::"prompts/get", resource);',
    );
    expect(output.sources.policies).toEqual({
      "p.cedar#0": { file: "p.cedar", line: 4, column: 1, effect: "permit", reason: "why" },
      "p.cedar#1": { file: "p.cedar", line: 5, column: 1, effect: "forbid" },
    });
  });
});
