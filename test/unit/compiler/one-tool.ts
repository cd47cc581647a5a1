// A project with one tool of a given input schema, and calls of it as the gateway decides them.
import { definitionDigest } from "#bundle";
import type { BundleContent, PrincipalFacts } from "#bundle";
import { compile, formatPins, memoryWorkspace } from "#compiler";
import type { CompileResult } from "#compiler";
import { createEvaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { CallVerdict } from "#policy-test";
import type { JsonObject } from "#std";
import { baseFiles } from "./case-project.ts";

export const ONE_TOOL = "one.tool";

const CALLER: PrincipalFacts = {
  type: "User",
  id: "dana",
  tenant: "default",
  roles: ["Developer"],
  groups: [],
  attributes: { is_external: false, email: "Dana@Corp.example" },
};

/** The properties of the tool's input, and which of them is declared to hold SQL. */
export interface OneTool {
  readonly properties: JsonObject;
  readonly required?: readonly string[];
  readonly sql?: string;
}

/** Compiles the base project with a server of one tool, and the files given. */
export function compileTool(tool: OneTool, extra: Readonly<Record<string, string>>): Promise<CompileResult> {
  const files = baseFiles();
  const { properties, required = [], sql } = tool;
  const definition: JsonObject = { name: ONE_TOOL, inputSchema: { type: "object", properties, required } };
  const serverInfo = { name: "one", version: "1" };
  files.set(
    "registry/servers/one.yaml",
    `apiVersion: aegis.dev/v1
kind: Server
metadata: { name: one, owner: team }
transport: { type: streamable-http, url: "http://127.0.0.1:9/mcp" }
tier: internal
pinMaxAge: 60s
${sql === undefined ? "" : `sql: { ${ONE_TOOL}: { argument: ${sql}, dialect: postgresql } }\n`}`,
  );
  files.set(
    "registry/pins/one.json",
    formatPins({
      server: "one",
      eras: { modern: { protocolVersion: "2026-07-28", capabilities: { tools: {} }, serverInfo } },
      entries: [
        { kind: "tool", name: ONE_TOOL, eras: ["modern"], digest: definitionDigest(definition), definition },
      ],
    }),
  );
  for (const [name, text] of Object.entries(extra)) files.set(name, text);
  return compile({ dir: "memory", workspace: memoryWorkspace(files) });
}

/** The verdicts on calls of the tool, in order. */
export async function callTool(
  content: BundleContent | undefined,
  calls: readonly JsonObject[],
): Promise<readonly CallVerdict[]> {
  if (content === undefined) throw new Error("the project does not compile");
  const evaluator = await createEvaluator(content);
  try {
    const verdicts: CallVerdict[] = [];
    for (const args of calls) {
      const caller = { facts: CALLER, missingAttributes: [] };
      verdicts.push(await decideCall(evaluator, caller, `tools/call:one/${ONE_TOOL}`, args));
    }
    return verdicts;
  } finally {
    evaluator.dispose();
  }
}
