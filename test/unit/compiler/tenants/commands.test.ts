// test, plan and explain decide as the caller's tenant.
import { expect, test } from "vitest";
import { explainCall } from "#explain";
import { planChanges } from "#plan";
import { ATTACKERS, CALLERS, CALLS, compileWith } from "./escape-lab.ts";

const GRANT = {
  "tenants/acme/policies/own.yaml":
    'metadata: { name: own }\nscope: { principals: { in: [Auditor] } }\nallow: { tools: ["sql.query"] }\n',
};

test("plan finds what a tenant's document changes, for callers of the tenant alone", async () => {
  const [base, head] = await Promise.all([compileWith({}), compileWith(GRANT)]);
  const plan = await planChanges(base, head);
  const rows = plan.changes.filter((change) => change.evidence !== "structural");
  expect(rows.length).toBeGreaterThan(0);
  expect(new Set(rows.map(({ witness }) => witness.principal.tenant))).toEqual(new Set(["acme"]));
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(["newly-allowed"]));
  expect(rows.some(({ principal }) => principal.startsWith("role Auditor, tenant acme"))).toBe(true);
});

test("explain shows the policies and transforms of the caller's tenant", async () => {
  const { content } = await compileWith(GRANT);
  const [clerk] = CALLERS.filter(({ id }) => id === "carl");
  const [alice] = ATTACKERS;
  if (content === undefined || clerk === undefined || alice === undefined) throw new Error("no fixture");
  const { search } = CALLS;
  const request = { action: search?.action ?? "", arguments: search?.arguments ?? {} };
  const own = await explainCall(content, { ...request, caller: { facts: clerk, missingAttributes: [] } });
  expect(own.decision).toBe("allow");
  expect(own.reasons).toEqual(["tenants/globex/policies/clerks.yaml#/allow/tools/0"]);
  expect(own.transforms.map(({ policy }) => policy)).toContain(
    "tenants/globex/policies/clerks.yaml#/transforms/jira.search/redact/0",
  );
  const other = await explainCall(content, { ...request, caller: { facts: alice, missingAttributes: [] } });
  expect(other.decision).toBe("deny");
  const named = [...other.policies, ...other.transforms].map((item) => JSON.stringify(item)).join("\n");
  expect(named).not.toContain("tenants/globex/");
});
