// One endpoint over two servers that have the same names, seen by the SDK's own clients of both generations. What was
// sent upstream is told by the servers themselves.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SHARED_URI, startDeskServer } from "../servers/desk.ts";
import type { DeskServer } from "../servers/desk.ts";
import { readAuditRecords } from "./audit-records.ts";
import { connectLegacy, connectModern, openLegacy, openModern } from "./clients.ts";
import { DEVELOPER, EMPLOYEE, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { rawCall, rawRequest } from "./raw-call.ts";

const ENDPOINT = "desk";
const ROUTES = [
  "endpoints:",
  `  - { path: /${ENDPOINT}/mcp, servers: [alpha, beta] }`,
  "  - { path: /alpha/mcp, server: alpha }",
  "  - { path: /brief/mcp, servers: [alpha, beta], deadline: 500ms }",
  "",
].join("\n");
const RULES = [
  "metadata: { name: rules, reason: alpha is never erased }",
  "scope: { servers: [alpha] }",
  "deny: { tools: [erase] }",
  "",
].join("\n");

/** The few members of the SDK's clients that both generations have in common. */
interface AnyClient {
  listTools: () => Promise<{ tools: { name: string; _meta?: Record<string, unknown> }[] }>;
  listPrompts: () => Promise<{ prompts: { name: string }[] }>;
  listResources: () => Promise<{ resources: { uri: string }[] }>;
  listResourceTemplates: () => Promise<{ resourceTemplates: { uriTemplate: string }[] }>;
  callTool: (params: object) => Promise<{ content: object[] }>;
  readResource: (params: { uri: string }) => Promise<{ contents: object[] }>;
  getPrompt: (params: object) => Promise<{ messages: object[] }>;
  complete: (params: object) => Promise<{ completion: { values: string[] } }>;
  getServerVersion: () => { name: string } | undefined;
  getInstructions: () => string | undefined;
  getServerCapabilities: () => object | undefined;
  close: () => Promise<void>;
}

let world: GatewayWorld;
let alpha: DeskServer;
let beta: DeskServer;

beforeAll(async () => {
  [alpha, beta] = await Promise.all([startDeskServer("alpha"), startDeskServer("beta")]);
  const targets = [alpha, beta].map((server, index) => ({
    id: index === 0 ? "alpha" : "beta",
    transport: { type: "streamable-http" as const, url: server.url },
  }));
  const pinned = await Promise.all(targets.map((target) => pinLive(target)));
  world = await startGatewayWorld({
    workspace: grantingRepository(pinned, { "routes.yaml": ROUTES, "policies/rules.yaml": RULES }),
    transports: Object.fromEntries(targets.map(({ id, transport }) => [id, transport])),
    pinMaxAgeMs: 3_600_000,
    gateway: { pollIntervalMs: 3_600_000 },
  });
}, 60_000);

afterAll(async () => {
  await world.stop();
  await Promise.all([alpha.close(), beta.close()]);
});

async function token(): Promise<string> {
  return world.token(DEVELOPER, ENDPOINT);
}

const SETUPS = [
  ["2.x", openModern],
  ["1.x", openLegacy],
] as const;

describe.each(SETUPS)("client %s", (_name, open) => {
  const using = async <T>(work: (client: AnyClient) => Promise<T>): Promise<T> => {
    const client = (await open(world.endpoint(ENDPOINT), await token())) as unknown as AnyClient;
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  };

  it("meets one server", () =>
    using(async (client) => {
      expect(client.getServerVersion()).toMatchObject({ name: "aegis/desk/mcp" });
      expect(client.getInstructions()).toBe(
        "## alpha\n\nAsk alpha politely.\n\n## beta\n\nAsk beta politely.",
      );
      expect(client.getServerCapabilities()).toMatchObject({ tools: {}, prompts: {}, resources: {} });
      return Promise.resolve();
    }));

  it("sees everything under its own name, in a fixed order", () =>
    using(async (client) => {
      const names = (await client.listTools()).tools.map(({ name }) => name);
      // What is denied to everybody is not listed.
      expect(names).toEqual(["alpha__look", "beta__erase", "beta__look"]);
      expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual([
        "alpha__hello",
        "beta__hello",
      ]);
      expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([
        "desk://alpha/own",
        `aegis:alpha/${SHARED_URI}`,
        "desk://beta/own",
        `aegis:beta/${SHARED_URI}`,
      ]);
      const { resourceTemplates } = await client.listResourceTemplates();
      expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
        "aegis:alpha/desk://pages/{page}",
        "aegis:beta/desk://pages/{page}",
      ]);
    }));

  it("calls the server that it names, and can follow the links of the answer", () =>
    using(async (client) => {
      const [seenByAlpha, seenByBeta] = [alpha.reached.length, beta.reached.length];
      const { content } = await client.callTool({ name: "beta__look", arguments: {} });
      expect(content).toMatchObject([
        { text: "beta looked" },
        { uri: `aegis:beta/${SHARED_URI}` },
        { uri: "desk://beta/own" },
      ]);
      for (const [uri, text] of [
        [`aegis:beta/${SHARED_URI}`, "shared of beta"],
        ["desk://beta/own", "own of beta"],
        ["aegis:beta/desk://pages/3", "page of beta"],
      ] as const) {
        expect((await client.readResource({ uri })).contents).toEqual([{ uri, text }]);
      }
      expect(beta.reached.slice(seenByBeta)).toEqual([
        "look",
        `read:${SHARED_URI}`,
        "read:desk://beta/own",
        "read:desk://pages/3",
      ]);
      expect(alpha.reached.slice(seenByAlpha)).toEqual([]);
    }));

  it("gets prompts and completions of the server that it names", () =>
    using(async (client) => {
      const prompt = await client.getPrompt({ name: "alpha__hello", arguments: { who: "ada" } });
      expect(prompt.messages).toMatchObject([
        { content: { resource: { uri: `aegis:alpha/${SHARED_URI}`, text: "ada of alpha" } } },
      ]);
      const argument = { name: "who", value: "" };
      const ofPrompt = await client.complete({ ref: { type: "ref/prompt", name: "beta__hello" }, argument });
      expect(ofPrompt.completion.values).toEqual(["beta-friend"]);
      const uri = "aegis:alpha/desk://pages/{page}";
      const ofTemplate = await client.complete({
        ref: { type: "ref/resource", uri },
        argument: { name: "page", value: "" },
      });
      expect(ofTemplate.completion.values).toEqual(["alpha-1"]);
    }));

  it("is refused what the policies of that server forbid, and only there", () =>
    using(async (client) => {
      const seen = alpha.reached.length;
      await expect(client.callTool({ name: "alpha__erase", arguments: {} })).rejects.toMatchObject({
        code: 4030,
      });
      expect((await client.callTool({ name: "beta__erase", arguments: {} })).content).toMatchObject([
        { text: "beta erased" },
      ]);
      expect(alpha.reached.length).toBe(seen);
    }));

  it.each(["look", "gamma__look", "alpha__", "alpha__beta__look", "Alpha__look"])(
    "%s is no tool",
    async (name) => {
      const counted = [alpha.reached.length, beta.reached.length];
      await using(async (client) => {
        await expect(client.callTool({ name, arguments: {} })).rejects.toMatchObject({ code: -32602 });
      });
      expect([alpha.reached.length, beta.reached.length]).toEqual(counted);
    },
  );

  it.each([SHARED_URI, "aegis:alpha/desk://alpha/own", "aegis:gamma/desk://alpha/own", "desk://pages/3"])(
    "%s is no resource",
    async (uri) => {
      const counted = [alpha.reached.length, beta.reached.length];
      await using(async (client) => {
        await expect(client.readResource({ uri })).rejects.toThrow();
      });
      expect([alpha.reached.length, beta.reached.length]).toEqual(counted);
    },
  );
});

it("audit records name the server and its own names", async () => {
  await rawCall(world.endpoint(ENDPOINT), await token(), "beta__look", {});
  const records = await readAuditRecords(world.gateway.auditDir);
  const decisions = records.map(({ body }) => body as Record<string, unknown>);
  const allowed = decisions.filter(({ effect }) => effect === "allow");
  expect(JSON.stringify(allowed)).not.toContain("__");
  expect(decisions).toContainEqual(
    expect.objectContaining({ effect: "allow", server: "beta", target: "tools/call:beta/look" }),
  );
});

it("the endpoint of one server keeps its names", async () => {
  const url = world.endpoint("alpha");
  const client = await connectModern(url, await world.token(DEVELOPER, "alpha"));
  expect((await client.listTools()).map(({ name }) => name)).toEqual(["look"]);
  await client.close();
});

it("another role sees and reaches nothing", async () => {
  const url = world.endpoint(ENDPOINT);
  const client = await connectLegacy(url, await world.token(EMPLOYEE, ENDPOINT));
  expect(await client.listTools()).toEqual([]);
  expect(await client.callTool("beta__look", {})).toMatchObject({ kind: "error" });
  await client.close();
});

it("a legacy session connects to a server with the first call of it, and leaves all with its end", async () => {
  const channels = async (): Promise<Readonly<Record<string, number>>> => {
    const status = (await (await fetch(`${world.gateway.adminUrl}/status`)).json()) as {
      upstreams: { server: string; openChannels: number }[];
    };
    return Object.fromEntries(status.upstreams.map(({ server, openChannels }) => [server, openChannels]));
  };
  const client = await openLegacy(world.endpoint(ENDPOINT), await token());
  await client.callTool({ name: "alpha__look", arguments: {} });
  const first = await channels();
  await client.callTool({ name: "beta__look", arguments: {} });
  const both = await channels();
  expect(both["beta"]).toBe((first["beta"] ?? 0) + 1);
  expect(both["alpha"]).toBe(first["alpha"]);
  await (client.transport as unknown as { terminateSession: () => Promise<void> }).terminateSession();
  await expect.poll(channels).toEqual({ alpha: (first["alpha"] ?? 0) - 1, beta: first["beta"] ?? 0 });
  await client.close();
});

it("a slow server delays nobody but its own callers", async () => {
  let resume = (): void => undefined;
  beta.hold = new Promise((resolve) => {
    resume = resolve;
  });
  const bearer = await token();
  const seen = beta.reached.length;
  const slow = rawCall(world.endpoint(ENDPOINT), bearer, "beta__look", {});
  await expect.poll(() => beta.reached.length).toBe(seen + 1);
  const counted = beta.requests();
  const list = await rawRequest(world.endpoint(ENDPOINT), { method: "tools/list", token: bearer });
  expect(list.result?.["tools"]).toHaveLength(3);
  expect(await rawCall(world.endpoint(ENDPOINT), bearer, "alpha__look", {})).toMatchObject({
    result: { content: [{ text: "alpha looked" }, {}, {}] },
  });
  // Neither needed anything from the slow one.
  expect(beta.requests()).toBe(counted);
  beta.hold = undefined;
  resume();
  expect((await slow).result).toBeDefined();
});

it("a server that hangs is a timeout once, then marked and fails at once; it comes back", async () => {
  const url = world.endpoint("brief");
  const bearer = await world.token(DEVELOPER, "brief");
  const code = async (tool: string): Promise<unknown> =>
    (await rawCall(url, bearer, tool, {})).error?.data?.code;
  const marks = async (): Promise<readonly unknown[]> => {
    const { result } = await rawRequest(url, { method: "tools/list", token: bearer });
    const tools = (result?.["tools"] ?? []) as { name: string; _meta?: Record<string, unknown> }[];
    return tools
      .filter(({ name }) => name.startsWith("beta__"))
      .map((tool) => tool._meta?.["dev.aegis/availability"]);
  };
  await expect.poll(() => code("beta__look")).toBeUndefined();
  beta.isHung = true;
  expect(await code("beta__look")).toBe("UPSTREAM_TIMEOUT");
  await expect.poll(marks, { timeout: 10_000, interval: 100 }).toEqual(["unavailable", "unavailable"]);
  const started = performance.now();
  expect(await code("beta__look")).toBe("UPSTREAM_UNAVAILABLE");
  expect(performance.now() - started).toBeLessThan(250);
  expect(await code("alpha__look")).toBeUndefined();
  beta.isHung = false;
  await expect.poll(() => code("beta__look"), { timeout: 10_000, interval: 100 }).toBeUndefined();
  expect(await marks()).toEqual([undefined, undefined]);
}, 40_000);

it("a dead server stays listed, is marked, fails at once and comes back", async () => {
  const url = world.endpoint(ENDPOINT);
  const bearer = await token();
  const port = Number(new URL(beta.url).port);
  await beta.close();
  for (let call = 0; call < 5; call += 1) {
    const started = performance.now();
    const answer = await rawCall(url, bearer, "beta__look", {});
    expect(answer.error?.data).toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
    expect(performance.now() - started).toBeLessThan(1_000);
  }
  const listed = async (): Promise<Readonly<Record<string, unknown>>> => {
    const { result } = await rawRequest(url, { method: "tools/list", token: bearer });
    const tools = (result?.["tools"] ?? []) as {
      name: string;
      _meta?: Record<string, unknown>;
    }[];
    return Object.fromEntries(tools.map((tool) => [tool.name, tool._meta?.["dev.aegis/availability"]]));
  };
  expect(await listed()).toEqual({
    alpha__look: undefined,
    beta__erase: "unavailable",
    beta__look: "unavailable",
  });
  expect((await rawCall(url, bearer, "alpha__look", {})).result).toBeDefined();
  beta = await startDeskServer("beta", port);
  await expect
    .poll(async () => (await rawCall(url, bearer, "beta__look", {})).result, {
      timeout: 10_000,
      interval: 100,
    })
    .toBeDefined();
  expect(Object.values(await listed())).toEqual([undefined, undefined, undefined]);
});
