import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { afterEach, describe, expect, it } from "vitest";
import { AegisError } from "#errors";
import { startHttpListener } from "../../../runtime/listener/index.ts";
import type {
  HttpListener,
  InboundHttp,
  ListenerLimits,
  SseStream,
} from "../../../runtime/listener/index.ts";
import { exchangeRaw } from "../../attack/raw-http.ts";

const listeners: HttpListener[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(listeners.splice(0).map((listener) => listener.close(0)));
});

async function start(
  handle: (inbound: InboundHttp) => Promise<void> | void,
  limits: Partial<ListenerLimits> = {},
  onFault: (error: unknown) => void = () => undefined,
): Promise<HttpListener> {
  const listener = await startHttpListener({
    host: "127.0.0.1",
    port: 0,
    handle: async (inbound) => handle(inbound),
    limits,
    onFault,
  });
  listeners.push(listener);
  return listener;
}

async function open(listener: HttpListener): Promise<Socket> {
  const socket = connect(listener.port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("utf8");
}

const send = (listener: HttpListener, text: string): ReturnType<typeof exchangeRaw> =>
  exchangeRaw({ host: "127.0.0.1", port: listener.port, timeoutMs: 5_000 }, Buffer.from(text));
const POST = "POST /m HTTP/1.1\r\nHost: a\r\n";
const never = new AbortController().signal;

describe("requests", () => {
  it("hands over what was received and answers once", async () => {
    let seen: InboundHttp | undefined;
    const listener = await start(async (inbound) => {
      seen = inbound;
      const body = await inbound.readBody(100, never);
      expect(inbound.reply.committed).toBe(false);
      inbound.reply.json(200, Buffer.from(body).toString("utf8"), { "x-test": "1" });
      expect(inbound.reply.committed).toBe(true);
      expect(() => inbound.reply.empty(202)).toThrow("once");
    });
    const response = await send(
      listener,
      'POST /m?q=1 HTTP/1.1\r\nHost: a\r\nX-One: é\r\nContent-Length: 9\r\n\r\n{"a":"b"}',
    );
    expect(response.status).toBe(200);
    expect(response.body).toBe('{"a":"b"}');
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-test")).toBe("1");
    expect(seen?.rawTarget).toBe("/m?q=1");
    expect(seen?.path).toBe("/m");
    expect(seen?.remoteAddress).toBe("127.0.0.1");
  });

  it("answers with an internal error where the handler throws, rejects, or forgets to answer", async () => {
    const faults: unknown[] = [];
    let call = 0;
    const listener = await start(
      () => {
        call++;
        if (call === 1) throw new Error("thrown");
        if (call === 2) return Promise.reject(new Error("rejected"));
        return undefined;
      },
      {},
      (error) => faults.push(error),
    );
    for (let attempt = 0; attempt < 3; attempt++) {
      const response = await send(listener, `${POST}Content-Length: 0\r\n\r\n`);
      expect(response.status).toBe(500);
      expect(JSON.parse(response.body)).toMatchObject({ error: { code: -32603 } });
      expect(response.body).not.toMatch(/thrown|rejected/);
    }
    expect(faults).toHaveLength(3);
  });

  it("refuses a body over the cap, declared or chunked, and still delivers the answer", async () => {
    const listener = await start(async (inbound) => {
      try {
        await inbound.readBody(10, never);
      } catch (error) {
        inbound.reply.json(413, JSON.stringify({ code: (error as AegisError).code }));
      }
    });
    const big = "x".repeat(200_000);
    const declared = await send(listener, `${POST}Content-Length: ${big.length}\r\n\r\n${big}`);
    expect([declared.status, declared.body]).toEqual([413, '{"code":"MESSAGE_TOO_LARGE"}']);
    const chunked = await send(
      listener,
      `${POST}Transfer-Encoding: chunked\r\n\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`,
    );
    expect([chunked.status, chunked.body]).toEqual([413, '{"code":"MESSAGE_TOO_LARGE"}']);
  });

  it("cuts a client that goes on sending an unwanted body", async () => {
    const listener = await start((inbound) => inbound.reply.json(403, "{}"), { maxDiscardedBytes: 100_000 });
    const socket = await open(listener);
    socket.write(`${POST}Content-Length: 100000000\r\n\r\n`);
    const closed = untilClosed(socket);
    const piece = Buffer.alloc(65_536);
    const pump = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on("drain", pump);
    pump();
    expect(await closed).toContain("403");
    // The cap, and what the two kernels had taken by then.
    expect(socket.bytesWritten).toBeLessThan(30_000_000);
  });

  it("stops reading the body with the caller's own reason", async () => {
    const codes: string[] = [];
    const listener = await start(async (inbound) => {
      const signal = AbortSignal.abort(new AegisError("EXCHANGE_DEADLINE", "too late"));
      await inbound.readBody(10, signal).catch((error: AegisError) => codes.push(error.code));
      inbound.reply.empty(202);
    });
    const response = await send(listener, `${POST}Content-Length: 5\r\n\r\n`);
    expect(response.status).toBe(202);
    expect(codes).toEqual(["EXCHANGE_DEADLINE"]);
  });

  it("tells the handler that the client went away, before and after the body", async () => {
    const codes: string[] = [];
    const events = new EventTarget();
    const listener = await start(async (inbound) => {
      events.dispatchEvent(new Event("request"));
      await inbound.readBody(10, never).catch((error: AegisError) => codes.push(error.code));
      if (!inbound.closed.aborted) await once(inbound.closed, "abort");
      codes.push("closed");
      inbound.reply.json(200, "{}");
      events.dispatchEvent(new Event("done"));
    });
    for (const body of ["", "12345"]) {
      const socket = await open(listener);
      const requested = once(events, "request");
      const done = once(events, "done");
      socket.write(`${POST}Content-Length: 5\r\n\r\n${body}`);
      await requested;
      socket.destroy();
      await done;
    }
    expect(codes).toEqual(["EXCHANGE_ABORTED", "closed", "closed"]);
  });

  it("refuses more headers than it would look at", async () => {
    const listener = await start((inbound) => inbound.reply.empty(202), { maxHeaderCount: 10 });
    const headers = Array.from({ length: 10 }, (_, index) => `X-${index}: 1\r\n`).join("");
    expect((await send(listener, `${POST}${headers}Content-Length: 0\r\n\r\n`)).status).toBe(431);
  });
});

describe("time and connection caps", () => {
  it("cuts slow headers and slow bodies", async () => {
    const limits = { headersTimeoutMs: 150, requestTimeoutMs: 300, connectionsCheckMs: 30 };
    const listener = await start(async (inbound) => {
      await inbound.readBody(10, never).catch(() => undefined);
    }, limits);
    const head = await open(listener);
    head.write("POST /m HTTP/1.1\r\nHost: a\r\nX-");
    expect(await untilClosed(head)).toContain("408");
    const body = await open(listener);
    body.write(`${POST}Content-Length: 10\r\n\r\n1`);
    expect(await untilClosed(body)).toContain("408");
  });

  it("turns away connections of one address over the cap and serves again once others left", async () => {
    const listener = await start((inbound) => inbound.reply.empty(202), { maxConnectionsPerAddress: 2 });
    const held = [await open(listener), await open(listener)];
    const third = await open(listener);
    expect(await untilClosed(third)).toContain("503");
    expect(listener.connectionCount()).toBe(2);
    const left = once(held[0] as Socket, "close");
    held[0]?.end();
    await left;
    await expect.poll(() => listener.connectionCount()).toBe(1);
    expect((await send(listener, `${POST}Content-Length: 0\r\n\r\n`)).status).toBe(202);
  });

  it("drains: finishes what is under way, closes what is idle, cuts what stays", async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const events = new EventTarget();
    const listener = await start(async (inbound) => {
      events.dispatchEvent(new Event("request"));
      await gate;
      inbound.reply.json(200, "{}");
    });
    const idle = await open(listener);
    const busy = await open(listener);
    const requested = once(events, "request");
    busy.write(`${POST}Content-Length: 0\r\n\r\n`);
    await requested;
    const idleClosed = once(idle, "close");
    idle.resume();
    const answer = untilClosed(busy);
    const closed = listener.close(10_000);
    await idleClosed;
    release();
    expect(await answer).toContain("200 OK");
    await closed;
    await expect(open(listener)).rejects.toThrow();
  });

  it("cuts after the grace what never ends", async () => {
    let stream: SseStream | undefined;
    const listener = await start((inbound) => {
      stream = inbound.reply.openStream();
    });
    const socket = await open(listener);
    socket.write("GET /m HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(socket, "data");
    await listener.close(50);
    await expect.poll(() => stream?.closed.aborted).toBe(true);
    expect(stream?.send("{}")).toBe(false);
  });
});

describe("server-sent events", () => {
  async function openStream(
    limits: Partial<ListenerLimits> = {},
  ): Promise<{ stream: SseStream; socket: Socket }> {
    const ready = new Promise<SseStream>((resolve) => {
      void start((inbound) => resolve(inbound.reply.openStream()), limits);
    });
    await expect.poll(() => listeners.length).toBe(1);
    const socket = await open(listeners[0] as HttpListener);
    socket.write("GET /m HTTP/1.1\r\nHost: a\r\n\r\n");
    return { stream: await ready, socket };
  }

  it.each([
    [
      "blank lines and fields",
      JSON.stringify({ text: 'a\n\ndata: {"x":1}\nevent: endpoint\r\nid: 1\rretry: 0' }),
    ],
    ["line separators", JSON.stringify({ text: "a\u2028b\u2029c" })],
    ["pretty-printed JSON", JSON.stringify({ a: [1, 2] }, null, 2).replaceAll("\n", "\r\n")],
  ])("puts %s into one event", async (_name, json) => {
    const { stream, socket } = await openStream();
    expect(stream.send(json)).toBe(true);
    stream.end();
    const text = await untilEnded(socket);
    const events: { event: string | undefined; data: string; id: string | undefined }[] = [];
    createParser({ onEvent: ({ event, data, id }) => events.push({ event, data, id }) }).feed(text);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ event: "message", id: undefined });
    expect(JSON.parse(events[0]?.data ?? "")).toEqual(JSON.parse(json));
    expect(text).not.toMatch(/[\u2028\u2029]/);
  });

  it("keeps an idle stream alive with comments", async () => {
    const { socket } = await openStream({ streamKeepAliveMs: 20 });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    await expect.poll(() => text).toContain(":\n\n");
  });

  it("takes a burst within one turn, and the final message after it", async () => {
    const { stream, socket } = await openStream({ maxStreamBufferBytes: 65_536 });
    const message = JSON.stringify({ filler: "x".repeat(60_000) });
    for (let count = 0; count < 4; count++) expect(stream.send(message)).toBe(true);
    stream.end('{"final":true}');
    const text = await untilEnded(socket);
    expect(text.match(/^data: /gm)).toHaveLength(5);
    expect(text).toContain('data: {"final":true}\n\n');
  });

  it("stops taking messages from a reader that does not read, and cuts it", async () => {
    const { stream, socket } = await openStream({ maxStreamBufferBytes: 65_536, streamStallMs: 200 });
    socket.pause();
    const message = JSON.stringify({ filler: "x".repeat(60_000) });
    const sent = await fillUp(stream, message);
    // The kernel's own buffers take a few megabytes; what the process holds is capped.
    expect(sent).toBeLessThan(500);
    expect(stream.closed.aborted).toBe(false);
    await once(stream.closed, "abort");
    expect(stream.send("{}")).toBe(false);
    await stream.drained(never);
  });

  it("goes on once a slow reader has caught up", async () => {
    const { stream, socket } = await openStream({ maxStreamBufferBytes: 65_536, streamStallMs: 5_000 });
    socket.pause();
    const message = JSON.stringify({ filler: "x".repeat(60_000) });
    await fillUp(stream, message);
    const waiting = stream.drained(never);
    await expect(stream.drained(AbortSignal.abort())).rejects.toMatchObject({ code: "EXCHANGE_ABORTED" });
    socket.resume();
    await waiting;
    expect(stream.send("{}")).toBe(true);
  });

  it("cuts a stream that was ended but is not read", async () => {
    const { stream, socket } = await openStream({ maxStreamBufferBytes: 65_536, streamStallMs: 200 });
    socket.pause();
    const message = JSON.stringify({ filler: "x".repeat(60_000) });
    await fillUp(stream, message);
    stream.end('{"final":true}');
    await expect.poll(() => listeners[0]?.connectionCount(), { timeout: 5_000 }).toBe(0);
  });
});

describe("answers that are not read", () => {
  // Long enough for a machine that is busy: looks that come late start the count again.
  const STALL_MS = 800;
  const BODY = Buffer.alloc(24 * 1_048_576, "x");
  const REQUEST = `${POST}Content-Length: 0\r\n\r\n`;

  async function asked(handle: (inbound: InboundHttp) => void): Promise<Socket> {
    const socket = await open(await start(handle, { streamStallMs: STALL_MS, maxStreamBufferBytes: 65_536 }));
    socket.pause();
    socket.write(REQUEST);
    return socket;
  }

  it.each([
    ["an answer", (inbound: InboundHttp) => inbound.reply.json(200, BODY)],
    ["an event stream", (inbound: InboundHttp) => void inbound.reply.openStream().send(BODY.toString())],
    ["the end of an event stream", (inbound: InboundHttp) => inbound.reply.openStream().end(BODY)],
  ])("%s is cut by a reset after the stall time", async (_name, answer) => {
    let askedMs = 0;
    const cut = Promise.withResolvers<number>();
    const socket = await asked((inbound) => {
      askedMs = performance.now();
      inbound.onClosed(() => cut.resolve(performance.now() - askedMs));
      answer(inbound);
    });
    const waitedMs = await cut.promise;
    expect(waitedMs).toBeGreaterThan(STALL_MS * 0.95);
    expect(waitedMs).toBeLessThan(STALL_MS * 1.75);
    let taken = 0;
    socket.on("data", (chunk: Buffer) => (taken += chunk.length));
    socket.resume();
    const [fault] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(fault.code).toBe("ECONNRESET");
    expect(taken).toBeLessThan(BODY.length);
  });

  describe("whoever goes on sending is cut all the same", () => {
    const MORE = "GET /m HTTP/1.1\r\nHost: a\r\nX-More: ".padEnd(20_000, "x");
    const readAll = (inbound: InboundHttp): Promise<unknown> => inbound.readBody(100, never);

    it.each([
      ["empty lines after its request", readAll, REQUEST, "\r\n".repeat(10_000)],
      ["another request, byte by byte", readAll, REQUEST, MORE],
      ["another request after a body that nobody wanted", undefined, REQUEST, MORE],
      ["its own request, byte by byte", undefined, `${POST}Content-Length: 20000\r\n\r\n`, MORE],
    ])("%s", async (_name, read, request, more) => {
      const times = {
        headersTimeoutMs: 4 * STALL_MS,
        requestTimeoutMs: 2 * STALL_MS,
        connectionsCheckMs: 50,
      };
      const cut = Promise.withResolvers<number>();
      const listener = await start(
        async (inbound) => {
          const askedMs = performance.now();
          inbound.onClosed(() => cut.resolve(performance.now() - askedMs));
          await read?.(inbound);
          inbound.reply.json(200, BODY);
        },
        { streamStallMs: STALL_MS, ...times },
      );
      const socket = await open(listener);
      socket.pause();
      socket.write(request);
      let sent = 0;
      const sending = setInterval(() => socket.write(more.charAt(sent++)), STALL_MS / 8);
      try {
        expect(await cut.promise).toBeLessThan(STALL_MS * 3.5);
      } finally {
        clearInterval(sending);
      }
    });
  });

  it("leaves the time of the next request alone", async () => {
    const listener = await start(
      async (inbound) => {
        if (inbound.path === "/m") {
          await inbound.readBody(100, never);
          return inbound.reply.json(200, BODY);
        }
        await sleep(1.5 * STALL_MS);
        inbound.reply.json(200, '"second"');
      },
      { streamStallMs: STALL_MS },
    );
    const socket = await open(listener);
    // Both are read in one turn: the second waits for the answer to the first.
    socket.write(`${REQUEST}GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect((await untilClosed(socket)).slice(-8)).toBe('"second"');
  });

  it.each([
    ["an answer", (inbound: InboundHttp) => inbound.reply.json(200, BODY)],
    [
      "the end of a stream of which more was left unread before",
      (inbound: InboundHttp) => {
        const stream = inbound.reply.openStream();
        stream.send(BODY.toString("latin1", 0, BODY.length / 2));
        stream.end(BODY.subarray(BODY.length / 2));
      },
    ],
  ])("%s goes on for a client that takes some of it now and then", async (_name, answer) => {
    const socket = await asked(answer);
    const startedMs = performance.now();
    let taken = 0;
    let sincePause = 0;
    socket.on("data", (chunk: Buffer) => {
      taken += chunk.length;
      sincePause += chunk.length;
      if (sincePause < BODY.length / 16 || taken >= BODY.length) return;
      sincePause = 0;
      socket.pause();
      setTimeout(() => socket.resume(), STALL_MS / 6);
    });
    socket.resume();
    await expect.poll(() => taken, { timeout: 15_000 }).toBeGreaterThan(BODY.length);
    expect(performance.now() - startedMs).toBeGreaterThan(2 * STALL_MS);
  });
});

/** Sends, a turn for each message, until the stream takes no more. */
async function fillUp(stream: SseStream, message: string): Promise<number> {
  for (let sent = 0; ; sent++) {
    if (!stream.send(message)) return sent;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function untilEnded(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    if (Buffer.concat(chunks).toString("latin1").endsWith("0\r\n\r\n")) break;
  }
  const received = Buffer.concat(chunks).toString("utf8");
  const body = received.slice(received.indexOf("\r\n\r\n") + 4);
  // Chunk framing stands on lines of its own around each event.
  return body.replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, "");
}
