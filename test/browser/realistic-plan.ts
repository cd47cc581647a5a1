// A plan with something of everything, from real edits of the template repository: what its page is looked at with.
import { checkInvariants, planChanges } from "#plan";
import type { GateResult, Plan } from "#plan";
import { compileEdited } from "../unit/compiler/plan/edited-sides.ts";
import type { Edit } from "../unit/compiler/plan/edited-sides.ts";

const BOTH: readonly Edit[] = [
  { file: "policies/baseline.yaml", find: 'deny: { tools: ["finance.wire_transfer"] }', replace: "" },
  {
    file: "tests/access_test.yaml",
    find: `
    expect:
      wire-transfer: { reasons: ["policies/baseline.yaml#/deny/tools/0"], errors: 0 }`,
    replace: "",
  },
  {
    file: "policies/finance.yaml",
    replace: `apiVersion: aegis.dev/v1
kind: Policy
metadata: { name: finance, owner: "@acme/finance", reason: "FIN-88: small transfers by the finance desk" }
scope: { servers: [finance-restricted], principals: { in: [Developer] } }
allow: { tools: ["finance.wire_transfer"] }
constraints:
  finance.wire_transfer:
    arguments: { amount: { max: 1000 } }
`,
  },
  {
    file: "policies/mfa.cedar",
    replace: `// Searching from a phone needs a second factor.
@reason("SEC-204: reindex with a second factor only")
permit (
  principal in Role::"Employee",
  action == Action::"tools/call:jira/jira.reindex",
  resource
)
when { context.auth.mfa && context.auth.tokenAge < duration("15m") };
`,
  },
];

const HEAD: readonly Edit[] = [
  { file: "policies/finance.yaml", find: "max: 1000", replace: "max: 5000" },
  { file: "policies/mfa.cedar", find: "context.auth.mfa && ", replace: "" },
  { file: "policies/sql-prod.cedar", find: 'Role::"Developer"', replace: 'Role::"Employee"' },
  {
    file: "policies/baseline.yaml",
    find: 'transforms:\n  jira.search:\n    redact: ["$.response.assignee.email"]\n',
    replace: "",
  },
  {
    pin: "sql-prod",
    tool: "sql.query",
    set: { description: "Runs one SQL statement against the production database, and returns the rows." },
  },
  { file: "limits.yaml", find: "limit: 600", replace: "limit: 60" },
  { file: "routes.yaml", find: "deadline: 30s", replace: "deadline: 20s" },
];

/** Gates as aegis.yaml of a careful team has them. */
function gatesOf(plan: Plan): readonly GateResult[] {
  const allowed = plan.changes.flatMap((change, index) => (change.kind === "newly-allowed" ? [index] : []));
  const finance = allowed.filter((index) => {
    const change = plan.changes[index];
    return change?.evidence !== "structural" && change?.action.includes("finance") === true;
  });
  const redactions = plan.changes.flatMap((change, index) =>
    change.kind === "transforms-changed" ? [index] : [],
  );
  return [
    {
      name: "no newly allowed call on finance-restricted",
      result: "violated",
      message:
        "2 rows newly allow calls on finance-restricted; add the label finance-approved to accept them",
      rows: finance,
      side: "base",
      label: "finance-approved",
      at: { file: "aegis.yaml", line: 14, column: 5 },
    },
    {
      name: "redactions only grow",
      result: "warning",
      message: "a redaction of jira.search is gone",
      rows: redactions,
      side: "head",
      at: { file: "aegis.yaml", line: 18, column: 5 },
    },
    {
      name: "at most 20 newly allowed rows",
      result: "passed",
      message: `${allowed.length} of 20`,
      rows: [],
      side: "head",
    },
  ];
}

/** The plan, the same on every machine. */
export async function realisticPlan(): Promise<Plan> {
  const before = await compileEdited(BOTH);
  const after = await compileEdited([...BOTH, ...HEAD]);
  const plan = await planChanges(before, after, { base: { kind: "git", ref: "main" } });
  const invariants = await checkInvariants(after, after.model.invariants);
  return { ...plan, gates: plan.gates ?? gatesOf(plan), ...(invariants.length === 0 ? {} : { invariants }) };
}
