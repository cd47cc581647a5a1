// Plans made by hand: as small or as large as a test needs, and with text that means harm.
import type { LeafAction, PolicyId, PrincipalFacts } from "#bundle";
import type { DecisionChange, Plan, PlanChange, PlanMatrix } from "#plan";

export const DIGEST_A = "a".repeat(64) as Plan["head"]["digest"];
export const DIGEST_B = "b".repeat(64) as Plan["head"]["digest"];

export function decision(over: Partial<DecisionChange> = {}): DecisionChange {
  return {
    kind: "newly-allowed",
    evidence: "matrix",
    principal: "developer",
    action: "tools/call:jira/jira.search" as LeafAction,
    before: { effect: "deny", reasons: [] },
    after: { effect: "allow", reasons: ["policies/jira.yaml#/allow/tools/0" as PolicyId] },
    witness: { principal: caller("dana"), arguments: { jql: "project = OPS" } },
    changedCalls: 1,
    searchedCalls: 9,
    ...over,
  };
}

export function caller(id: string): PrincipalFacts {
  return {
    type: "User",
    id,
    tenant: "default" as PrincipalFacts["tenant"],
    roles: ["Developer"],
    groups: [],
    attributes: { is_external: false },
  };
}

export function planOf(changes: readonly PlanChange[], over: Partial<Plan> = {}): Plan {
  const count = (kind: string): number => changes.filter((change) => change.kind === kind).length;
  const structural = changes.filter((change) => change.evidence === "structural").length;
  return {
    base: { kind: "git", ref: "main", digest: DIGEST_A },
    head: { digest: DIGEST_B },
    searched: { principals: 7, leaves: 8, identicalLeaves: 0, calls: 378, decisions: 756, truncated: false },
    summary: {
      newlyAllowed: count("newly-allowed"),
      newlyDenied: count("newly-denied"),
      reasonsChanged: count("reasons-changed"),
      transformsChanged: count("transforms-changed"),
      structural: structural - count("transforms-changed"),
    },
    changes,
    ...over,
  };
}

/** `tools` definitions on ten servers, `callers` callers, and `rows` rows of three kinds, no two of them alike. */
export function largePlan(tools: number, callers: number, rows: number): Plan {
  const principals = Array.from({ length: callers }, (_, index) => `role Team${index}, is_external = false`);
  const actions = Array.from(
    { length: tools },
    (_, index) => `tools/call:server-${index % 10}/tool.number_${index}` as LeafAction,
  );
  const cells = actions.map(() => Array.from({ length: callers }, (_, index) => "das."[index % 4] ?? "."));
  const letters = { "newly-allowed": "A", "newly-denied": "D", "reasons-changed": "r" } as const;
  const kinds = ["newly-allowed", "newly-denied", "reasons-changed"] as const;
  const changes = Array.from({ length: rows }, (_, index): DecisionChange => {
    const tool = (index * 7) % tools;
    const column = Math.floor(index / tools) + (index % 5);
    const kind = kinds[index % 3] ?? "newly-allowed";
    const row = cells[tool];
    if (row !== undefined) row[column % callers] = letters[kind];
    return decision({
      kind,
      principal: principals[column % callers] ?? "nobody",
      action: actions[tool] ?? ("tools/call:server-0/tool.number_0" as LeafAction),
      witness: { principal: caller(`person-${index}`), arguments: { number: index, text: "x".repeat(200) } },
    });
  });
  const leaves: PlanMatrix["leaves"] = actions.map((action, index) => ({
    action,
    server: `server-${index % 10}`,
    cells: (cells[index] ?? []).join(""),
  }));
  return planOf(changes, {
    matrix: {
      principals,
      leaves: leaves.toSorted((a, b) => (a.server < b.server ? -1 : a.server > b.server ? 1 : 0)),
    },
  });
}
