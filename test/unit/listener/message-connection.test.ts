// A connection that carries many messages, on a wire in memory and with a handler that admits what it reads.
import { beforeEach, describe, expect, it } from "vitest";
import { isAegisError } from "#errors";
import { encodeErrorReply, parseClientMessage, parseStrict } from "#mcp";
import type { ClientMessage } from "#mcp";
import { DEFAULT_CONNECTION_LIMITS } from "../../../runtime/listener/connection/limits.ts";
import { MessageConnection } from "../../../runtime/listener/connection/message-connection.ts";
import { createMessageStream } from "../../../runtime/listener/connection/message-stream.ts";
import type { InboundHttp, SseStream } from "../../../runtime/listener/index.ts";

const LIMITS = {
  ...DEFAULT_CONNECTION_LIMITS,
  maxInFlight: 3,
  maxUnread: 4,
  maxBufferedBytes: 100,
  stallMs: 60,
};

/** A wire whose reader takes bytes only when it is told to. */
class Wire {
  readonly written: string[] = [];
  taken = 0;
  isCut = false;
  isEnded = false;
  readonly made = createMessageStream(
    {
      write: (message) => void this.written.push(message),
      bufferedBytes: () => this.written.slice(this.taken).reduce((sum, text) => sum + text.length, 0),
      end: () => {
        this.isEnded = true;
      },
      cut: () => {
        this.isCut = true;
        this.made.onClose();
      },
    },
    LIMITS,
  );

  take(count = this.written.length): void {
    this.taken = Math.min(this.written.length, this.taken + count);
    this.made.onDrain();
  }

  messages(): readonly Record<string, unknown>[] {
    return this.written.map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

interface Served {
  readonly inbound: InboundHttp;
  readonly message: ClientMessage;
  cancelled: boolean;
  closed: boolean;
  finish: () => void;
}

let wire: Wire;
let served: Served[];
let sessionStream: SseStream | undefined;
let endedSessions: string[];
let sessionEnds: boolean[];
let paused: string[];
let hold: Promise<void> | undefined;
let holdNotifications: Promise<void> | undefined;
let connection: MessageConnection;

async function handle(inbound: InboundHttp): Promise<void> {
  await hold;
  let id: string | number | undefined;
  try {
    const message = parseClientMessage(
      parseStrict(await inbound.readBody(10_000, AbortSignal.timeout(1_000))),
    );
    if (message.kind === "request") id = message.id;
    const entry: Served = { inbound, message, cancelled: false, closed: false, finish: () => undefined };
    inbound.shared?.admitted(message, () => {
      entry.cancelled = true;
      inbound.reply.json(200, encodeErrorReply("EXCHANGE_ABORTED", id).body);
      entry.finish();
    });
    inbound.onClosed(() => {
      entry.closed = true;
    });
    served.push(entry);
    if (message.kind === "notification") await holdNotifications;
    if (message.kind !== "request") return inbound.reply.empty(202);
    if (message.method === "initialize") {
      const headers = { "mcp-session-id": `session-${String(id)}` };
      return inbound.reply.json(200, JSON.stringify({ id, result: {} }), headers);
    }
    await new Promise<void>((resolve) => (entry.finish = resolve));
  } catch (fault) {
    const code = isAegisError(fault) ? fault.code : "STAGE_FAULT";
    inbound.reply.json(400, encodeErrorReply(code, inbound.shared?.readId()).body);
  }
}

function answer(id: string | number, text = "x"): void {
  const entry = served.find(({ message }) => message.kind === "request" && message.id === id);
  entry?.inbound.reply.json(200, JSON.stringify({ id, result: { text } }));
  entry?.finish();
}

beforeEach(() => {
  wire = new Wire();
  served = [];
  sessionStream = undefined;
  endedSessions = [];
  sessionEnds = [];
  paused = [];
  hold = undefined;
  holdNotifications = undefined;
  connection = new MessageConnection({
    transport: "websocket",
    routePath: "/x/mcp",
    remoteAddress: "192.0.2.1",
    out: wire.made.stream,
    limits: LIMITS,
    sessions: {
      attach: (_id, stream) => {
        sessionStream = stream;
        return true;
      },
      detach: () => undefined,
      end: (id) => void endedSessions.push(id),
      isOpen: () => false,
    },
    handle,
    headers: () => ["host", "gw.example", "authorization", "Bearer t"],
    flow: { pause: () => void paused.push("pause"), resume: () => void paused.push("resume") },
    onSessionEnd: (goesOn) => void sessionEnds.push(goesOn),
    onFault: (fault) => {
      throw fault as Error;
    },
  });
});

const receive = (message: unknown): void => connection.receive(Buffer.from(JSON.stringify(message)));
const request = (id: string | number, method = "tools/call", params?: object): object => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params }),
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("messages of one connection", () => {
  it("carry the headers of the connection, and of its session once there is one", async () => {
    receive(request(1));
    receive(request(0, "initialize"));
    receive(request(2));
    await settle();
    const seen = served.map(({ message, inbound }) => [
      message.kind === "request" ? message.id : "",
      inbound.headers.get("authorization"),
      inbound.headers.get("mcp-session-id"),
    ]);
    // The one after initialize waited for the id.
    expect(seen).toEqual([
      [1, "Bearer t", undefined],
      [0, "Bearer t", undefined],
      [2, "Bearer t", "session-0"],
    ]);
    expect(served[0]?.inbound).toMatchObject({ transport: "websocket", method: "POST", path: "/x/mcp" });
  });

  it("are refused where the id is under way, and not afterwards", async () => {
    receive(request("a"));
    receive(request("a"));
    await settle();
    expect(wire.messages()).toMatchObject([{ id: "a", error: { data: { code: "MESSAGE_INVALID" } } }]);
    answer("a");
    receive(request("a"));
    await settle();
    expect(served).toHaveLength(2);
  });

  it("are refused above the cap of requests; notifications still pass", async () => {
    for (const id of [1, 2, 3, 4]) receive(request(id));
    receive({ jsonrpc: "2.0", method: "notifications/cancelled" });
    await settle();
    expect(wire.messages()).toMatchObject([{ id: 4, error: { data: { code: "OVERLOADED" } } }]);
    expect(served.map(({ message }) => message.kind)).toEqual([
      "request",
      "request",
      "request",
      "notification",
    ]);
  });

  it("are not read from the wire while too many wait", async () => {
    let release = (): void => undefined;
    hold = new Promise((resolve) => (release = resolve));
    for (const id of [1, 2, 3, 4]) receive(request(id));
    expect(paused).toEqual(["pause"]);
    release();
    await settle();
    expect(paused).toEqual(["pause", "resume"]);
  });

  it("are not read from the wire while too many notifications are under way", async () => {
    let release = (): void => undefined;
    holdNotifications = new Promise((resolve) => (release = resolve));
    for (let count = 0; count < 4; count += 1) receive({ jsonrpc: "2.0", method: "notifications/progress" });
    await settle();
    expect(served).toHaveLength(4);
    expect(paused).toEqual(["pause"]);
    release();
    await settle();
    expect(paused).toEqual(["pause", "resume"]);
  });

  it("end silently when they are cancelled on their own connection", async () => {
    receive(request(1));
    await settle();
    served[0]?.inbound.shared?.cancelRequest("1");
    expect(served[0]?.cancelled).toBe(false);
    served[0]?.inbound.shared?.cancelRequest(1);
    expect(served[0]?.cancelled).toBe(true);
    expect(wire.written).toEqual([]);
  });

  it("are answered without an id where none can be read", async () => {
    receive({ jsonrpc: "2.0", id: 9 });
    connection.receiveTooLong();
    await settle();
    const codes = wire.messages().map(({ error }) => (error as { data: { code: string } }).data.code);
    expect(codes.sort()).toEqual(["MESSAGE_INVALID", "MESSAGE_TOO_LARGE"]);
  });
});

describe("the end", () => {
  it("of the wire ends the session and what is under way", async () => {
    receive(request(0, "initialize"));
    receive(request(1));
    await settle();
    wire.made.onClose();
    expect(connection.closed.aborted).toBe(true);
    expect(endedSessions).toEqual(["session-0"]);
    expect(served.map(({ closed }) => closed)).toEqual([false, true]);
    answer(1);
    receive(request(2));
    await settle();
    expect(wire.written).toHaveLength(1);
    expect(served).toHaveLength(2);
  });

  it("of the session is told once, unless it was the connection's own doing", async () => {
    receive(request(0, "initialize"));
    await settle();
    expect(sessionStream?.send("{}")).toBe(true);
    sessionStream?.end();
    sessionStream?.end();
    expect(sessionEnds).toEqual([false]);
    expect(sessionStream?.send("{}")).toBe(false);
  });

  it("comes after the answers when it drains", async () => {
    receive(request(1));
    await settle();
    let isDrained = false;
    void connection.drain().then(() => (isDrained = true));
    receive(request(2));
    await settle();
    expect([isDrained, served.length]).toEqual([false, 1]);
    answer(1);
    await settle();
    expect(isDrained).toBe(true);
    expect(wire.messages()).toMatchObject([{ id: 1 }]);
  });
});

describe("a client that does not read", () => {
  it("misses notifications and gets its answers later", async () => {
    receive(request(1));
    receive(request(2));
    await settle();
    const stream = served[0]?.inbound.reply.openStream();
    expect(stream?.send(JSON.stringify({ big: "y".repeat(500) }))).toBe(true);
    await settle();
    expect(stream?.send("{}")).toBe(false);
    answer(2);
    stream?.end(JSON.stringify({ id: 1, result: {} }));
    await settle();
    expect(wire.written).toHaveLength(1);
    wire.take();
    await settle();
    expect(
      wire
        .messages()
        .slice(1)
        .map(({ id }) => id),
    ).toEqual([2, 1]);
  });

  it("is not read from while an answer waits for it, so that it cannot pile up answers", async () => {
    receive(request(1));
    await settle();
    const stream = served[0]?.inbound.reply.openStream();
    stream?.send(JSON.stringify({ big: "y".repeat(500) }));
    await settle();
    stream?.end(JSON.stringify({ id: 1, result: {} }));
    expect(paused).toEqual(["pause"]);
    wire.take();
    await settle();
    expect(paused).toEqual(["pause", "resume"]);
  });

  it("is refused requests above the cap while its answers wait", async () => {
    receive(request("big"));
    await settle();
    const stream = served[0]?.inbound.reply.openStream();
    stream?.send(JSON.stringify({ big: "y".repeat(500) }));
    await settle();
    for (let id = 0; id < 20; id += 1) {
      receive(request(id));
      await settle();
      answer(id);
    }
    // One request stays under way and the answers of the others wait: no more than the cap together.
    expect(served.filter(({ message }) => message.kind === "request")).toHaveLength(LIMITS.maxInFlight);
  });

  it("is cut when it stays behind", async () => {
    receive(request(1));
    await settle();
    answer(1, "z".repeat(500));
    await expect.poll(() => wire.isCut, { timeout: 2_000, interval: 5 }).toBe(true);
    expect(connection.closed.aborted).toBe(true);
  });
});

describe("a message that comes by a request of its own", () => {
  it("is accepted when it was read, and refused on its own request before", async () => {
    const log: unknown[] = [];
    const post = (body: string): void =>
      void connection.post(
        { readBody: () => Promise.resolve(Buffer.from(body)) },
        {
          accepted: () => void log.push("accepted"),
          refused: (status) => void log.push(status),
        },
        ["authorization", "Bearer other"],
      );
    post(JSON.stringify(request(1)));
    post("{");
    await settle();
    expect(log).toEqual(["accepted", 400]);
    expect(served[0]?.inbound.headers.get("authorization")).toBe("Bearer other");
    answer(1);
    expect(wire.messages()).toMatchObject([{ id: 1 }]);
  });
});
