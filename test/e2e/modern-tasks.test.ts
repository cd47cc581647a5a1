// Tasks of the modern era (extension io.modelcontextprotocol/tasks) through a running gateway: what comes of a task is
// governed under the tool that made it, for the caller that made it, by the release of that moment.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { verifyAuditLog } from "#audit";
import { startModernTasks } from "../servers/modern-tasks.ts";
import type { ModernTasksServer } from "../servers/modern-tasks.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { Caller, GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import type { GrantedServer } from "./granting-repository.ts";
import { initializeRequest, modernHeaders, modernMeta, postMessage } from "./raw-call.ts";
import { readAuditRecords } from "./audit-records.ts";

const EXTENSION = "io.modelcontextprotocol/tasks";
const SSN = "078-05-1120";
const OTHER: Caller = { subject: "otto", roles: ["Developer"], isExternal: false };
const POLICY = `
metadata: { name: hide, reason: numbers stay here }
scope: { servers: [jobs] }
transforms:
  customer_report: { redact: [$.response.ssn, "$.response.rows[*].ssn"] }
`;
const ASKS = `
metadata: { name: asks, reason: developers may be asked }
scope: { servers: [jobs], principals: { in: [Developer] } }
allow: { elicitation: [jobs] }
`;

let upstream: ModernTasksServer;
let pinned: GrantedServer;
let world: GatewayWorld;

interface Reply {
  readonly status: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { code: number; message: string; data?: Record<string, unknown> };
}

async function send(
  method: string,
  params: Record<string, unknown>,
  options: { readonly caller?: Caller; readonly declares?: boolean; readonly elicits?: boolean } = {},
): Promise<Reply> {
  const { caller = DEVELOPER, declares = true, elicits = true } = options;
  const name = params["taskId"] ?? params["name"];
  const capabilities = {
    ...(elicits ? { elicitation: { form: {} } } : {}),
    ...(declares ? { extensions: { [EXTENSION]: {} } } : {}),
  };
  const response = await postMessage(
    world.endpoint("jobs"),
    { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: modernMeta(capabilities) } },
    { ...modernHeaders(method, name), authorization: `Bearer ${await world.token(caller, "jobs")}` },
  );
  return { status: response.status, ...((await response.json()) as object) };
}

/** Opens a listen; what it is told, as it comes. */
async function listen(taskIds: readonly string[]): Promise<{ text: () => string; close: () => void }> {
  const closing = new AbortController();
  const method = "subscriptions/listen";
  const params = { notifications: { taskIds }, _meta: modernMeta({ extensions: { [EXTENSION]: {} } }) };
  const response = await postMessage(
    world.endpoint("jobs"),
    { jsonrpc: "2.0", id: "L1", method, params },
    { ...modernHeaders(method), authorization: `Bearer ${await world.token(DEVELOPER, "jobs")}` },
    closing.signal,
  );
  let text = "";
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array);
  };
  read().catch(() => undefined);
  return { text: () => text, close: () => closing.abort() };
}

async function create(tool: string, args: Record<string, unknown> = {}, caller?: Caller): Promise<string> {
  const options = caller === undefined ? {} : { caller };
  const { result, error } = await send("tools/call", { name: tool, arguments: args }, options);
  expect(error).toBeUndefined();
  expect(result?.["resultType"]).toBe("task");
  return String(result?.["taskId"]);
}

async function settled(taskId: string): Promise<Record<string, unknown>> {
  for (;;) {
    const { result } = await send("tasks/get", { taskId });
    if (result?.["status"] !== "working") return result ?? {};
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

beforeAll(async () => {
  upstream = await startModernTasks();
  const transport = { type: "streamable-http", url: upstream.url } as const;
  pinned = await pinLive({ id: "jobs", transport });
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/hide.yaml": POLICY, "policies/asks.yaml": ASKS }),
    transports: { jobs: transport },
    gateway: { pollIntervalMs: 3_600_000 },
  });
}, 60_000);

afterAll(async () => {
  await world.stop();
  await upstream.close();
});

describe("a task", () => {
  it("is announced, made, and told of under an id of the gateway's own", async () => {
    const { result } = await send("server/discover", {});
    expect(result?.["capabilities"]).toMatchObject({ extensions: { [EXTENSION]: {} } });
    const taskId = await create("slow_compute", { seconds: 0 });
    expect(taskId).not.toMatch(/^task-/u);
    const done = await settled(taskId);
    expect(done).toMatchObject({ resultType: "complete", taskId, status: "completed", ttlMs: 600_000 });
    expect(done["result"]).toMatchObject({ content: [{ text: "computed 0 s" }] });
    const get = upstream.requests().find(({ method }) => method === "tasks/get");
    expect(get?.params["taskId"]).toMatch(/^task-/u);
  });

  it("has its result redacted as the tool's own", async () => {
    const taskId = await create("customer_report", { customer: "C-9" });
    const working = await send("tasks/get", { taskId });
    expect(working.result).toMatchObject({ status: "working" });
    expect(JSON.stringify(working)).not.toContain(SSN);
    upstream.finish();
    const done = await settled(taskId);
    expect(JSON.stringify(done)).not.toContain(SSN);
    expect(done["result"]).toMatchObject({ structuredContent: { customer: "C-9", ssn: "[redacted]" } });
    expect(done).toMatchObject({ taskId, status: "completed" });
  });

  it("has a result redacted that is too large to be read beside others' calls", async () => {
    const taskId = await create("customer_report", { customer: "C-9", rows: 10_000 });
    upstream.finish();
    const text = JSON.stringify(await settled(taskId));
    expect(text.length).toBeGreaterThan(512 * 1024);
    expect(text).not.toContain(SSN);
    expect(text).toContain(taskId);
    expect(text).not.toContain("task-");
  });

  it("has its error redacted as the tool's own", async () => {
    const taskId = await create("customer_report", { customer: "C-9", fails: true });
    upstream.finish();
    const done = await settled(taskId);
    expect(JSON.stringify(done)).not.toContain(SSN);
    expect(done).toMatchObject({ status: "failed", error: { code: -32603 } });
  });

  it("is asked for, answered, and goes on", async () => {
    const taskId = await create("confirm_delete", { filename: "a.txt" });
    const { result } = await send("tasks/get", { taskId });
    expect(result).toMatchObject({
      status: "input_required",
      inputRequests: {
        confirm: {
          method: "elicitation/create",
          params: { message: "Delete a.txt?", _meta: { "dev.aegis/server": "jobs" } },
        },
      },
    });
    const inputResponses = { confirm: { action: "accept", content: { confirm: true } }, other: {} };
    const ack = await send("tasks/update", { taskId, inputResponses });
    expect(ack.result).toEqual({ resultType: "complete" });
    const sent = upstream.requests().findLast(({ method }) => method === "tasks/update");
    expect(sent?.params["inputResponses"]).toEqual({
      confirm: { action: "accept", content: { confirm: true } },
    });
    expect((await settled(taskId))["result"]).toMatchObject({
      content: [{ text: 'answered {"action":"accept","content":{"confirm":true}}' }],
    });
  });

  it("has what it asks recorded once, however often it is polled, and again under another verdict", async () => {
    const taskId = await create("confirm_delete", { filename: "a.txt" });
    const recorded = async (): Promise<readonly string[]> => {
      const records = await readAuditRecords(world.gateway.auditDir);
      const asks = records.filter(
        ({ ev, body }) => ev === "decision" && body["direction"] === "server-to-client",
      );
      const polls = records.filter(({ ev, body }) => ev === "decision" && body["method"] === "tasks/get");
      const results = records.filter(({ ev, body }) => ev === "result" && body["outcome"] === "accepted");
      return [String(asks.length), String(polls.length), String(results.length)];
    };
    const [asks, polls, results] = (await recorded()).map(Number);
    for (let poll = 0; poll < 3; poll += 1) {
      const { result } = await send("tasks/get", { taskId });
      expect(result?.["inputRequests"]).toHaveProperty("confirm");
    }
    expect((await recorded()).map(Number)).toEqual([(asks ?? 0) + 1, (polls ?? 0) + 3, (results ?? 0) + 1]);
    for (let poll = 0; poll < 2; poll += 1) await send("tasks/get", { taskId }, { elicits: false });
    expect(Number((await recorded())[0])).toBe((asks ?? 0) + 2);
    await send("tasks/get", { taskId });
    expect(Number((await recorded())[0])).toBe((asks ?? 0) + 3);
  });

  it("does not ask what the client never said it can be asked", async () => {
    const taskId = await create("confirm_delete", { filename: "a.txt" });
    const { result } = await send("tasks/get", { taskId }, { elicits: false });
    expect(result).toMatchObject({ status: "input_required", inputRequests: {} });
    expect(result?.["statusMessage"]).toContain("refused");
  });

  it("does not take an answer that was not asked for", async () => {
    const taskId = await create("confirm_delete", { filename: "a.txt" });
    const before = upstream.requests().filter(({ method }) => method === "tasks/update").length;
    const inputResponses = { confirm: { action: "accept", content: { password: "hunter2" } } };
    expect((await send("tasks/update", { taskId, inputResponses })).error?.code).toBe(-32602);
    expect(upstream.requests().filter(({ method }) => method === "tasks/update")).toHaveLength(before);
  });

  it("is told of on a listen, to its caller alone, redacted", async () => {
    const taskId = await create("customer_report", { customer: "C-9" });
    const theirs = await create("customer_report", { customer: "C-8" }, OTHER);
    const stream = await listen([taskId, theirs, "task-x"]);
    await vi.waitFor(() => expect(stream.text()).toContain("acknowledged"), 5_000);
    expect(stream.text()).toContain(JSON.stringify({ taskIds: [taskId] }));
    await vi.waitFor(() => expect(upstream.listens()).toBe(1), 5_000);
    upstream.finish();
    await vi.waitFor(() => expect(stream.text()).toContain("notifications/tasks"), 5_000);
    expect(stream.text()).toContain('"status":"completed"');
    expect(stream.text()).toContain('"ssn":"[redacted]"');
    expect(stream.text()).not.toContain(SSN);
    expect(stream.text()).not.toContain(theirs);
    stream.close();
    await vi.waitFor(() => expect(upstream.listens()).toBe(0), 5_000);
  });

  it("is cancelled", async () => {
    const taskId = await create("slow_compute", { seconds: 60 });
    expect((await send("tasks/cancel", { taskId })).result).toEqual({ resultType: "complete" });
    expect(await settled(taskId)).toMatchObject({ taskId, status: "cancelled" });
  });
});

describe("no task", () => {
  it("is made for a client that did not declare the extension", async () => {
    const call = { name: "slow_compute", arguments: { seconds: 0 } };
    const { result } = await send("tools/call", call, { declares: false });
    expect(result).toMatchObject({ resultType: "complete", content: [{ text: "computed at once" }] });
  });

  it("is made where the tool needs one and the client did not declare it: it is told what it lacks", async () => {
    const reply = await send("tools/call", { name: "failing_job", arguments: {} }, { declares: false });
    expect(reply).toMatchObject({
      status: 400,
      error: { code: -32021, data: { requiredCapabilities: { extensions: { [EXTENSION]: {} } } } },
    });
  });

  it("is made for a client of 2025-11-25: it is told in words what the server needs", async () => {
    const authorization = `Bearer ${await world.token(DEVELOPER, "jobs")}`;
    const opening = await postMessage(world.endpoint("jobs"), initializeRequest(), { authorization });
    await opening.text();
    const headers = {
      authorization,
      "mcp-session-id": opening.headers.get("mcp-session-id") ?? "",
      "mcp-protocol-version": "2025-11-25",
    };
    const initialized = { jsonrpc: "2.0", method: "notifications/initialized" };
    await (await postMessage(world.endpoint("jobs"), initialized, headers)).text();
    const params = { name: "failing_job", arguments: {} };
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
    const response = await postMessage(world.endpoint("jobs"), call, headers);
    expect(response.status).toBe(200);
    const text = await response.text();
    const { error } = JSON.parse(text.slice(text.indexOf("{"))) as Reply;
    expect(error).toMatchObject({
      code: -32603,
      data: { code: "CAPABILITY_REQUIRED", requiredCapabilities: { extensions: { [EXTENSION]: {} } } },
    });
    expect(error?.message).toMatch(
      /^Required client capability missing: .*extension io\.model.*cannot be bridged/u,
    );
    expect(error?.data?.["decisionId"]).toBeTypeOf("string");
    expect(text).not.toContain("the tasks extension is needed");
  });

  it("is told of to a client that did not declare the extension", async () => {
    const taskId = await create("slow_compute", { seconds: 0 });
    for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
      const reply = await send(method, { taskId, inputResponses: {} }, { declares: false });
      expect(reply).toMatchObject({
        status: 400,
        error: { code: -32021, data: { requiredCapabilities: { extensions: { [EXTENSION]: {} } } } },
      });
    }
  });

  it("has an id that another caller, another server's client or a forger can use", async () => {
    const taskId = await create("customer_report", { customer: "C-9" });
    const before = upstream.requests().length;
    const tampered = `${taskId.slice(0, -2)}${taskId.endsWith("A") ? "BB" : "AA"}`;
    for (const [id, caller] of [
      [taskId, OTHER],
      [tampered, DEVELOPER],
      [String(upstream.requests()[0]?.params["taskId"] ?? "task-1"), DEVELOPER],
    ] as const) {
      const reply = await send("tasks/get", { taskId: id }, { caller });
      expect(reply).toMatchObject({ status: 200, error: { code: -32602 } });
    }
    expect(upstream.requests()).toHaveLength(before);
  });

  it("is known by methods of the other era", async () => {
    for (const method of ["tasks/list", "tasks/result"])
      expect((await send(method, { taskId: "x" })).error).toMatchObject({ code: -32601 });
  });

  it("is made beyond a caller's share", async () => {
    const caller: Caller = { subject: "many", roles: ["Developer"], isExternal: false };
    const ids: string[] = [];
    for (let count = 0; count < 64; count += 1)
      ids.push(await create("slow_compute", { seconds: 100 }, caller));
    const before = upstream.requests().length;
    const call = { name: "slow_compute", arguments: { seconds: 100 } };
    expect((await send("tools/call", call, { caller })).error).toMatchObject({
      code: 4290,
      data: { code: "TASK_LIMIT" },
    });
    expect(upstream.requests()).toHaveLength(before);
    const [first = ""] = ids;
    await send("tasks/cancel", { taskId: first }, { caller });
    await send("tasks/get", { taskId: first }, { caller });
    await create("slow_compute", { seconds: 0 }, caller);
  }, 60_000);
});

it("is recorded under the tool, and by a digest", async () => {
  const taskId = await create("slow_compute", { seconds: 0 });
  await settled(taskId);
  const records = await readAuditRecords(join(world.dir, "audit"));
  const gets = records.filter(({ body }) => body["method"] === "tasks/get");
  expect(gets.at(-1)?.body).toMatchObject({ target: "tools/call:jobs/slow_compute", effect: "allow" });
  const digest = gets.at(-1)?.body["task"];
  expect(digest).toMatch(/^[\w-]{22}$/u);
  expect(records.some(({ ev, body }) => ev === "result" && body["task"] === digest)).toBe(true);
  expect(JSON.stringify(records)).not.toContain(taskId);
});

it("is refused by the release of the moment, whatever made it", async () => {
  const taskId = await create("customer_report", { customer: "C-9" });
  const slow = await create("slow_compute", { seconds: 100 });
  const denied = `
metadata: { name: no, reason: reports are over }
scope: { servers: [jobs] }
deny: { tools: [customer_report] }
`;
  await world.release(grantingRepository([pinned], { "policies/no.yaml": denied }));
  const before = upstream.requests().length;
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const reply = await send(method, {
      taskId,
      ...(method === "tasks/update" ? { inputResponses: {} } : {}),
    });
    expect(reply.error).toMatchObject({ code: 4030, data: { code: "POLICY_DENIED" } });
  }
  expect(upstream.requests()).toHaveLength(before);
  expect((await send("tasks/get", { taskId: slow })).result).toMatchObject({ status: "working" });
  const without = `
metadata: { name: no, reason: no tasks }
scope: { servers: [jobs] }
deny: { tasks: [jobs] }
`;
  await world.release(grantingRepository([pinned], { "policies/no.yaml": without }));
  expect((await send("tasks/get", { taskId: slow })).error).toMatchObject({ code: 4030 });
  const call = { name: "slow_compute", arguments: { seconds: 0 } };
  expect((await send("tools/call", call)).result).toMatchObject({ resultType: "complete" });
}, 60_000);

it("leaves a log that is whole, with an outcome for everything that was allowed", async () => {
  const { auditDir } = world.gateway;
  await world.gateway.stop();
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});
