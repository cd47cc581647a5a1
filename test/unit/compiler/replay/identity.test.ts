// What a change of identity makes of records: facts that would be read from another claim are not known.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { PrincipalFacts } from "#bundle";
import { DecisionReplay } from "#replay";
import { compileEdited } from "../plan/edited-sides.ts";
import type { Edit } from "../plan/edited-sides.ts";
import { recorderOf } from "./recording.ts";
import type { RecordedCall } from "./recording.ts";

interface IdentityCase {
  readonly name: string;
  readonly caller?: Partial<PrincipalFacts>;
  readonly recorder?: "unknown";
  readonly edits: readonly Edit[];
  readonly outcome: string;
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/plan/replay-identity.yaml"), "utf8"),
) as readonly IdentityCase[];

const BOTH: readonly Edit[] = [
  { file: "identity.yaml", replace: "      dept: { claim: department, type: String }\n" },
  {
    file: "policies/dept.cedar",
    replace:
      'forbid (principal, action == Action::"tools/call:jira/jira.search", resource)\nwhen { principal has dept && principal.dept == "sec" };\n',
  },
];

function callOf(caller: Partial<PrincipalFacts>): RecordedCall {
  const auth = { issuer: "https://login.example.com/", time: 0 };
  return {
    action: "tools/call:jira/jira.search",
    arguments: { jql: "project = OPS" },
    principal: {
      ...{ type: "User", id: "dana", tenant: "default", roles: ["Employee"], groups: [] },
      attributes: { is_external: false, dept: "eng" },
      ...caller,
    },
    request: { auth } as unknown as RecordedCall["request"],
  };
}

test.each(CASES)("$name: $outcome", async ({ caller = {}, recorder: by, edits, outcome }) => {
  const before = (await compileEdited(BOTH)).bundle;
  const after = (await compileEdited([...BOTH, ...edits])).bundle;
  const recorder = await recorderOf(before.content, by === undefined ? before.digest : "f".repeat(64));
  const replay = await DecisionReplay.open(before, after, AbortSignal.timeout(30_000));
  try {
    const made = await recorder.record(callOf(caller), "all");
    if (made === undefined) throw new Error("the call is refused");
    expect(made.decision.effect).toBe("allow");
    await replay.add([made.record]);
    const { replay: counts, changes } = replay.outcome();
    const missing = counts.missingFacts.map(({ fact }) => fact).join(", ");
    const found = counts.indeterminate === 1 ? `indeterminate ${missing}` : changes[0]?.kind;
    expect(found ?? "unchanged").toBe(outcome);
    expect(counts.records).toBe(1);
  } finally {
    replay.dispose();
    recorder.evaluator.dispose();
  }
});
