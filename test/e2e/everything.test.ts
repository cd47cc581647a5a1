// The reference server that exercises the whole protocol, a legacy one, behind the gateway over both transports.
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TransportEntry } from "#bundle";
import type { ProgramEntry } from "#upstream";
import { startReadyChild } from "../../cli/dev/child-process.ts";
import type { ReadyChild } from "../../cli/dev/child-process.ts";
import { freePort } from "../../cli/dev/free-port.ts";
import { ASK_ANYTHING } from "./asking-world.ts";
import { openLegacy, openModern } from "./clients.ts";
import { DEVELOPER, EMPLOYEE, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import type { GrantedServer } from "./granting-repository.ts";
import { rawRequest } from "./raw-call.ts";

const ENTRY = join(
  import.meta.dirname,
  "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);
const programs: Readonly<Record<string, ProgramEntry>> = {
  everything: { command: process.execPath, args: [ENTRY, "stdio"] },
};
/** Registered for a client that declares roots, sampling or elicitation, and for no other. */
const CONDITIONAL_TOOLS = [
  "get-roots-list",
  "trigger-elicitation-request",
  "trigger-sampling-request",
  "trigger-url-elicitation",
] as const;
const SERVERS = ["everything-stdio", "everything-http"] as const;

let http: ReadyChild<true>;
let world: GatewayWorld;
let pinned: readonly GrantedServer[];

beforeAll(async () => {
  const port = await freePort();
  http = await startReadyChild<true>({
    command: process.execPath,
    args: [ENTRY, "streamableHttp"],
    env: { PATH: process.env["PATH"] ?? "", PORT: String(port) },
    readyOn: "stderr",
    parseReady: (line) => (line.includes("listening on port") ? true : undefined),
  });
  const transports: Readonly<Record<(typeof SERVERS)[number], TransportEntry>> = {
    "everything-stdio": { type: "stdio", program: "everything", args: [] },
    "everything-http": { type: "streamable-http", url: `http://127.0.0.1:${port}/mcp` },
  };
  pinned = await Promise.all(SERVERS.map((id) => pinLive({ id, transport: transports[id] }, programs)));
  world = await startGatewayWorld({
    workspace: grantingRepository(pinned, { "policies/asks.yaml": ASK_ANYTHING }),
    transports,
    programs,
  });
});

afterAll(async () => {
  await world.stop();
  await http.stop();
});

describe.each(SERVERS)("%s", (server) => {
  const connect = async (open: typeof openLegacy): Promise<Awaited<ReturnType<typeof openLegacy>>> =>
    open(world.endpoint(server), await world.token(DEVELOPER, server));

  it("shows exactly what was pinned, in the legacy era only", async () => {
    const pins = pinned.find(({ target }) => target.id === server)?.pins;
    expect(Object.keys(pins?.eras ?? {})).toEqual(["legacy"]);
    const client = await connect(openLegacy);
    const of = (kind: string): readonly string[] =>
      (pins?.entries ?? []).filter((entry) => entry.kind === kind).map((entry) => entry.name);
    expect((await client.listTools()).tools.map((tool) => tool.name).sort()).toEqual(of("tool"));
    expect((await client.listPrompts()).prompts.map((prompt) => prompt.name).sort()).toEqual(of("prompt"));
    expect((await client.listResources()).resources.map((found) => found.uri).sort()).toEqual(of("resource"));
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates.map((found) => found.uriTemplate).sort()).toEqual(of("resource-template"));
    expect(of("tool").length).toBeGreaterThan(8);
    await client.close();
  });

  it("tools answer text, numbers, structured content, images and links", async () => {
    const client = await connect(openLegacy);
    const call = async (name: string, args: Record<string, unknown> = {}): Promise<string> =>
      JSON.stringify(await client.callTool({ name, arguments: args }));
    expect(await call("echo", { message: "hello" })).toContain("Echo: hello");
    expect(await call("get-sum", { a: 2, b: 40 })).toContain("42");
    expect(await call("get-structured-content", { location: "Chicago" })).toContain('"structuredContent"');
    expect(await call("get-tiny-image")).toContain('"image/png"');
    expect(await call("get-resource-links", { count: 2 })).toContain('"resource_link"');
    expect(await call("get-annotated-message", { messageType: "error" })).toContain('"annotations"');
    await client.close();
  });

  it("tools that it shows to clients alone that can be asked are pinned, verified, and called by those clients", async () => {
    const names = (pinned.find(({ target }) => target.id === server)?.pins.entries ?? []).map(
      ({ name }) => name,
    );
    expect(names).toEqual(expect.arrayContaining([...CONDITIONAL_TOOLS]));
    const able = new Client(
      { name: "able", version: "1.0.0" },
      { capabilities: { elicitation: { form: {} }, roots: {} } },
    );
    const asked: string[] = [];
    able.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.message);
      return { action: "decline" };
    });
    able.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///home/ada" }] }));
    const headers = { authorization: `Bearer ${await world.token(DEVELOPER, server)}` };
    await able.connect(
      new StreamableHTTPClientTransport(world.endpoint(server), { requestInit: { headers } }) as never,
    );
    const call = { name: "trigger-elicitation-request", arguments: {} };
    expect(JSON.stringify(await able.callTool(call))).toContain("declined");
    expect(asked).toHaveLength(1);
    await able.close();

    // The list of its session lacks the tool; the pins are not read there. The server says in its own words that it has none.
    const unable = await connect(openLegacy);
    expect((await unable.listTools()).tools.map(({ name }) => name)).toContain(call.name);
    const refused = await unable.callTool(call);
    expect(refused.isError).toBe(true);
    expect(JSON.stringify(refused.content)).toContain("Tool trigger-elicitation-request not found");
    await unable.close();
    expect(world.log.filter((line) => /PIN_|pin mismatch/i.test(line))).toEqual([]);
  });

  it("arguments that the pinned schema refuses do not arrive", async () => {
    const client = await connect(openLegacy);
    await expect(client.callTool({ name: "get-sum", arguments: { a: "2", b: 40 } })).rejects.toMatchObject({
      code: -32602,
    });
    await client.close();
  });

  it("reports progress of its long-running tool", async () => {
    const client = await connect(openLegacy);
    const seen: number[] = [];
    const result = await client.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 0.4, steps: 4 } },
      undefined,
      { onprogress: ({ progress }) => void seen.push(progress) },
    );
    expect(JSON.stringify(result)).toContain("Steps: 4");
    expect(seen).toEqual([1, 2, 3, 4]);
    await client.close();
  });

  it("resources, templates, prompts and completion work", async () => {
    const client = await connect(openLegacy);
    const { resources } = await client.listResources();
    const first = resources[0]?.uri ?? "";
    expect((await client.readResource({ uri: first })).contents.length).toBeGreaterThan(0);
    const read = await client.readResource({ uri: "demo://resource/dynamic/text/7" });
    expect(JSON.stringify(read.contents)).toContain("Resource 7");
    const simple = await client.getPrompt({ name: "simple-prompt" });
    expect(simple.messages.length).toBeGreaterThan(0);
    const args = await client.getPrompt({ name: "args-prompt", arguments: { city: "Berlin" } });
    expect(JSON.stringify(args.messages)).toContain("Berlin");
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "E" },
    });
    expect(completed.completion.values).toContain("Engineering");
    await client.close();
  });

  it("the 2.x client speaks its own era to the server of the other", async () => {
    const token = await world.token(DEVELOPER, server);
    const discover = await rawRequest(world.endpoint(server), { method: "server/discover", token });
    expect(discover).toMatchObject({ status: 200, result: { supportedVersions: ["2026-07-28"] } });
    const client = await openModern(world.endpoint(server), token);
    expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28");
    const result = await client.callTool({ name: "echo", arguments: { message: "again" } });
    expect(JSON.stringify(result)).toContain("Echo: again");
    await client.close();
  });

  it("a caller without a grant sees nothing and reaches nothing", async () => {
    const client = await openLegacy(world.endpoint(server), await world.token(EMPLOYEE, server));
    expect((await client.listTools()).tools).toEqual([]);
    await expect(client.callTool({ name: "echo", arguments: { message: "x" } })).rejects.toMatchObject({
      code: 4030,
    });
    await expect(client.readResource({ uri: "demo://resource/dynamic/text/7" })).rejects.toMatchObject({
      code: 4030,
    });
    await client.close();
  });
});
