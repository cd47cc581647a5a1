// A minimal MCP server on node:http, without an SDK, for what goes on beside the answer to a call: progress, log messages,
// changes of resources, streams that never end. Speaks the eras it is told to. Its tool `noisy {count, ms, level, bytes}`
// sends that many notifications, that far apart, before it answers; `first` and `second` do nothing.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { serveOnLoopback } from "./loopback.ts";

export type FeedEra = "legacy" | "modern";

export interface FeedServer {
  readonly url: string;
  /** Tells whoever is subscribed to the resource. */
  readonly touch: (uri: string) => void;
  /** Says that the tools have changed, to whom listens for that and on every general stream. */
  readonly change: () => void;
  /** Listens that ask for changes of the tools. */
  readonly listeners: () => number;
  /** While true, listens are not acknowledged. */
  readonly stall: (isStalled: boolean) => void;
  /** Sends a log message on every general stream. */
  readonly log: (level: string, data: string) => void;
  /** URIs that somebody is subscribed to, one entry for each subscription. */
  readonly subscribed: () => readonly string[];
  /** `logging/setLevel` and `I/logLevel` as they arrived. */
  readonly levels: () => readonly string[];
  /** Calls of `noisy`: started, answered, and given up by their caller. */
  readonly noisy: () => { readonly started: number; readonly answered: number; readonly abandoned: number };
  /** Bytes that `noisy` has written and its callers' connections have taken. */
  readonly written: () => number;
  /** Ends every stream, as a restart would. */
  readonly drop: () => void;
  readonly close: () => Promise<void>;
}

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly uri?: string;
    readonly level?: string;
    readonly arguments?: { count?: number; ms?: number; level?: string; bytes?: number };
    readonly notifications?: {
      readonly resourceSubscriptions?: readonly string[];
      readonly toolsListChanged?: boolean;
    };
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

interface Subscriber {
  readonly uris: Set<string>;
  readonly id: string | number | undefined;
  readonly hearsTools: boolean;
  stream: ServerResponse | undefined;
}

const PREFIX = "io.modelcontextprotocol/";
const MODERN = "2026-07-28";
const INFO = { name: "feed", version: "1.0.0" };
const CAPABILITIES = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} };
const NUMBER = { type: "integer" };
const TOOLS = [
  {
    name: "noisy",
    description: "Sends notifications before it answers.",
    inputSchema: {
      type: "object",
      properties: { count: NUMBER, ms: NUMBER, level: { type: "string" }, bytes: NUMBER },
    },
  },
  { name: "first", description: "Does nothing.", inputSchema: { type: "object" } },
  { name: "second", description: "Does nothing either.", inputSchema: { type: "object" } },
];
const RESOURCES = ["a", "b", "c"].map((name) => ({ uri: `feed://${name}`, name }));

class Feed {
  readonly eras: readonly FeedEra[];
  readonly subscribers = new Set<Subscriber>();
  readonly sessions = new Map<string, Subscriber>();
  readonly levels: string[] = [];
  readonly noisy = { started: 0, answered: 0, abandoned: 0 };
  written = 0;
  isStalled = false;
  #lastSession = 0;

  constructor(eras: readonly FeedEra[]) {
    this.eras = eras;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.sessions.get(String(request.headers["mcp-session-id"]));
    if (request.method === "GET") return this.#openGeneral(session, response);
    if (request.method === "DELETE") {
      this.sessions.delete(String(request.headers["mcp-session-id"]));
      if (session !== undefined) this.subscribers.delete(session);
      return end(response, 204);
    }
    const message = await readMessage(request);
    const meta = message.params?._meta;
    const isModern = meta?.[`${PREFIX}protocolVersion`] !== undefined;
    if (!this.eras.includes(isModern ? "modern" : "legacy"))
      return json(response, 400, {
        jsonrpc: "2.0",
        id: message.id ?? null,
        error: { code: -32601, message: "no" },
      });
    if (message.id === undefined) return end(response, 202);
    const level = isModern ? meta?.[`${PREFIX}logLevel`] : message.params?.level;
    if (typeof level === "string") this.levels.push(level);
    if (message.method === "subscriptions/listen") return this.#listen(message, response);
    if (message.method === "tools/call" && message.params?.name === "noisy")
      return this.#noisy(message, response);
    const result = this.#result(message, session, response);
    if (result === undefined)
      return json(response, 200, {
        jsonrpc: "2.0",
        id: message.id,
        error: { code: -32601, message: "unknown" },
      });
    const fields = isModern ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
    json(response, 200, { jsonrpc: "2.0", id: message.id, result: { ...fields, ...result } });
  }

  #result(message: Message, session: Subscriber | undefined, response: ServerResponse): object | undefined {
    switch (message.method) {
      case "initialize": {
        const id = `s${String(++this.#lastSession)}`;
        const subscriber = { uris: new Set<string>(), id: undefined, hearsTools: false, stream: undefined };
        this.sessions.set(id, subscriber);
        this.subscribers.add(subscriber);
        response.setHeader("mcp-session-id", id);
        return { protocolVersion: "2025-11-25", capabilities: CAPABILITIES, serverInfo: INFO };
      }
      case "server/discover":
        return {
          supportedVersions: [MODERN],
          capabilities: CAPABILITIES,
          _meta: { [`${PREFIX}serverInfo`]: INFO },
        };
      case "tools/list":
        return { tools: TOOLS };
      case "tools/call":
        return { content: [{ type: "text", text: "done" }] };
      case "resources/list":
        return { resources: RESOURCES };
      case "resources/templates/list":
        return { resourceTemplates: [] };
      case "resources/read":
        return { contents: [{ uri: message.params?.uri, text: "text" }] };
      case "resources/subscribe":
        session?.uris.add(message.params?.uri ?? "");
        return {};
      case "resources/unsubscribe":
        session?.uris.delete(message.params?.uri ?? "");
        return {};
      case "ping":
      case "logging/setLevel":
        return {};
      default:
        return undefined;
    }
  }

  #openGeneral(session: Subscriber | undefined, response: ServerResponse): void {
    if (session === undefined) return end(response, 404);
    openStream(response);
    session.stream = response;
    response.on("close", () => {
      if (session.stream === response) session.stream = undefined;
    });
  }

  #listen(message: Message, response: ServerResponse): void {
    const { resourceSubscriptions: uris = [], toolsListChanged: hearsTools = false } =
      message.params?.notifications ?? {};
    const subscriber: Subscriber = { uris: new Set(uris), id: message.id, hearsTools, stream: response };
    openStream(response);
    if (!this.isStalled) acknowledge(response, uris, message.id);
    this.subscribers.add(subscriber);
    response.on("close", () => this.subscribers.delete(subscriber));
  }

  change(): void {
    const method = "notifications/tools/list_changed";
    for (const { id, hearsTools, stream } of this.subscribers) {
      if (stream === undefined) continue;
      if (id === undefined) send(stream, { method });
      else if (hearsTools) send(stream, { method, params: { _meta: { [`${PREFIX}subscriptionId`]: id } } });
    }
  }

  async #noisy(message: Message, response: ServerResponse): Promise<void> {
    const { count = 1, ms = 0, level = "info", bytes = 10 } = message.params?.arguments ?? {};
    const progressToken = message.params?._meta?.["progressToken"];
    this.noisy.started += 1;
    openStream(response);
    response.on("close", () => {
      if (!response.writableFinished) this.noisy.abandoned += 1;
    });
    const data = "x".repeat(bytes);
    for (let at = 1; at <= count && !response.destroyed; at++) {
      const sent = {
        method: "notifications/message",
        params: { level, logger: "feed", data: `${String(at)} ${data}` },
      };
      let isFree = send(response, sent);
      if (progressToken !== undefined)
        isFree = send(response, {
          method: "notifications/progress",
          params: { progressToken, progress: at },
        });
      this.written += bytes;
      if (!isFree) await drained(response);
      else if (ms > 0) await sleep(ms);
      else if (at % 100 === 0) await sleep(0);
    }
    if (response.destroyed) return;
    this.noisy.answered += 1;
    const result = { resultType: "complete", content: [{ type: "text", text: `sent ${String(count)}` }] };
    send(response, { id: message.id, result });
    response.end();
  }

  touch(uri: string): void {
    for (const { uris, id, stream } of this.subscribers) {
      if (stream === undefined || ![...uris].some((known) => uri === known || uri.startsWith(`${known}/`)))
        continue;
      const meta = id === undefined ? {} : { _meta: { [`${PREFIX}subscriptionId`]: id } };
      send(stream, { method: "notifications/resources/updated", params: { uri, ...meta } });
    }
  }
}

function acknowledge(
  response: ServerResponse,
  uris: readonly string[],
  id: string | number | undefined,
): void {
  send(response, {
    method: "notifications/subscriptions/acknowledged",
    params: {
      notifications: { resourceSubscriptions: uris },
      _meta: { [`${PREFIX}subscriptionId`]: id },
    },
  });
}

/** Resolves when the connection has taken what was written, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle).off("close", settle);
      resolve();
    };
    response.on("drain", settle).on("close", settle);
  });
}

function openStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
}

function send(response: ServerResponse, message: object): boolean {
  return response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

async function readMessage(request: IncomingMessage): Promise<Message> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Message;
}

export async function startFeedServer(eras: readonly FeedEra[] = ["legacy", "modern"]): Promise<FeedServer> {
  const feed = new Feed(eras);
  const { origin, drop, close } = await serveOnLoopback((request, response) => {
    response.on("error", () => undefined);
    return feed.handle(request, response);
  });
  return {
    url: `${origin}/mcp`,
    touch: (uri) => feed.touch(uri),
    change: () => feed.change(),
    listeners: () => [...feed.subscribers].filter(({ hearsTools }) => hearsTools).length,
    stall: (isStalled) => void (feed.isStalled = isStalled),
    log: (level, data) => {
      for (const { stream } of feed.sessions.values())
        if (stream !== undefined) send(stream, { method: "notifications/message", params: { level, data } });
    },
    subscribed: () => [...feed.subscribers].flatMap(({ uris }) => [...uris]).sort(),
    levels: () => feed.levels,
    noisy: () => ({ ...feed.noisy }),
    written: () => feed.written,
    drop,
    close,
  };
}
