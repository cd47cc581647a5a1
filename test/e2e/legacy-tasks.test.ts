// Tasks of revision 2025-11-25 through a running gateway, between a client and a server of the SDK 1.x.
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { verifyAuditLog } from "#audit";
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
  TaskStatusNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { startLegacyTasks } from "../servers/legacy-tasks.ts";
import type { LegacyTasksServer } from "../servers/legacy-tasks.ts";
import { openLegacy } from "./clients.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { Caller, GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import type { GrantedServer } from "./granting-repository.ts";

const SSN = "078-05-1120";
const OTHER: Caller = { subject: "otto", roles: ["Developer"], isExternal: false };
const POLICY = `
metadata: { name: hide, reason: numbers stay here }
scope: { servers: [jobs] }
transforms:
  customer_report: { redact: [$.response.ssn] }
`;

type Client = Awaited<ReturnType<typeof openLegacy>>;

let upstream: LegacyTasksServer;
let pinned: GrantedServer;
let world: GatewayWorld;
let client: Client;

async function open(caller: Caller): Promise<Client> {
  return openLegacy(world.endpoint("jobs"), await world.token(caller, "jobs"));
}

/** A task of the tool; its id. */
async function create(
  name = "customer_report",
  by = client,
): Promise<{ taskId: string; statusMessage?: string }> {
  const params = { name, arguments: { customer: "C-9" }, task: { ttl: 60_000 } };
  const { task } = await by.request({ method: "tools/call", params }, CreateTaskResultSchema);
  return task as { taskId: string };
}

beforeAll(async () => {
  upstream = await startLegacyTasks();
  const transport = { type: "streamable-http", url: upstream.url } as const;
  pinned = await pinLive({ id: "jobs", transport });
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/hide.yaml": POLICY }),
    transports: { jobs: transport },
    gateway: { pollIntervalMs: 3_600_000 },
  });
  client = await open(DEVELOPER);
}, 60_000);

afterAll(async () => {
  await client.close();
  await world.stop();
  await upstream.close();
});

it("announces tasks, and leaves the rest of what a call says of one to the server", async () => {
  expect(client.getServerCapabilities()?.tasks).toEqual({
    list: {},
    cancel: {},
    requests: { tools: { call: {} } },
  });
  await create();
  const call = upstream.messages().findLast(({ method }) => method === "tools/call");
  expect(call?.params?.["task"]).toEqual({ ttl: 60_000 });
});

it("tells of a task under an id of its own, and gives its result redacted as the tool's", async () => {
  const { taskId } = await create();
  const working = await client.experimental.tasks.getTask(taskId);
  expect(working).toMatchObject({ taskId, status: "working", ttl: 60_000 });
  expect(JSON.stringify(working)).not.toContain(SSN);
  const pending = client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema);
  await upstream.finish();
  const result = await pending;
  expect(JSON.stringify(result)).not.toContain(SSN);
  expect(result.content).toEqual([{ type: "text", text: '{"customer":"C-9","ssn":"[redacted]"}' }]);
  expect(result._meta).toEqual({ "io.modelcontextprotocol/related-task": { taskId } });
  expect(await client.experimental.tasks.getTask(taskId)).toMatchObject({ status: "completed" });
});

it("lists the caller's own tasks alone, under the ids that the caller has", async () => {
  const { taskId } = await create();
  const other = await open(OTHER);
  const theirs = await create("customer_report", other);
  const own = (await client.experimental.tasks.listTasks()).tasks.map((task) => task.taskId);
  expect(own).toContain(taskId);
  expect(own).not.toContain(theirs.taskId);
  expect((await other.experimental.tasks.listTasks()).tasks.map((task) => task.taskId)).toEqual([
    theirs.taskId,
  ]);
  await expect(other.experimental.tasks.getTask(taskId)).rejects.toMatchObject({ code: -32602 });
  await expect(client.experimental.tasks.listTasks("a")).rejects.toMatchObject({ code: -32602 });
  await other.close();
});

it("passes on what the server says of a task, under the caller's id and redacted", async () => {
  const heard: unknown[] = [];
  client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => void heard.push(params));
  const { taskId } = await create();
  await upstream.finish();
  const ended = expect.objectContaining({ taskId, status: "completed", ttl: 60_000 }) as unknown;
  await vi.waitFor(() => expect(heard).toContainEqual(ended), 5_000);
  expect(JSON.stringify(heard)).not.toContain(SSN);
  client.removeNotificationHandler("notifications/tasks/status");
});

it("runs a task for the stream of the SDK, which repeats its wish in what it asks of the task", async () => {
  await client.listTools();
  const seen: string[] = [];
  const call = { name: "customer_report", arguments: { customer: "C-9" } };
  const from = upstream.messages().length;
  for await (const message of client.experimental.tasks.callToolStream(call, CallToolResultSchema, {
    task: { ttl: 60_000 },
  })) {
    seen.push(message.type);
    if (message.type === "taskStatus") await upstream.finish();
    if (message.type === "error") throw message.error;
    if (message.type === "result") expect(JSON.stringify(message.result)).toContain("[redacted]");
  }
  expect(seen).toEqual(["taskCreated", "taskStatus", "taskStatus", "result"]);
  const about = upstream
    .messages()
    .slice(from)
    .filter(({ method }) => method?.startsWith("tasks/") === true);
  expect(about.map(({ method }) => method)).toContain("tasks/get");
  for (const { params } of about) expect(Object.keys(params ?? {})).not.toContain("task");
});

it("cancels a task", async () => {
  const { taskId } = await create();
  expect(await client.experimental.tasks.cancelTask(taskId)).toMatchObject({ taskId, status: "cancelled" });
  const listed = (await client.experimental.tasks.listTasks()).tasks.find((task) => task.taskId === taskId);
  expect(listed?.status).toBe("cancelled");
  // The server's own words may hold what is redacted; what its code means may not.
  await expect(client.experimental.tasks.cancelTask(taskId)).rejects.toMatchObject({
    code: -32602,
    message: expect.stringContaining("Invalid params [removed: not JSON") as unknown,
  });
});

it("says in its own words that a task has expired at its server, and lists it no more", async () => {
  const { taskId } = await create();
  const other = await create();
  upstream.expire();
  const unknown = { code: -32602, data: { code: "TASK_UNKNOWN" } };
  const { tasks } = client.experimental;
  await expect(tasks.getTask(taskId)).rejects.toMatchObject(unknown);
  await expect(tasks.getTask(taskId)).rejects.toThrow("Unknown task");
  await expect(tasks.getTaskResult(other.taskId, CallToolResultSchema)).rejects.toMatchObject(unknown);
  const listed = (await tasks.listTasks()).tasks.map((task) => task.taskId);
  expect(listed).not.toContain(taskId);
  expect(listed).not.toContain(other.taskId);
});

it("refuses a task of a tool whose approved definition has none", async () => {
  const before = upstream.messages().filter(({ method }) => method === "tools/call").length;
  await expect(create("plain")).rejects.toMatchObject({ code: -32601, data: { code: "TASK_UNSUPPORTED" } });
  expect(upstream.messages().filter(({ method }) => method === "tools/call")).toHaveLength(before);
  const plain = await client.callTool({ name: "plain", arguments: { customer: "C-9" } });
  expect(plain.content).toEqual([{ type: "text", text: "plain C-9" }]);
});

it("refuses a task by the release of the moment", async () => {
  const { taskId } = await create();
  const denied = `
metadata: { name: no, reason: reports are over }
scope: { servers: [jobs] }
deny: { tools: [customer_report] }
`;
  await world.release(grantingRepository([pinned], { "policies/no.yaml": denied }));
  const before = upstream.messages().length;
  await expect(client.experimental.tasks.getTask(taskId)).rejects.toMatchObject({ code: 4030 });
  await expect(client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema)).rejects.toMatchObject({
    code: 4030,
  });
  expect((await client.experimental.tasks.listTasks()).tasks).toEqual([]);
  expect(upstream.messages().slice(before)).toEqual([]);
}, 60_000);

it("leaves a log that is whole, with an outcome for everything that was allowed", async () => {
  const { auditDir } = world.gateway;
  await world.gateway.stop();
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});
