// An MCP server of the modern era with the extension io.modelcontextprotocol/tasks, on node:http: no SDK has the extension.
// It checks what the protocol has a server check, runs the tools that the conformance scenarios tasks-* ask for, and
// remembers what reached it. `customer_report` makes a task whose result holds a number that a policy may hide.
// Usage: node modern-tasks.ts [--port 0]   one JSON line on stdout when it is ready
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

type Json = Record<string, unknown>;

export interface ModernTasksServer {
  readonly url: string;
  /** Requests that arrived, in order. */
  readonly requests: () => readonly { readonly method: string; readonly params: Json }[];
  /** Streams that are open. */
  readonly listens: () => number;
  /** Ends every report that is under way. */
  readonly finish: () => void;
  readonly close: () => Promise<void>;
}

interface Task {
  readonly id: string;
  readonly createdAt: string;
  updatedAt: string;
  status: "working" | "input_required" | "completed" | "failed" | "cancelled";
  statusMessage?: string;
  result?: Json;
  error?: Json;
  readonly asks: Map<string, Json>;
  readonly answers: Map<string, Json>;
  /** Called when nothing is asked any more. */
  resume?: () => void;
  timer?: NodeJS.Timeout;
  readonly onEnd: (task: Task) => void;
}

const VERSION = "2026-07-28";
const EXTENSION = "io.modelcontextprotocol/tasks";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const TTL_MS = 600_000;
const POLL_MS = 100;
const MAX_SECONDS = 120;
const NUMBER = { type: "object", properties: { seconds: { type: "number" }, label: { type: "string" } } };
const TOOLS = [
  {
    name: "greet",
    description: "Greets somebody.",
    inputSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  },
  { name: "slow_compute", description: "Computes for some seconds.", inputSchema: NUMBER },
  { name: "failing_job", description: "Fails as a tool does.", inputSchema: { type: "object" } },
  {
    name: "protocol_error_job",
    description: "Fails as a server does.",
    inputSchema: { type: "object" },
  },
  {
    name: "confirm_delete",
    description: "Deletes a file once it is confirmed.",
    inputSchema: { type: "object", properties: { filename: { type: "string" } } },
  },
  { name: "multi_input", description: "Asks two things at once.", inputSchema: { type: "object" } },
  {
    name: "test_tool_with_task",
    description: "Asks for a name, then works.",
    inputSchema: { type: "object" },
  },
  {
    name: "customer_report",
    description: "Reports on a customer when it is told to finish.",
    inputSchema: {
      type: "object",
      properties: {
        customer: { type: "string" },
        fails: { type: "boolean" },
        rows: { type: "integer", minimum: 0, maximum: 50_000 },
      },
      required: ["customer"],
    },
  },
];

function form(message: string, ...names: readonly string[]): Json {
  const properties = names.map((name) => [name, { type: name === "confirm" ? "boolean" : "string" }]);
  const requestedSchema = { type: "object", properties: Object.fromEntries(properties) as Json };
  return { method: "elicitation/create", params: { mode: "form", message, requestedSchema } };
}

function text(content: string, isError = false): Json {
  return {
    resultType: "complete",
    content: [{ type: "text", text: content }],
    ...(isError ? { isError } : {}),
  };
}

class Refusal extends Error {
  readonly code: number;
  readonly data: Json | undefined;
  constructor(code: number, message: string, data?: Json) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

class State {
  readonly tasks = new Map<string, Task>();
  readonly requests: { method: string; params: Json }[] = [];
  readonly waiting = new Set<() => void>();
  /** Told of a task whose state is another. */
  readonly listening = new Set<(task: Task) => void>();

  create(): Task {
    const now = new Date().toISOString();
    const id = `task-${randomUUID()}`;
    const task: Task = {
      ...{ id, createdAt: now, updatedAt: now, status: "working" },
      ...{ asks: new Map(), answers: new Map() },
      onEnd: (ended) => {
        for (const told of this.listening) told(ended);
      },
    };
    this.tasks.set(id, task);
    return task;
  }

  find(params: Json): Task {
    const task = this.tasks.get(String(params["taskId"]));
    if (task === undefined) throw new Refusal(-32602, `unknown task ${String(params["taskId"])}`);
    return task;
  }
}

function end(task: Task, status: Task["status"], outcome: Partial<Pick<Task, "result" | "error">>): void {
  if (task.status !== "working" && task.status !== "input_required") return;
  clearTimeout(task.timer);
  Object.assign(task, { status, updatedAt: new Date().toISOString() }, outcome);
  task.onEnd(task);
}

function ask(task: Task, asks: Readonly<Record<string, Json>>, resume: () => void): void {
  for (const [key, request] of Object.entries(asks)) task.asks.set(key, request);
  task.status = "input_required";
  task.resume = resume;
}

function fields(task: Task): Json {
  return {
    taskId: task.id,
    status: task.status,
    ...(task.statusMessage === undefined ? {} : { statusMessage: task.statusMessage }),
    createdAt: task.createdAt,
    lastUpdatedAt: task.updatedAt,
    ttlMs: TTL_MS,
    pollIntervalMs: POLL_MS,
  };
}

function detailed(task: Task): Json {
  return {
    resultType: "complete",
    ...fields(task),
    ...(task.status === "completed" ? { result: task.result } : {}),
    ...(task.status === "failed" ? { error: task.error } : {}),
    ...(task.status === "input_required" ? { inputRequests: Object.fromEntries(task.asks) } : {}),
  };
}

function declares(params: Json): boolean {
  const meta = params["_meta"] as Record<string, Json> | undefined;
  const extensions = meta?.[CAPABILITIES]?.["extensions"] as Json | undefined;
  return extensions?.[EXTENSION] !== undefined;
}

function requireExtension(params: Json): void {
  if (declares(params)) return;
  const requiredCapabilities = { extensions: { [EXTENSION]: {} } };
  throw new Refusal(-32021, "the tasks extension is needed", { requiredCapabilities });
}

/** Starts the work of a tool on a task. */
function start(state: State, task: Task, name: string, args: Json): void {
  switch (name) {
    case "slow_compute": {
      const seconds = Math.min(Number(args["seconds"] ?? 0), MAX_SECONDS);
      const done = (): void => end(task, "completed", { result: text(`computed ${String(seconds)} s`) });
      task.timer = setTimeout(done, seconds * 1_000);
      return;
    }
    case "failing_job":
      task.timer = setTimeout(() => end(task, "completed", { result: text("it failed", true) }), 50);
      return;
    case "protocol_error_job":
      task.timer = setTimeout(
        () => end(task, "failed", { error: { code: -32603, message: "it broke" } }),
        50,
      );
      return;
    case "confirm_delete":
      ask(task, { confirm: form(`Delete ${String(args["filename"])}?`, "confirm") }, () => {
        const answer = JSON.stringify(task.answers.get("confirm"));
        end(task, "completed", { result: text(`answered ${answer}`) });
      });
      return;
    case "multi_input":
      ask(task, { one: form("First?", "name", "confirm"), two: form("Second?", "name", "confirm") }, () =>
        end(task, "completed", { result: text("both answered") }),
      );
      return;
    default:
      report(state, task, args);
  }
}

function report(state: State, task: Task, args: Json): void {
  const row = { customer: args["customer"], ssn: "078-05-1120" };
  const rows = Array.from({ length: Number(args["rows"] ?? 0) }, () => row);
  const customer = rows.length === 0 ? row : { ...row, rows };
  task.statusMessage = "reading the record of 078-05-1120";
  state.waiting.add(() => {
    if (args["fails"] === true)
      end(task, "failed", { error: { code: -32603, message: "no report on 078-05-1120", data: customer } });
    else {
      const result = {
        ...text(JSON.stringify(customer)),
        structuredContent: customer,
        _meta: { "example.com/trace": "t1" },
      };
      end(task, "completed", { result });
    }
  });
}

function callTool(state: State, params: Json): Json {
  const name = String(params["name"]);
  const args = (params["arguments"] ?? {}) as Json;
  if (!TOOLS.some((tool) => tool.name === name)) throw new Refusal(-32602, `unknown tool ${name}`);
  if (name === "greet") return text(`Hello, ${String(args["name"])}!`);
  if (!declares(params) && name === "slow_compute") return text("computed at once");
  if (name === "test_tool_with_task") {
    const given = (params["inputResponses"] as Record<string, Json> | undefined)?.["user_name"];
    if (given === undefined)
      return { resultType: "input_required", inputRequests: { user_name: form("Your name?", "name") } };
    requireExtension(params);
    const task = state.create();
    const { content } = given as { content?: Json };
    task.timer = setTimeout(
      () => end(task, "completed", { result: text(`hello ${String(content?.["name"])}`) }),
      50,
    );
    return { resultType: "task", ...fields(task) };
  }
  requireExtension(params);
  const task = state.create();
  start(state, task, name, args);
  return { resultType: "task", ...fields({ ...task, status: "working" }) };
}

function update(state: State, params: Json): Json {
  const task = state.find(params);
  for (const [key, answer] of Object.entries((params["inputResponses"] ?? {}) as Record<string, Json>)) {
    if (task.asks.delete(key)) task.answers.set(key, answer);
  }
  if (task.status === "input_required" && task.asks.size === 0) {
    task.status = "working";
    task.resume?.();
  }
  return { resultType: "complete" };
}

function answer(state: State, method: string, params: Json): Json {
  const cache = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  switch (method) {
    case "server/discover":
      return {
        ...{ ...cache, supportedVersions: [VERSION] },
        capabilities: { tools: {}, extensions: { [EXTENSION]: {} } },
        _meta: { "io.modelcontextprotocol/serverInfo": { name: "modern-tasks", version: "1.0.0" } },
      };
    case "tools/list":
      return { ...cache, tools: TOOLS };
    case "tools/call":
      return callTool(state, params);
    case "tasks/get":
      requireExtension(params);
      return detailed(state.find(params));
    case "tasks/update":
      requireExtension(params);
      return update(state, params);
    case "tasks/cancel":
      requireExtension(params);
      end(state.find(params), "cancelled", {});
      return { resultType: "complete" };
    default:
      throw new Refusal(-32601, `no method ${method}`);
  }
}

/** A stream of `notifications/tasks` for the tasks of the filter. */
function listen(state: State, id: string | number, params: Json, response: ServerResponse): void {
  requireExtension(params);
  const filter = params["notifications"] as { readonly taskIds?: readonly string[] } | undefined;
  const taskIds = (filter?.taskIds ?? []).filter((taskId) => state.tasks.has(taskId));
  const send = (method: string, members: Json): void => {
    const _meta = { "io.modelcontextprotocol/subscriptionId": id };
    response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params: { ...members, _meta } })}\n\n`);
  };
  response.writeHead(200, { "content-type": "text/event-stream" });
  send("notifications/subscriptions/acknowledged", { notifications: { taskIds } });
  const tell = (task: Task): void => {
    const { resultType: _answer, ...members } = detailed(task);
    if (taskIds.includes(task.id)) send("notifications/tasks", members);
  };
  state.listening.add(tell);
  response.once("close", () => state.listening.delete(tell));
}

const NAMED: Readonly<Record<string, string>> = {
  ...{ "tools/call": "name", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId" },
};

function requireHeaders(headers: IncomingHttpHeaders, method: string, params: Json): void {
  const member = NAMED[method];
  const agrees =
    headers["mcp-protocol-version"] === VERSION &&
    headers["mcp-method"] === method &&
    (member === undefined || headers["mcp-name"] === params[member]);
  if (!agrees) throw new Refusal(-32020, "the headers do not agree with the body");
}

function respond(response: ServerResponse, status: number, body: Json): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function handle(state: State, headers: IncomingHttpHeaders, body: string, response: ServerResponse): void {
  const message = JSON.parse(body) as { id?: string | number; method?: string; params?: Json };
  const { id, method = "", params = {} } = message;
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  state.requests.push({ method, params });
  try {
    requireHeaders(headers, method, params);
    if (method === "subscriptions/listen") return listen(state, id, params, response);
    respond(response, 200, { jsonrpc: "2.0", id, result: answer(state, method, params) });
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    const { code, message: why, data } = fault;
    const status = code === -32601 ? 404 : code === -32020 || code === -32021 ? 400 : 200;
    respond(response, status, {
      ...{ jsonrpc: "2.0", id },
      error: { code, message: why, ...(data === undefined ? {} : { data }) },
    });
  }
}

/** Starts the server on 127.0.0.1. */
export async function startModernTasks(port = 0): Promise<ModernTasksServer> {
  const state = new State();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "POST")
        handle(state, request.headers, Buffer.concat(chunks).toString("utf8"), response);
      else response.writeHead(405).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`,
    requests: () => state.requests,
    listens: () => state.listening.size,
    finish: () => {
      for (const done of state.waiting) done();
      state.waiting.clear();
    },
    close: () =>
      new Promise((resolve) => {
        for (const task of state.tasks.values()) clearTimeout(task.timer);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const server = await startModernTasks(Number(values.port));
  process.stdout.write(`${JSON.stringify({ ready: true, url: server.url, pid: process.pid })}\n`);
  process.once("SIGTERM", () => process.exit(0));
}
