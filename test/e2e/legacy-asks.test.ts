// What a legacy server asks of its client in the middle of a call: decided, relayed, answered, recorded.
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyAuditLog } from "#audit";
import { FILE_ROOTS, SERVER, asksOf, startAskingWorld } from "./asking-world.ts";
import type { AskingWorld } from "./asking-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER } from "./gateway-world.ts";

const ASKS = asksOf(
  `sampling: { ${SERVER}: { maxTokens: 100 } }`,
  `elicitation: { ${SERVER}: { forbiddenFields: ["*password*"] } }`,
  FILE_ROOTS,
);

let world: AskingWorld;

beforeAll(async () => {
  world = await startAskingWorld(ASKS);
});

afterAll(() => world.stop());

interface Asked {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

interface Answers {
  readonly elicit?: Record<string, unknown>;
  readonly capabilities?: Record<string, unknown>;
}

async function openClient(answers: Answers = {}): Promise<{ client: Client; asked: Asked[] }> {
  const asked: Asked[] = [];
  const capabilities = answers.capabilities ?? { elicitation: { form: {} }, sampling: {}, roots: {} };
  const client = new Client({ name: "asked", version: "1.0.0" }, { capabilities });
  const note = (request: { method: string; params?: unknown }): void =>
    void asked.push({ method: request.method, params: (request.params ?? {}) as Record<string, unknown> });
  if ("elicitation" in capabilities)
    client.setRequestHandler(ElicitRequestSchema, (request) => {
      note(request);
      return (answers.elicit ?? { action: "accept", content: { username: "ada", email: "a@b.c" } }) as never;
    });
  if ("sampling" in capabilities)
    client.setRequestHandler(CreateMessageRequestSchema, (request) => {
      note(request);
      return { role: "assistant", content: { type: "text", text: "Paris" }, model: "m-1" };
    });
  if ("roots" in capabilities)
    client.setRequestHandler(ListRootsRequestSchema, (request) => {
      note(request);
      return { roots: [{ uri: "file:///home/ada", name: "home" }, { uri: "https://example.com/" }] } as never;
    });
  const token = await world.token(DEVELOPER, SERVER);
  const transport = new StreamableHTTPClientTransport(world.endpoint(SERVER), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  await client.connect(transport as never);
  return { client, asked };
}

async function callText(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const result = await client.callTool({ name, arguments: args });
  return JSON.stringify(result.content);
}

describe("a legacy server asks its client", () => {
  it("for input, which reaches it and comes back", async () => {
    const { client, asked } = await openClient();
    const text = await callText(client, "test_elicitation", { message: "Who are you?" });
    expect(text).toContain("action=accept");
    expect(text).toContain("ada");
    expect(asked).toMatchObject([
      {
        method: "elicitation/create",
        params: { message: "Who are you?", _meta: { "dev.aegis/server": SERVER } },
      },
    ]);
    await client.close();
    const records = (await readAuditRecords(join(world.dir, "audit"))).map(({ body }) => body);
    const decision = records.find(
      (body) => body["direction"] === "server-to-client" && body["method"] === "elicitation/create",
    );
    expect(decision).toMatchObject({
      effect: "allow",
      server: SERVER,
      target: `elicitation/create:${SERVER}`,
      policies: [expect.stringContaining("policies/asks.yaml")],
    });
    const call = records.find((body) => body["id"] === decision?.["during"]);
    expect(call).toMatchObject({ method: "tools/call", effect: "allow" });
    expect(records.filter((body) => body["id"] === decision?.["id"])).toMatchObject([
      { effect: "allow" },
      { outcome: "result" },
    ]);
  });

  it("for its model and its roots, of which only those that a policy allows arrive", async () => {
    const { client, asked } = await openClient();
    expect(await callText(client, "test_sampling", { prompt: "capital?" })).toContain("Paris");
    const roots = await callText(client, "test_input_required_result_list_roots");
    expect(roots).toContain("file:///home/ada");
    expect(roots).not.toContain("example.com");
    expect(asked.map(({ method }) => method)).toEqual(["sampling/createMessage", "roots/list"]);
    await client.close();
  });

  it("and is told no where the client did not declare it", async () => {
    const { client, asked } = await openClient({ capabilities: { sampling: {} } });
    expect(await callText(client, "test_elicitation", { message: "Who?" })).toContain("does not support");
    expect(asked).toEqual([]);
    await client.close();
  });
});

it("leaves a log that is whole, with an outcome for everything that was allowed", async () => {
  const { auditDir } = world.gateway;
  await world.gateway.stop();
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});
