// Tasks at an endpoint over several servers, and where the eras of server and client differ: SDK clients, one server of
// the SDK 1.x twice, one of the modern extension twice, each with the same tools.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { startLegacyTasks } from "../servers/legacy-tasks.ts";
import type { LegacyTasksServer } from "../servers/legacy-tasks.ts";
import { startModernTasks } from "../servers/modern-tasks.ts";
import type { ModernTasksServer } from "../servers/modern-tasks.ts";
import { openLegacy, openModern } from "./clients.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { Caller, GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { modernHeaders, modernMeta, postMessage } from "./raw-call.ts";

const EXTENSION = "io.modelcontextprotocol/tasks";
const OTHER: Caller = { subject: "otto", roles: ["Developer"], isExternal: false };
const LEGACY = ["alpha", "beta"] as const;
const MODERN = ["gamma", "delta"] as const;
const ROUTES = [
  "endpoints:",
  "  - { path: /all/mcp, servers: [alpha, beta, gamma, delta] }",
  "  - { path: /old/mcp, servers: [alpha, beta] }",
  "  - { path: /new/mcp, servers: [gamma, delta] }",
  "  - { path: /alpha/mcp, server: alpha }",
  "  - { path: /gamma/mcp, server: gamma }",
  "",
].join("\n");
const HIDE = `
metadata: { name: hide, reason: numbers of beta stay here }
scope: { servers: [beta] }
transforms:
  customer_report: { redact: [$.response.ssn] }
`;

type Client = Awaited<ReturnType<typeof openLegacy>>;
interface Reply {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly data?: Record<string, unknown> };
}

let world: GatewayWorld;
const legacy = new Map<string, LegacyTasksServer>();
const modern = new Map<string, ModernTasksServer>();

beforeAll(async () => {
  for (const id of LEGACY) legacy.set(id, await startLegacyTasks());
  for (const id of MODERN) modern.set(id, await startModernTasks());
  const targets = [...legacy, ...modern].map(([id, { url }]) => ({
    id,
    transport: { type: "streamable-http" as const, url },
  }));
  const pinned = await Promise.all(targets.map((target) => pinLive(target)));
  world = await startGatewayWorld({
    workspace: grantingRepository(pinned, { "routes.yaml": ROUTES, "policies/hide.yaml": HIDE }),
    transports: Object.fromEntries(targets.map(({ id, transport }) => [id, transport])),
    gateway: { pollIntervalMs: 3_600_000 },
  });
}, 120_000);

afterAll(async () => {
  await world.stop();
  await Promise.all([...legacy.values(), ...modern.values()].map((server) => server.close()));
});

async function open(endpoint: string, caller = DEVELOPER): Promise<Client> {
  return openLegacy(world.endpoint(endpoint), await world.token(caller, endpoint));
}

async function send(
  endpoint: string,
  method: string,
  params: Record<string, unknown>,
  caller = DEVELOPER,
): Promise<Reply> {
  const name = params["taskId"] ?? params["name"];
  const response = await postMessage(
    world.endpoint(endpoint),
    {
      jsonrpc: "2.0",
      id: 1,
      method,
      params: { ...params, _meta: modernMeta({ extensions: { [EXTENSION]: {} } }) },
    },
    { ...modernHeaders(method, name), authorization: `Bearer ${await world.token(caller, endpoint)}` },
  );
  return (await response.json()) as Reply;
}

async function createLegacy(client: Client, name: string): Promise<string> {
  const params = { name, arguments: { customer: "C-9" }, task: { ttl: 60_000 } };
  const { task } = await client.request({ method: "tools/call", params }, CreateTaskResultSchema);
  return task.taskId;
}

const about = (id: string): readonly string[] =>
  [...(legacy.get(id)?.messages() ?? []), ...(modern.get(id)?.requests() ?? [])]
    .map(({ method = "" }) => method)
    .filter((method) => method.startsWith("tasks/"));

describe("two servers of revision 2025-11-25, one endpoint", () => {
  it("announces tasks once, and gives each task to the server that made it", async () => {
    const client = await open("old");
    expect(client.getServerCapabilities()?.tasks).toMatchObject({ list: {}, cancel: {} });
    const ofAlpha = await createLegacy(client, "alpha__customer_report");
    const ofBeta = await createLegacy(client, "beta__customer_report");
    const { tasks } = client.experimental;
    for (const taskId of [ofAlpha, ofBeta])
      expect(await tasks.getTask(taskId)).toMatchObject({ taskId, status: "working" });
    expect([about("alpha"), about("beta")]).toEqual([["tasks/get"], ["tasks/get"]]);
    const [fromAlpha, fromBeta] = [ofAlpha, ofBeta].map((taskId) =>
      tasks.getTaskResult(taskId, CallToolResultSchema),
    );
    await Promise.all([...legacy.values()].map((server) => server.finish()));
    // Governed under the tool of the server that made it: beta's number is hidden, alpha's is not.
    expect((await fromAlpha)?.content).toEqual([
      { type: "text", text: '{"customer":"C-9","ssn":"078-05-1120"}' },
    ]);
    expect((await fromBeta)?.content).toEqual([
      { type: "text", text: '{"customer":"C-9","ssn":"[redacted]"}' },
    ]);
    expect(about("alpha").every((method) => method !== "tasks/list")).toBe(true);
    await client.close();
  });

  it("cancels at the server that made it, and lists the caller's own of both", async () => {
    const client = await open("old");
    const other = await open("old", OTHER);
    const { tasks } = client.experimental;
    const ids = [
      await createLegacy(client, "alpha__customer_report"),
      await createLegacy(client, "beta__customer_report"),
    ];
    const theirs = await createLegacy(other, "beta__customer_report");
    const cancelled = about("alpha").filter((method) => method === "tasks/cancel").length;
    expect(await tasks.cancelTask(ids[1] ?? "")).toMatchObject({ taskId: ids[1], status: "cancelled" });
    expect(about("alpha").filter((method) => method === "tasks/cancel")).toHaveLength(cancelled);
    expect(about("beta")).toContain("tasks/cancel");
    const listed = new Map((await tasks.listTasks()).tasks.map(({ taskId, status }) => [taskId, status]));
    expect([listed.get(ids[0] ?? ""), listed.get(ids[1] ?? "")]).toEqual(["working", "cancelled"]);
    expect(listed.has(theirs)).toBe(false);
    expect((await other.experimental.tasks.listTasks()).tasks.map(({ taskId }) => taskId)).toEqual([theirs]);
    await Promise.all([client.close(), other.close()]);
  });

  it("a task of another caller, of another endpoint, or under the server's own id is unknown", async () => {
    const [client, other, alone] = await Promise.all([open("old"), open("old", OTHER), open("alpha")]);
    const taskId = await createLegacy(client, "alpha__customer_report");
    const before = [about("alpha").length, about("beta").length];
    const unknown = { code: -32602, data: { code: "TASK_UNKNOWN" } };
    for (const { experimental } of [other, alone]) {
      await expect(experimental.tasks.getTask(taskId)).rejects.toMatchObject(unknown);
      await expect(experimental.tasks.cancelTask(taskId)).rejects.toMatchObject(unknown);
      await expect(experimental.tasks.getTaskResult(taskId, CallToolResultSchema)).rejects.toMatchObject(
        unknown,
      );
    }
    await expect(client.experimental.tasks.getTask("task-1")).rejects.toMatchObject(unknown);
    expect([about("alpha").length, about("beta").length]).toEqual(before);
    await Promise.all([client.close(), other.close(), alone.close()]);
  });
});

describe("two servers of the modern extension, one endpoint", () => {
  const create = async (server: string, caller = DEVELOPER): Promise<string> => {
    const params = { name: `${server}__customer_report`, arguments: { customer: "C-9" } };
    const { result } = await send("new", "tools/call", params, caller);
    expect(result?.["resultType"]).toBe("task");
    return String(result?.["taskId"]);
  };

  it("polls, ends and cancels each at the server that made it", async () => {
    const { result } = await send("new", "server/discover", {});
    expect(result?.["capabilities"]).toMatchObject({ extensions: { [EXTENSION]: {} } });
    const [ofGamma, ofDelta] = [await create("gamma"), await create("delta")];
    for (const taskId of [ofGamma, ofDelta])
      expect((await send("new", "tasks/get", { taskId })).result).toMatchObject({
        taskId,
        status: "working",
      });
    expect([about("gamma"), about("delta")]).toEqual([["tasks/get"], ["tasks/get"]]);
    modern.get("gamma")?.finish();
    const ended = (await send("new", "tasks/get", { taskId: ofGamma })).result;
    expect(ended).toMatchObject({ taskId: ofGamma, status: "completed" });
    expect(JSON.stringify(ended)).toContain("C-9");
    expect((await send("new", "tasks/cancel", { taskId: ofDelta })).error).toBeUndefined();
    expect((await send("new", "tasks/get", { taskId: ofDelta })).result).toMatchObject({
      status: "cancelled",
    });
    expect(about("gamma")).not.toContain("tasks/cancel");
  });

  it("a task of another caller or of another endpoint is unknown", async () => {
    const taskId = await create("gamma");
    const before = about("gamma").length;
    for (const method of ["tasks/get", "tasks/cancel"]) {
      const unknown = { code: -32602, data: { code: "TASK_UNKNOWN" } };
      expect((await send("new", method, { taskId }, OTHER)).error).toMatchObject(unknown);
      expect((await send("gamma", method, { taskId })).error).toMatchObject(unknown);
    }
    expect(about("gamma")).toHaveLength(before);
  });
});

describe("across the eras there are no tasks", () => {
  it("nothing announces them, at one server or at several", async () => {
    const { result } = await send("old", "server/discover", {});
    expect(JSON.stringify(result?.["capabilities"])).not.toContain("tasks");
    for (const endpoint of ["gamma", "new"]) {
      const client = await open(endpoint);
      expect(client.getServerCapabilities()?.tasks).toBeUndefined();
      await client.close();
    }
    // Where some server has them in the client's era they are announced, for that server.
    const mixed = await open("all");
    expect(mixed.getServerCapabilities()?.tasks).toBeDefined();
    await mixed.close();
  });

  it("a modern client does not see a tool that must run as a task, nor a hint of tasks", async () => {
    for (const endpoint of ["alpha", "old", "all"]) {
      const client = await openModern(world.endpoint(endpoint), await world.token(DEVELOPER, endpoint));
      const { tools } = await client.listTools();
      const names = tools.map(({ name }) => name.replace(/^(?:alpha|beta)__/u, ""));
      expect(names).toContain("customer_report");
      expect(names).not.toContain("batch_report");
      expect(JSON.stringify(tools)).not.toContain("taskSupport");
      await client.close();
    }
    const client = await open("alpha");
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("batch_report");
    await client.close();
  });

  it("a call that wants a task gets its answer, or the server's own error", async () => {
    const params = { name: "customer_report", arguments: { customer: "C-9" }, task: { ttl: 60_000 } };
    const old = await open("gamma");
    const answered = await old.callTool({
      name: "greet",
      arguments: { name: "Ada" },
      task: { ttl: 1 },
    } as never);
    expect(answered["task"]).toBeUndefined();
    await old.close();
    const { result } = await send("alpha", "tools/call", params);
    expect(result?.["resultType"] ?? "complete").not.toBe("task");
    expect(result?.["task"]).toBeUndefined();
    // Whoever calls what is not listed hears from the server that it cannot be called so.
    const hidden = await send("alpha", "tools/call", { ...params, name: "batch_report" });
    expect(hidden.result?.["isError"] === true || hidden.error !== undefined).toBe(true);
    expect((await send("alpha", "tasks/get", { taskId: "task-1" })).error).toMatchObject({ code: -32602 });
  });
});
