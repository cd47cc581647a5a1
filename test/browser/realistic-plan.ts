// A plan with something of everything, from real edits of the template repository: what its page is looked at with.
import { checkInvariants, planChanges, withGates } from "#plan";
import type { Plan } from "#plan";
import { proveNoNewPermits, withSymbolic } from "#symbolic";
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

const GATES: Edit = {
  file: "aegis.yaml",
  replace: `gates:
  newlyAllowed:
    default: warn
    tiers: { restricted: { require: "label:finance-approved" } }
  newlyDenied: warn
  redactionRemoved: { require: "label:privacy-approved" }
  limitLoosened: deny
`,
};

const INVARIANTS: Edit = {
  file: "invariants/contract.yaml",
  replace: `invariants:
  - name: nobody from outside moves money
    reason: FIN-3, asked for by the auditors every year
    callers: { attrs: { is_external: true } }
    targets: { tiers: [restricted] }
    expect: denied
  - name: production is for developers
    reason: SEC-17
    callers: { notRoles: [Developer] }
    targets: { servers: [sql-prod] }
    expect: denied
`,
};

/** The plan, the same on every machine. */
export async function realisticPlan(): Promise<Plan> {
  const both = [...BOTH, GATES, INVARIANTS];
  const before = await compileEdited(both);
  const after = await compileEdited([...both, ...HEAD]);
  const plan = await planChanges(before, after, { base: { kind: "git", ref: "main" } });
  const found = plan.changes.filter((change) => change.evidence !== "structural");
  const proof = await proveNoNewPermits(before, after, { found, queryTimeoutMs: 60_000 });
  const proved = withSymbolic(plan, proof, before, after);
  const invariants = await checkInvariants(after, after.model.invariants);
  const checked = invariants.length === 0 ? proved : { ...proved, invariants };
  return withGates(checked, before, after, { labels: ["privacy-approved"] });
}
