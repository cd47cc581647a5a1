// A real MCP client of the official SDK, reduced to what the tour shows.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { isJsonObject } from "#std";

export type CallAnswer =
  /** `json` is the whole result as it arrived. */
  | { readonly kind: "result"; readonly structured: unknown; readonly json: string }
  | {
      readonly kind: "refused";
      readonly message: string;
      /** Stable code of the denial, e.g. `POLICY_DENIED`. */
      readonly code: string;
      readonly decisionId: string | undefined;
      readonly policies: readonly string[];
    };

export interface TourClient {
  readonly callTool: (name: string, args: Readonly<Record<string, unknown>>) => Promise<CallAnswer>;
  /** Description of a tool as the list shows it; undefined where the list does not have it. */
  readonly descriptionOf: (tool: string) => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

const TIMEOUT_MS = 60_000;

/** Connects with automatic version negotiation, to the gateway with a token or to a server without. */
export async function connectTourClient(
  url: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<TourClient> {
  const client = new Client(
    { name: "aegis-tour", version: "1.0.0" },
    { versionNegotiation: { mode: "auto" } },
  );
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const options = { timeout: TIMEOUT_MS, signal };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
    options,
  );
  return {
    callTool: async (name, args) => {
      try {
        const result = await client.callTool({ name, arguments: { ...args } }, options);
        return { kind: "result", structured: result.structuredContent, json: JSON.stringify(result) };
      } catch (fault) {
        return refusalOf(fault);
      }
    },
    descriptionOf: async (tool) => {
      const { tools } = await client.listTools(undefined, options);
      return tools.find((item) => item.name === tool)?.description;
    },
    close: () => client.close(),
  };
}

/** A JSON-RPC error with the gateway's data; anything else is thrown on. */
function refusalOf(fault: unknown): CallAnswer {
  const data = fault instanceof Error && "data" in fault ? fault.data : undefined;
  if (!(fault instanceof Error) || !isJsonObject(data) || typeof data["code"] !== "string") throw fault;
  const policies = data["policies"];
  return {
    kind: "refused",
    message: fault.message,
    code: data["code"],
    decisionId: typeof data["decisionId"] === "string" ? data["decisionId"] : undefined,
    policies: Array.isArray(policies) ? policies.filter((item) => typeof item === "string") : [],
  };
}
