// Servers of one era behind a gateway, called by the official SDK of the other: over HTTP and as a process.
import { join } from "node:path";
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TransportEntry } from "#bundle";
import { startFixtureHost } from "../servers/conformance-fixture/http-host.ts";
import type { FixtureHost } from "../servers/conformance-fixture/http-host.ts";
import { startLegacyAsks } from "../servers/legacy-asks.ts";
import type { LegacyAsksServer } from "../servers/legacy-asks.ts";
import { ASK_ANYTHING } from "./asking-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { Caller, GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { rawRequest } from "./raw-call.ts";
import type { RawAnswer } from "./raw-call.ts";

const SERVERS = join(import.meta.dirname, "..", "servers");
const PROGRAMS = {
  asks: { command: process.execPath, args: [join(SERVERS, "legacy-asks.ts")] },
  fixture: {
    command: process.execPath,
    args: [join(SERVERS, "conformance-fixture/main.ts"), "--eras", "modern", "--transport", "stdio"],
  },
};
const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const OTHER: Caller = { subject: "otto", roles: ["Developer", "Employee"], isExternal: false };

const FIELDS: Readonly<Record<string, string>> = { name: "Ada", color: "red" };

let legacy: LegacyAsksServer;
let modern: FixtureHost;
let world: GatewayWorld;

beforeAll(async () => {
  [legacy, modern] = await Promise.all([startLegacyAsks(), startFixtureHost("modern")]);
  const transports: Readonly<Record<string, TransportEntry>> = {
    "old-http": { type: "streamable-http", url: legacy.url },
    "old-stdio": { type: "stdio", program: "asks", args: [] },
    "new-http": { type: "streamable-http", url: modern.url },
    "new-stdio": { type: "stdio", program: "fixture", args: [] },
  };
  const pinned = await Promise.all(
    Object.entries(transports).map(([id, transport]) => pinLive({ id, transport }, PROGRAMS)),
  );
  world = await startGatewayWorld({
    workspace: grantingRepository(pinned, { "policies/asks.yaml": ASK_ANYTHING }),
    transports,
    programs: PROGRAMS,
    gateway: { pollIntervalMs: 3_600_000 },
  });
}, 60_000);
afterAll(async () => {
  await world.stop();
  await Promise.all([legacy.close(), modern.close()]);
});

async function headersFor(server: string, caller: Caller = DEVELOPER): Promise<{ requestInit: RequestInit }> {
  const token = await world.token(caller, server);
  return { requestInit: { headers: { authorization: `Bearer ${token}` } } };
}

async function modernClient(
  server: string,
  root: () => string = () => "file:///home/ada",
): Promise<ModernClient> {
  const client = new ModernClient(
    { name: "desk", version: "1.0.0" },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: { pin: "2026-07-28" } } },
  );
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }));
  client.setRequestHandler("sampling/createMessage", () => ({
    role: "assistant",
    content: { type: "text", text: "Paris" },
    model: "m-1",
  }));
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: root() }] }));
  await client.connect(new ModernTransport(world.endpoint(server), await headersFor(server)));
  return client;
}

async function legacyClient(server: string, asked: string[] = []): Promise<LegacyClient> {
  const client = new LegacyClient({ name: "desk", version: "1.0.0" }, { capabilities: CAPABILITIES });
  client.setRequestHandler(ElicitRequestSchema, ({ method, params }) => {
    asked.push(method);
    const fields = "requestedSchema" in params ? Object.keys(params.requestedSchema.properties) : [];
    const content = Object.fromEntries(fields.map((name) => [name, FIELDS[name] ?? ""]));
    return { action: "accept" as const, content };
  });
  client.setRequestHandler(CreateMessageRequestSchema, ({ method }) => {
    asked.push(method);
    return { role: "assistant" as const, content: { type: "text" as const, text: "Paris" }, model: "m-1" };
  });
  client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
    asked.push(method);
    return { roots: [{ uri: "file:///home/ada" }] };
  });
  await client.connect(new LegacyTransport(world.endpoint(server), await headersFor(server)) as never);
  return client;
}

type Body = Record<string, unknown>;

async function post(
  tool: string,
  more: Body = {},
  options: { caller?: Caller; signal?: AbortSignal; capabilities?: Body } = {},
): Promise<RawAnswer> {
  return rawRequest(world.endpoint("old-http"), {
    method: "tools/call",
    name: tool,
    params: { name: tool, arguments: {}, ...more },
    token: await world.token(options.caller ?? DEVELOPER, "old-http"),
    capabilities: options.capabilities ?? CAPABILITIES,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Answers to every entry of an answer that asks. */
function retryOf(answer: RawAnswer): Body {
  const { inputRequests, requestState } = answer.result as { inputRequests: Body; requestState: string };
  const reply = { action: "accept", content: { name: "Ada" } };
  const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, reply]));
  return { inputResponses, requestState };
}

describe.each(["old-http", "old-stdio"])("the SDK's modern client at a legacy server, %s", (server) => {
  it.each([
    ["elicit", '"name\\":\\"Ada'],
    ["sample", "Paris"],
    ["roots", "file:///home/ada"],
    ["both", "Paris"],
  ])("%s is answered in rounds", async (tool, expected) => {
    const client = await modernClient(server);
    expect(JSON.stringify((await client.callTool({ name: tool, arguments: {} })).content)).toContain(
      expected,
    );
    await client.close();
  });

  it("tells a server that keeps roots its own of the moment, and those of no other client of the user", async () => {
    let root = "file:///a";
    const [a, b] = await Promise.all([
      modernClient(server, () => root),
      modernClient(server, () => "file:///b"),
    ]);
    const project = async (client: ModernClient): Promise<string> =>
      JSON.stringify((await client.callTool({ name: "project", arguments: {} })).content);
    expect(await project(a)).toContain("file:///a");
    expect(await project(b)).toContain("file:///b");
    root = "file:///c";
    expect(await project(a)).toContain("file:///c");
    expect(
      (await Promise.all([project(a), project(b)])).map((text) => /file:...(\w)/u.exec(text)?.[1]),
    ).toEqual(["c", "b"]);
    await Promise.all([a.close(), b.close()]);
  });

  it("is told the server's name and tools as a modern server tells them", async () => {
    const client = await modernClient(server);
    expect(client.getServerVersion()?.name).toBe("legacy-asks");
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("elicit");
    await client.close();
  });
});

describe.each(["new-http", "new-stdio"])("the SDK's legacy client at a modern server, %s", (server) => {
  it.each([
    ["test_input_required_result_elicitation", ["elicitation/create"], "Hello, Ada!"],
    ["test_input_required_result_sampling", ["sampling/createMessage"], "Paris"],
    ["test_input_required_result_list_roots", ["roots/list"], "file:///home/ada"],
    ["test_input_required_result_multi_round", ["elicitation/create", "elicitation/create"], "Ada likes red"],
    [
      "test_input_required_result_multiple_inputs",
      ["elicitation/create", "roots/list", "sampling/createMessage"],
      "All three",
    ],
  ])("%s asks the client", async (tool, methods, expected) => {
    const asked: string[] = [];
    const client = await legacyClient(server, asked);
    expect(JSON.stringify((await client.callTool({ name: tool, arguments: {} })).content)).toContain(
      expected,
    );
    expect(asked.sort()).toEqual(methods);
    await client.close();
  });

  it("lists, reads and gets prompts", async () => {
    const client = await legacyClient(server);
    expect((await client.listTools()).tools.length).toBeGreaterThan(10);
    const { contents } = await client.readResource({ uri: "test://static-text" });
    expect(contents).toHaveLength(1);
    expect((await client.getPrompt({ name: "test_simple_prompt" })).messages).toHaveLength(1);
    await client.close();
  });
});

describe("a parked call", () => {
  it("goes on for its own caller and request alone", async () => {
    const first = await post("greet", { arguments: { greeting: "Hello" } });
    const retry = retryOf(first);
    const invalid = { code: -32602, data: { code: "REQUEST_STATE_INVALID" } };
    const foreign = await post("greet", { arguments: { greeting: "Hello" }, ...retry }, { caller: OTHER });
    expect(foreign.error).toMatchObject(invalid);
    const changed = await post("greet", { arguments: { greeting: "Goodbye" }, ...retry });
    expect(changed.error).toMatchObject(invalid);
    const done = await post("greet", { arguments: { greeting: "Hello" }, ...retry });
    expect(JSON.stringify(done.result)).toContain("Hello Ada");
    const again = await post("greet", { arguments: { greeting: "Hello" }, ...retry });
    expect(again.error).toMatchObject(invalid);
  });

  it("is one call at the server, and each request of the client a decision of its own", async () => {
    const callsBefore = legacy.log.calls;
    const first = await post("elicit");
    const done = await post("elicit", retryOf(first));
    expect(done.result).toMatchObject({ resultType: "complete" });
    expect(legacy.log.calls).toBe(callsBefore + 1);
    const records = (await readAuditRecords(world.gateway.auditDir)).map(({ body }) => body);
    const decisions = records.filter(
      ({ target, effect }) => target === "tools/call:old-http/elicit" && effect === "allow",
    );
    expect(decisions.length).toBeGreaterThanOrEqual(2);
    expect(decisions.at(-1)?.["answers"]).toHaveLength(1);
  });

  it("asks for a page where the legacy server demands one", async () => {
    const first = await post("connect");
    expect(Object.values(first.result?.["inputRequests"] as Body)).toMatchObject([
      { method: "elicitation/create", params: { mode: "url", url: "https://login.example/start" } },
    ]);
  });

  it("ends at the server when its client goes away", async () => {
    const gone = new AbortController();
    const before = { ...legacy.log };
    const running = post("wait", {}, { signal: gone.signal }).catch(() => undefined);
    await expect.poll(() => legacy.log.calls).toBe(before.calls + 1);
    gone.abort();
    await running;
    await expect.poll(() => legacy.log.cancelled).toBe(before.cancelled + 1);
  });
});

describe("answers that come with a call", () => {
  const greet = (content: Body): Promise<RawAnswer> =>
    post("greet", {
      arguments: { greeting: "Hello" },
      inputResponses: { name: { action: "accept", content }, nobody_asked: { action: "accept", content } },
    });

  it("answer what the server asks under the same key, each a decision of its own", async () => {
    const first = await post("greet", { arguments: { greeting: "Hello" } });
    expect(Object.keys(first.result?.["inputRequests"] as Body)).toEqual(["name"]);
    const done = await greet({ name: "Ada" });
    expect(done.result).toMatchObject({ resultType: "complete", content: [{ text: "Hello Ada" }] });
    const records = (await readAuditRecords(world.gateway.auditDir)).map(({ body }) => body);
    const calls = records.filter(
      ({ target, effect }) => target === "tools/call:old-http/greet" && effect === "allow",
    );
    const asked = records.filter(({ during }) => during === calls.at(-1)?.["id"]);
    expect(asked).toMatchObject([
      { direction: "server-to-client", effect: "allow", method: "elicitation/create" },
    ]);
    expect(records.find(({ id, outcome }) => id === asked[0]?.["id"] && outcome !== undefined)).toMatchObject(
      {
        outcome: "result",
      },
    );
  });

  it("do not where they are no answer to it: then the client is asked", async () => {
    const asked = await greet({ colour: "red" });
    expect(asked.result).toMatchObject({ resultType: "input_required" });
    expect(Object.keys(asked.result?.["inputRequests"] as Body)).toEqual(["name"]);
  });

  it("are told of roots to the call that they come with, and to no other", async () => {
    for (const project of ["a", "b"]) {
      const inputResponses = { roots: { roots: [{ uri: `file:///${project}` }] } };
      const told = await post("project", { inputResponses });
      expect(JSON.stringify(told.result)).toContain(`file:///${project}`);
    }
  });
});

describe("what a client did not declare", () => {
  it("is named to it where the server asked for it and failed without", async () => {
    const answer = await post("sample", {}, { capabilities: { elicitation: {} } });
    expect(answer.status).toBe(400);
    expect(answer.error).toMatchObject({ code: -32021, data: { requiredCapabilities: { sampling: {} } } });
  });

  it("is no matter where the server did without", async () => {
    const answer = await post("guess", {}, { capabilities: {} });
    expect(answer.result).toMatchObject({ content: [{ text: "without a model" }] });
  });
});
