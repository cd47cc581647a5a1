// An MCP server of revision 2025-11-25 with tasks, made with the SDK 1.x. Tools: `customer_report` runs as a task if it is
// asked to and ends when it is told to, `batch_report` only so; `plain` never is one.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { z } from "zod";
import { serveOnLoopback } from "./loopback.ts";

export interface LegacyTasksServer {
  readonly url: string;
  /** Bodies of the messages that arrived, in order. */
  readonly messages: () => readonly { readonly method?: string; readonly params?: Record<string, unknown> }[];
  /** Ends every working report. */
  readonly finish: () => Promise<void>;
  /** Forgets every task, as when their time is over. */
  readonly expire: () => void;
  readonly close: () => Promise<void>;
}

class Reports {
  readonly store = new InMemoryTaskStore();
  readonly waiting: (() => Promise<void>)[] = [];
}

function taskServer(reports: Reports): McpServer {
  const server = new McpServer(
    { name: "legacy-tasks", version: "1.0.0" },
    {
      capabilities: { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
      taskStore: reports.store,
      taskMessageQueue: new InMemoryTaskMessageQueue(),
    },
  );
  server.registerTool(
    "plain",
    { description: "Answers at once.", inputSchema: { customer: z.string() } },
    ({ customer }) => ({ content: [{ type: "text", text: `plain ${customer}` }] }),
  );
  for (const [name, taskSupport] of [
    ["customer_report", "optional"],
    ["batch_report", "required"],
  ] as const)
    server.experimental.tasks.registerToolTask(
      name,
      {
        description: "Reports on a customer.",
        inputSchema: { customer: z.string() },
        execution: { taskSupport },
      },
      {
        createTask: async ({ customer }, { taskStore, taskRequestedTtl }) => {
          const task = await taskStore.createTask({ ttl: taskRequestedTtl ?? 60_000, pollInterval: 50 });
          await taskStore.updateTaskStatus(task.taskId, "working", "reading the record of 078-05-1120");
          reports.waiting.push(async () => {
            const text = JSON.stringify({ customer, ssn: "078-05-1120" });
            await taskStore.storeTaskResult(task.taskId, "completed", { content: [{ type: "text", text }] });
          });
          return { task };
        },
        getTask: (_args, { taskId, taskStore }) => taskStore.getTask(taskId),
        getTaskResult: async (_args, { taskId, taskStore }) =>
          (await taskStore.getTaskResult(taskId)) as never,
      },
    );
  return server;
}

class Endpoint {
  readonly reports = new Reports();
  readonly messages: { method?: string; params?: Record<string, unknown> }[] = [];
  readonly #sessions = new Map<string, StreamableHTTPServerTransport>();

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === "POST" ? await bodyOf(request) : undefined;
    if (body !== undefined) this.messages.push(body);
    const known = this.#sessions.get(String(request.headers["mcp-session-id"]));
    await (known ?? (await this.#open())).handleRequest(request, response, body);
  }

  async #open(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void this.#sessions.set(id, transport),
    });
    // The 1.x declarations are not written for exactOptionalPropertyTypes.
    await taskServer(this.reports).connect(transport as unknown as Transport);
    return transport;
  }
}

async function bodyOf(
  request: IncomingMessage,
): Promise<{ method?: string; params?: Record<string, unknown> }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as { method?: string };
}

/** Starts the server on 127.0.0.1. */
export async function startLegacyTasks(): Promise<LegacyTasksServer> {
  const endpoint = new Endpoint();
  const { origin, close } = await serveOnLoopback((request, response) => endpoint.handle(request, response));
  return {
    url: `${origin}/mcp`,
    messages: () => endpoint.messages,
    finish: async () => {
      await Promise.all(endpoint.reports.waiting.splice(0).map((done) => done()));
    },
    expire: () => endpoint.reports.store.cleanup(),
    close: async () => {
      endpoint.reports.store.cleanup();
      await close();
    },
  };
}
