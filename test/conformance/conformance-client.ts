// The client that the suite's client scenarios are run with: what each of them wants a client to do, on the 2.x SDK.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Tool } from "@modelcontextprotocol/client";

export interface ClientRun {
  readonly url: URL;
  readonly scenario: string;
  readonly revision: string;
  /** What the suite hands to the client, as JSON; absent for most scenarios. */
  readonly context: string | undefined;
  readonly token?: string;
}

const MODERN = "2026-07-28";

type Step = (client: Client, run: ClientRun) => Promise<unknown>;

/** A value for every required argument. */
function sample({ inputSchema }: Tool): Record<string, unknown> {
  const properties = (inputSchema.properties ?? {}) as Record<string, { type?: string }>;
  const values: Readonly<Record<string, unknown>> = {
    string: "text",
    number: 1,
    integer: 1,
    boolean: true,
    object: {},
    array: [],
    null: null,
  };
  return Object.fromEntries(
    (inputSchema.required ?? []).map((name) => [name, values[properties[name]?.type ?? "string"]]),
  );
}

const callEach =
  (...names: readonly string[]): Step =>
  async (client) => {
    await client.listTools();
    for (const name of names) await client.callTool({ name, arguments: {} }).catch(() => undefined);
  };

const STEPS: Readonly<Record<string, Step>> = {
  initialize: (client) => client.listTools(),
  tools_call: async (client) => {
    await client.listTools();
    await client.callTool({ name: "add_numbers", arguments: { a: 5, b: 3 } });
  },
  "elicitation-sep1034-client-defaults": callEach("test_client_elicitation_defaults"),
  "sse-retry": callEach("test_reconnection"),
  "request-metadata": (client) => client.listTools(),
  "sep-2322-client-request-state": callEach(
    "test_mrtr_echo_state",
    "test_mrtr_unrelated",
    "test_mrtr_no_state",
    "test_mrtr_unrelated",
    "test_mrtr_no_result_type",
  ),
  "http-standard-headers": async (client) => {
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: {} });
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  },
  "http-custom-headers": async (client, { context }) => {
    await client.listTools();
    const { toolCalls } = JSON.parse(context ?? "{}") as {
      toolCalls: { name: string; arguments: Record<string, unknown> }[];
    };
    // The schema has no null: what is null is not provided.
    for (const call of toolCalls) {
      const provided = Object.entries(call.arguments).filter(([, value]) => value !== null);
      await client.callTool({ name: call.name, arguments: Object.fromEntries(provided) });
    }
  },
  "http-invalid-tool-headers": async (client) => {
    for (const tool of (await client.listTools()).tools)
      await client.callTool({ name: tool.name, arguments: sample(tool) });
  },
  "json-schema-ref-no-deref": (client) => client.listTools(),
  "json-schema-2020-12-preservation": async (client) => {
    const { tools } = await client.listTools();
    const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema;
    await client.callTool({ name: "json_schema_echo", arguments: { schema } });
  },
};

/** Does what the scenario asks for. @throws where a call that must succeed fails */
export async function runConformanceClient(run: ClientRun): Promise<void> {
  const step = STEPS[run.scenario];
  if (step === undefined) throw new Error(`no such client scenario: ${run.scenario}`);
  const client = new Client(
    { name: "aegis-conformance-client", version: "1.0.0" },
    {
      capabilities: { sampling: {}, elicitation: { form: { applyDefaults: true } }, roots: {} },
      versionNegotiation: { mode: run.revision === MODERN ? "auto" : "legacy" },
    },
  );
  client.setRequestHandler("elicitation/create", ({ params }) => ({
    action: "accept",
    content: params.message.includes("confirm") ? { confirmed: true } : {},
  }));
  const headers: Record<string, string> =
    run.token === undefined ? {} : { authorization: `Bearer ${run.token}` };
  await client.connect(new StreamableHTTPClientTransport(run.url, { requestInit: { headers } }));
  try {
    await step(client, run);
  } finally {
    await client.close();
  }
}
