// invariants/*.yaml: what is proved, what a search finds, and names that mean nothing.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compile } from "#compiler";
import type { InvariantResult } from "#compiler";
import { createEvaluator } from "#pdp";
import { checkInvariants } from "#plan";
import { compileEdited, editedWorkspace } from "../plan/edited-sides.ts";
import type { Edit } from "../plan/edited-sides.ts";

interface Case {
  readonly name: string;
  readonly edits?: readonly Edit[];
  readonly invariants: readonly object[];
  readonly results: Readonly<Record<string, object>>;
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/invariants/cases.yaml"), "utf8"),
) as readonly Case[];

function withInvariants(invariants: readonly object[], edits: readonly Edit[] = []): readonly Edit[] {
  return [...edits, { file: "invariants/all.yaml", replace: JSON.stringify({ invariants }) }];
}

function shown({ status, witnesses }: InvariantResult): object {
  const [first] = witnesses;
  if (first === undefined) return { status };
  const read = Object.entries(first.read).map(([name, value]) => ` ${name}=${value}`);
  const policies = first.policies.map(({ id, file, line }) => `${id} ${String(file)}:${String(line)}`);
  const call = `${first.action} ${JSON.stringify(first.arguments)}${read.join("")}`;
  return { status, caller: first.caller, call, policies };
}

describe("invariants of the template", () => {
  test.each(CASES)("$name", async ({ edits, invariants, results }) => {
    const result = await compileEdited(withInvariants(invariants, edits));
    const checked = await checkInvariants(result, result.model.invariants);
    expect(Object.fromEntries(checked.map((item) => [item.name, shown(item)]))).toEqual(results);

    const evaluator = await createEvaluator(result.bundle.content);
    try {
      for (const { action, principal, request, arguments: args, effect } of checked.flatMap(
        (c) => c.witnesses,
      )) {
        const signal = AbortSignal.timeout(5_000);
        const call = { tenant: principal.tenant, action, arguments: args, principal, request, signal };
        const prepared = await evaluator.prepare(call);
        expect(prepared.ok ? evaluator.decide(prepared.query).effect : "deny").toBe(effect);
      }
    } finally {
      evaluator.dispose();
    }
  });
});

describe("names that mean nothing", () => {
  const denied = { name: "x", expect: "denied" };
  test.each([
    ["tool", { ...denied, targets: { tools: ["jira.serch"] } }, "NAME_UNKNOWN", "jira.search"],
    ["server", { ...denied, targets: { servers: ["jria"] } }, "SERVER_UNKNOWN", "jira"],
    ["tier", { ...denied, targets: { tiers: ["restrictd"] } }, "SCOPE_EMPTY", "restricted"],
    ["method", { ...denied, targets: { methods: ["tools/cal"] } }, "NAME_UNKNOWN", "tools/call"],
    ["role", { ...denied, callers: { roles: ["Employe"] } }, "ROLE_UNKNOWN", "Employee"],
    ["excluded role", { ...denied, callers: { notRoles: ["Employe"] } }, "ROLE_UNKNOWN", "Employee"],
    ["tenant", { ...denied, callers: { tenants: ["defalt"] } }, "TENANT_UNKNOWN", "default"],
    ["attribute", { ...denied, callers: { attrs: { is_externl: true } } }, "DOCUMENT_INVALID", "is_external"],
    ["member", { ...denied, target: {} }, "DOCUMENT_UNKNOWN_KEY", "targets"],
  ])("unknown %s", async (_what, invariant, code, suggestion) => {
    const { diagnostics, bundle } = await compile({
      dir: "",
      workspace: editedWorkspace(withInvariants([invariant])),
    });
    expect(bundle).toBeUndefined();
    expect(diagnostics.map((item) => item.code)).toEqual([code]);
    expect(diagnostics[0]?.help).toContain(suggestion);
    expect(diagnostics[0]?.file).toBe("invariants/all.yaml");
  });

  test("targets that exclude each other, and a name used twice", async () => {
    const both = { ...denied, targets: { tools: ["jira.search"], tiers: ["restricted"] } };
    const workspace = editedWorkspace(withInvariants([both, denied]));
    const { diagnostics } = await compile({ dir: "", workspace });
    expect(diagnostics.map((item) => item.code).sort()).toEqual(["DOCUMENT_DUPLICATE", "DOCUMENT_INVALID"]);
  });

  test("a tenant has none", async () => {
    const file = "tenants/acme/invariants/all.yaml";
    const workspace = editedWorkspace([{ file, replace: JSON.stringify({ invariants: [denied] }) }]);
    const { diagnostics } = await compile({ dir: "", workspace });
    expect(diagnostics.map((item) => item.code)).toContain("TENANT_ESCAPE");
  });
});
