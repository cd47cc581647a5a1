// How many policies over how many definitions: what is advice, what is refused, and what is free of findings.
import { describe, expect, test } from "vitest";
import { definitionDigest } from "#bundle";
import { compile, memoryWorkspace } from "#compiler";
import type { Diagnostic } from "#compiler";
import { benchRepo } from "../../../bench/repo/bench-repo.ts";
import { baseFiles } from "./case-project.ts";

function withTools(count: number, cedar: string): Map<string, string | Uint8Array> {
  const files = baseFiles();
  const tools = Array.from({ length: count }, (_, index) => {
    const definition = { name: `t${index}`, inputSchema: { type: "object" } };
    return { name: definition.name, eras: ["modern"], digest: definitionDigest(definition), definition };
  });
  const era = {
    ...{ protocolVersion: "2026-07-28", capabilities: { tools: {} } },
    serverInfo: { name: "n", version: "1" },
  };
  files.set("registry/servers/n.yaml", "metadata: { name: n }\ntransport: { type: stdio, program: n }\n");
  files.set(
    "registry/pins/n.json",
    JSON.stringify({ formatVersion: 1, server: "n", eras: { modern: era }, tools }),
  );
  files.set("policies/many.cedar", cedar);
  return files;
}

function wide(count: number): string {
  const policies = Array.from(
    { length: count },
    (_, index) => `forbid (principal in Group::"g${index}", action, resource);`,
  );
  return policies.join("\n");
}

async function found(files: Map<string, string | Uint8Array>): Promise<readonly Diagnostic[]> {
  return (await compile({ dir: "memory", workspace: memoryWorkspace(files) })).diagnostics;
}

describe("policies without scope", () => {
  test("are advised against, with the widest named", async () => {
    const [advice] = (await found(withTools(100, wide(900)))).filter(({ code }) => code === "POLICY_FAN_OUT");
    expect(advice).toMatchObject({ severity: "warning", file: "policies/many.cedar", line: 1, column: 1 });
    expect(advice?.message).toMatch(
      /^\d+ policies stand \d{6} times in the bundle.*many\.cedar:1 \(\d{3}\)/u,
    );
  });

  test("a few are not", async () => {
    const codes = (await found(withTools(50, wide(100)))).map(({ code }) => code);
    expect(codes).not.toContain("POLICY_FAN_OUT");
  });

  test("are refused where they would take minutes", async () => {
    const diagnostics = await found(withTools(1_000, wide(3_000)));
    expect(diagnostics.find(({ code }) => code === "CEDAR_TOO_MANY")).toMatchObject({
      ...{ severity: "error", file: "policies/many.cedar", line: 1 },
    });
  });
});

test("500 tools under 1,000 policies have no finding of a check of meaning", async () => {
  const files = benchRepo({ ownPolicies: 10, loaded: true, otherTools: 500, otherPolicies: 1_000 });
  const codes = new Set((await found(new Map(files))).map(({ code }) => code));
  expect([...codes].filter((code) => !/^(?:CEDAR_REGEX_|DOCUMENT_UNTESTED$)/u.test(code))).toEqual([]);
});
