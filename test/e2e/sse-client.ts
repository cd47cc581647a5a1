// The bare protocol of a client with event streams: one message by fetch, and what comes on its stream, event by event.
import { EventSourceParserStream } from "eventsource-parser/stream";
import { modernHeaders, modernMeta } from "./raw-call.ts";

export interface SseEvent {
  readonly id: string | undefined;
  readonly data: string;
}

export interface SseStreamReader {
  readonly events: SseEvent[];
  /** The messages of the events so far. */
  readonly messages: () => Message[];
  /** Waits for a message. @throws where the stream ends, or 10 s pass, before there is one */
  readonly until: (matches: (message: Message) => boolean) => Promise<Message>;
  /** The client goes away. */
  readonly abort: () => void;
  /** Resolves when the stream has ended, whoever ended it. */
  readonly ended: Promise<void>;
}

export interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface StreamingReply {
  readonly status: number;
  readonly headers: Headers;
  readonly stream: SseStreamReader;
  /** The body, where it is no event stream. */
  readonly text: () => Promise<string>;
}

const PATIENCE_MS = 10_000;

export async function exchange(
  url: URL,
  method: "POST" | "GET" | "DELETE",
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<StreamingReply> {
  const aborting = new AbortController();
  const response = await fetch(url, {
    method,
    headers: {
      accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    signal: aborting.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  return {
    status: response.status,
    headers: response.headers,
    stream: readStream(isStream ? response : undefined, aborting),
    text: () => response.text(),
  };
}

function readStream(response: Response | undefined, aborting: AbortController): SseStreamReader {
  const events: SseEvent[] = [];
  let changed = Promise.withResolvers<undefined>();
  let isOver = response === undefined;
  const run = async (): Promise<void> => {
    if (response?.body === null || response === undefined) return;
    const parsed = response.body
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>)
      .pipeThrough(new EventSourceParserStream());
    try {
      for await (const { id, data } of parsed) {
        events.push({ id, data });
        changed.resolve(undefined);
        changed = Promise.withResolvers();
      }
    } catch {
      // Aborted, or cut by the gateway.
    }
  };
  const ended = run().then(() => {
    isOver = true;
    changed.resolve(undefined);
  });
  const messages = (): Message[] =>
    events.filter(({ data }) => data !== "").map(({ data }) => JSON.parse(data) as Message);
  return {
    events,
    messages,
    until: async (matches) => {
      const due = AbortSignal.timeout(PATIENCE_MS);
      const late = new Promise<never>((_resolve, reject) => {
        due.addEventListener("abort", () => reject(new Error(`nothing came: ${JSON.stringify(events)}`)));
      });
      late.catch(() => undefined);
      for (;;) {
        const found = messages().find(matches);
        if (found !== undefined) return found;
        if (isOver) throw new Error(`the stream ended: ${JSON.stringify(events)}`);
        await Promise.race([changed.promise, late]);
      }
    },
    abort: () => aborting.abort(),
    ended,
  };
}

/** A legacy client by hand. */
export class LegacySessionClient {
  readonly url: URL;
  readonly token: string;
  session = "";
  #lastId = 0;

  constructor(url: URL, token: string) {
    this.url = url;
    this.token = token;
  }

  static async open(url: URL, token: string, protocolVersion = "2025-11-25"): Promise<LegacySessionClient> {
    const client = new LegacySessionClient(url, token);
    const reply = await client.post("initialize", {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: "by-hand", version: "1" },
    });
    await reply.text();
    if (reply.status !== 200) throw new Error(`initialize was answered with ${String(reply.status)}`);
    client.session = reply.headers.get("mcp-session-id") ?? "";
    return client;
  }

  post(method: string, params: object = {}): Promise<StreamingReply> {
    const id = ++this.#lastId;
    return exchange(this.url, "POST", this.headers(), { jsonrpc: "2.0", id, method, params });
  }

  /** Ends the session. */
  async end(): Promise<void> {
    await (await exchange(this.url, "DELETE", this.headers())).text();
  }

  get(lastEventId?: string, session = this.session): Promise<StreamingReply> {
    return exchange(this.url, "GET", {
      ...this.headers(),
      "mcp-session-id": session,
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    });
  }

  /** Of each of its messages. */
  headers(): Record<string, string> {
    const bearer = { authorization: `Bearer ${this.token}` };
    return this.session === "" ? bearer : { ...bearer, "mcp-session-id": this.session };
  }
}

/** One modern request by hand; `meta` is added to the envelope. */
export function modernRequest(
  url: URL,
  token: string,
  request: {
    readonly id: string | number;
    readonly method: string;
    readonly params?: Record<string, unknown>;
  },
  meta: Readonly<Record<string, unknown>> = {},
): Promise<StreamingReply> {
  const { name } = request.params ?? {};
  return exchange(
    url,
    "POST",
    {
      authorization: `Bearer ${token}`,
      ...modernHeaders(request.method, name),
    },
    {
      jsonrpc: "2.0",
      id: request.id,
      method: request.method,
      params: { ...request.params, _meta: { ...modernMeta(), ...meta } },
    },
  );
}
