// Limits of policies on what servers ask of clients: only those that name asks count them, in both eras.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ASK_ANYTHING, SERVER, startAskingWorld } from "./asking-world.ts";
import type { AskingWorld } from "./asking-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER } from "./gateway-world.ts";
import type { Caller } from "./gateway-world.ts";
import { rawRequest } from "./raw-call.ts";

const OTHER: Caller = { subject: "otto", roles: ["Developer"], isExternal: false };
const LIMITS = `
limits:
  - { id: calls, per: [principal], limit: 5, window: 1h }
  - { id: forms, asks: [elicitation], per: [principal, server], limit: 2, window: 1h }
`;

let world: AskingWorld;

beforeAll(async () => {
  world = await startAskingWorld();
  await world.release(world.repository(ASK_ANYTHING, { "limits.yaml": LIMITS }));
}, 60_000);

afterAll(() => world.stop());

it("an ask beyond its limit is refused to the server, and the call goes on", async () => {
  const asked: string[] = [];
  const client = new Client(
    { name: "asked", version: "1.0.0" },
    { capabilities: { elicitation: { form: {} }, sampling: {} } },
  );
  client.setRequestHandler(ElicitRequestSchema, ({ method }) => {
    asked.push(method);
    return { action: "accept", content: { username: "ada", email: "a@b.c" } };
  });
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.push(method);
    return { role: "assistant", content: { type: "text", text: "Paris" }, model: "m-1" };
  });
  const transport = new StreamableHTTPClientTransport(world.endpoint(SERVER), {
    requestInit: { headers: { authorization: `Bearer ${await world.token(DEVELOPER, SERVER)}` } },
  });
  await client.connect(transport as never);
  const call = async (name: string, args: Record<string, unknown>): Promise<string> =>
    JSON.stringify((await client.callTool({ name, arguments: args })).content);
  const ask = (): Promise<string> => call("test_elicitation", { message: "Who are you?" });
  expect([await ask(), await ask()].every((text) => text.includes("action=accept"))).toBe(true);
  expect(await ask()).toContain("action=decline");
  expect(asked).toEqual(["elicitation/create", "elicitation/create"]);
  // Another kind of ask is counted by no limit, and none of them by the limit on calls: this is the fifth call.
  expect(await call("test_sampling", { prompt: "capital?" })).toContain("Paris");
  expect(await call("test_sampling", { prompt: "capital?" })).toContain("Paris");
  await expect(call("test_sampling", { prompt: "capital?" })).rejects.toThrow(/Rate limit|Too many|limit/u);
  await client.close();
  const records = (await readAuditRecords(world.gateway.auditDir)).map(({ body }) => body);
  const refused = records.filter((body) => body["code"] === "RATE_LIMITED");
  expect(refused[0]).toMatchObject({
    direction: "server-to-client",
    effect: "deny",
    stage: "throttle",
    target: `elicitation/create:${SERVER}`,
    detail: "limit forms",
  });
});

it("in the modern era the call is refused, for the caller whose count it is", async () => {
  const call = async (): ReturnType<typeof rawRequest> => {
    const name = "test_input_required_result_elicitation";
    return rawRequest(world.endpoint(SERVER), {
      method: "tools/call",
      name,
      params: { name, arguments: {} },
      token: await world.token(OTHER, SERVER),
      capabilities: { elicitation: { form: {} } },
    });
  };
  for (let time = 0; time < 2; time += 1)
    expect((await call()).result).toMatchObject({ resultType: "input_required" });
  expect((await call()).error?.data).toMatchObject({ code: "SERVER_REQUEST_DENIED" });
});
