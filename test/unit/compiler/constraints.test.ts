// Each constraint of test/data/constraints.yaml against calls, through compile and the evaluator of the gateway.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { JsonObject } from "#std";
import { ONE_TOOL, callTool, compileTool } from "./one-tool.ts";

interface ConstraintCase {
  readonly name: string;
  readonly properties: JsonObject;
  readonly sql?: string;
  readonly constraint: JsonObject;
  readonly allow: readonly JsonObject[];
  readonly deny: readonly JsonObject[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../data/constraints.yaml"), "utf8"),
) as readonly ConstraintCase[];

describe("constraints", () => {
  test.each(CASES.map((item) => [item.name, item] as const))("%s", async (_name, item) => {
    const policy = stringify({
      scope: { principals: "any" },
      allow: { tools: [ONE_TOOL] },
      constraints: { [ONE_TOOL]: item.constraint },
    });
    const { content, diagnostics } = await compileTool(item, { "policies/p.yaml": policy });
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    const calls = [...item.allow, ...item.deny];
    const verdicts = await callTool(content, calls);
    const expected = [...item.allow.map(() => "allow"), ...item.deny.map(() => "deny")];
    expect(calls.map((call, index) => `${verdicts[index]?.effect ?? ""} ${JSON.stringify(call)}`)).toEqual(
      calls.map((call, index) => `${expected[index] ?? ""} ${JSON.stringify(call)}`),
    );
  });
});
