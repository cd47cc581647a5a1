// A project with one server whose tools take what operators need: numbers, texts, flags, SQL, addresses.
import { definitionDigest } from "#bundle";
import { compile, formatPins, memoryWorkspace } from "#compiler";
import type { CompileResult, Workspace } from "#compiler";
import type { JsonObject } from "#std";
import { baseFiles } from "../case-project.ts";

export const CEDAR = "policies/shop.cedar";
export const YAML = "policies/shop.yaml";

const TEXT: JsonObject = { type: "string" };

const TOOLS: readonly JsonObject[] = [
  {
    name: "order",
    inputSchema: {
      type: "object",
      properties: {
        amount: { type: "integer" },
        currency: TEXT,
        note: TEXT,
        gift: { type: "boolean" },
        callback: TEXT,
        file: TEXT,
        mail: TEXT,
        tags: { type: "array", items: TEXT },
      },
      required: ["amount", "currency", "note", "gift", "callback", "file", "mail", "tags"],
    },
    outputSchema: {
      type: "object",
      properties: {
        customer: { type: "object", properties: { email: TEXT, name: TEXT, id: TEXT, phone: TEXT } },
        remark: TEXT,
        comment: TEXT,
      },
    },
  },
  {
    name: "refund",
    inputSchema: { type: "object", properties: { amount: { type: "integer" } }, required: ["amount"] },
  },
  { name: "lookup", inputSchema: { type: "object", properties: {} } },
  { name: "query", inputSchema: { type: "object", properties: { sql: TEXT }, required: ["sql"] } },
];

const SERVER = `apiVersion: aegis.dev/v1
kind: Server
metadata: { name: shop, owner: team }
transport: { type: streamable-http, url: "http://127.0.0.1:9/mcp" }
tier: internal
pinMaxAge: 60s
sql: { query: { argument: sql, dialect: postgresql } }
`;

/** One test that passes whatever the policies of a case say: it calls another server. */
export const WEAK_SUITE = `principals: { stranger: { id: sam, attrs: { is_external: true } } }
calls: { search: { server: jira, tool: jira.search, arguments: { jql: x } } }
tests: [{ name: strangers cannot search, matrix: { principals: [stranger], calls: [search] } }]
`;

/** A test that does not run: its call is one from which a search can start. */
export function knownCall(call: JsonObject): string {
  const document = {
    principals: { stranger: { id: "sam", attrs: { is_external: true } } },
    calls: { known: { server: "shop", ...call } },
    tests: [{ name: "a start", skip: "known", matrix: { principals: ["stranger"], calls: ["known"] } }],
  };
  return JSON.stringify(document);
}

/** The project with the files given, in memory. */
export function shop(files: Readonly<Record<string, string>>): Workspace {
  const all = baseFiles();
  all.delete("tests/base_test.yaml");
  all.set("registry/servers/shop.yaml", SERVER);
  const serverInfo = { name: "shop", version: "1" };
  all.set(
    "registry/pins/shop.json",
    formatPins({
      server: "shop",
      eras: {
        modern: {
          protocolVersion: "2026-07-28",
          capabilities: { tools: {}, elicitation: {}, sampling: {} },
          serverInfo,
        },
      },
      entries: TOOLS.map((definition) => ({
        ...{ kind: "tool", name: String(definition["name"]), eras: ["modern"] },
        ...{ digest: definitionDigest(definition), definition },
      })) as Parameters<typeof formatPins>[0]["entries"],
    }),
  );
  for (const [name, text] of Object.entries(files)) all.set(name, text);
  return memoryWorkspace(all);
}

/** Compiles it. Throws where that gives an error. */
export async function compiled(workspace: Workspace): Promise<CompileResult> {
  const result = await compile({ dir: "memory", workspace });
  if (result.bundle === undefined) {
    const errors = result.diagnostics.filter(({ severity }) => severity === "error");
    throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  }
  return result;
}
