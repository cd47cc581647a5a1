// Messages above 256 KiB: answers pass unread to whoever takes them, everything else of that size is worth its name only.
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createUpstreamFactory } from "#upstream";
import type { RequestLimits, UpstreamReply } from "#upstream";
import { createAnswerPool } from "../../../runtime/large-answers/answer-pool.ts";
import { startSocketServer } from "../../servers/sdk-servers.ts";
import { MODERN, Recording, callTool, codeOf } from "./recording.ts";
import { startRawHttpServer } from "./raw-http-server.ts";
import type { Script } from "./raw-http-server.ts";

const BULK = "x".repeat(300_000);
const pool = createAnswerPool();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => pool.dispose());

const soon = (): AbortSignal => AbortSignal.timeout(10_000);

interface Called {
  readonly reply: UpstreamReply;
  readonly large: string | undefined;
}

interface Setup {
  readonly recording: Recording;
  readonly call: (signal?: AbortSignal, takesLarge?: boolean) => Promise<Called>;
}

function caller(type: "streamable-http" | "websocket", url: string, largeMessages = pool): Setup {
  const recording = new Recording();
  const create = createUpstreamFactory({
    programs: new Map(),
    events: recording.events,
    largeMessages,
  });
  const upstream = create({ id: "raw", eras: { modern: {} } }, { type, url });
  cleanups.push(upstream.close);
  return {
    recording,
    call: async (signal = soon(), takesLarge = true) => {
      let large: string | undefined;
      const onLarge = (bytes: Uint8Array): void => {
        large = new TextDecoder().decode(bytes);
      };
      const limits: RequestLimits = { maxResponseBytes: 1_000_000, ...(takesLarge ? { onLarge } : {}) };
      const request = callTool("t", {}, { progressToken: "p" });
      const reply = await upstream.request(MODERN, request, recording.observer, limits, signal);
      return { reply, large };
    },
  };
}

async function http(script: Script, reader = pool): Promise<Setup> {
  const server = await startRawHttpServer(script);
  cleanups.push(server.close);
  return caller("streamable-http", server.url, reader);
}

const answer = (id: number | undefined, text = BULK): string =>
  JSON.stringify({ jsonrpc: "2.0", id, result: { content: [], text } });
const failed = (id: number | undefined): string =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message: "no", data: BULK } });
const progress = (id: number | undefined, message = "half"): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: id, progress: 1, message },
  });

const asJson =
  (body: (id: number | undefined) => string): Script =>
  ({ body: { id } }, response) => {
    response.writeHead(200, { "content-type": "application/json" }).end(body(id));
  };

const asStream =
  (...events: readonly ((id: number | undefined) => string)[]): Script =>
  ({ body: { id } }, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(events.map((text) => `event: message\ndata: ${text(id)}\n\n`).join(""));
  };

describe("over Streamable HTTP", () => {
  test.each([
    ["JSON", asJson((id) => answer(id))],
    ["an event stream", asStream((id) => answer(id))],
  ])("a large answer as %s passes unread", async (_name, script) => {
    const { call, recording } = await http(script);
    const { reply, large } = await call();
    expect(reply).toEqual({ kind: "result", result: {} });
    expect(JSON.parse(large ?? "")).toMatchObject({ result: { text: BULK } });
    expect(recording.violations).toEqual([]);
  });

  test("a small answer, and one to a request that reads its answer itself, are parsed", async () => {
    const small = await http(asJson((id) => answer(id, "small")));
    expect(await small.call()).toEqual({
      reply: { kind: "result", result: { content: [], text: "small" } },
      large: undefined,
    });
    const { call } = await http(asJson((id) => answer(id)));
    expect(await call(soon(), false)).toMatchObject({ reply: { result: { text: BULK } }, large: undefined });
  });

  test("a large error keeps its code", async () => {
    const { call } = await http(asJson(failed));
    const { reply, large } = await call();
    expect(reply).toEqual({ kind: "error", error: { code: -32000, message: "no" } });
    expect(large).toContain(BULK);
  });

  test("what comes before it is passed on, a large notification is not", async () => {
    const script = asStream(
      progress,
      (id) => progress(id, BULK),
      progress,
      (id) => answer(id),
    );
    const { call, recording } = await http(script);
    expect((await call()).large).toContain(BULK);
    expect(recording.notifications).toHaveLength(2);
    expect(recording.violations).toEqual([expect.stringMatching(/^notifications\/progress of \d+ bytes$/u)]);
  });

  test.each([
    ["is no JSON", asJson(() => `{${BULK}`), "UPSTREAM_PROTOCOL"],
    ["has another id", asJson((id) => answer((id ?? 0) + 1)), "UPSTREAM_PROTOCOL"],
    ["names a member twice", asJson((id) => answer(id).replace('"text"', '"content"')), "UPSTREAM_PROTOCOL"],
    ["is over the cap", asStream((id) => answer(id, "ä".repeat(600_000))), "RESULT_TOO_LARGE"],
  ])("one that %s fails the call", async (_name, script, code) => {
    const { call, recording } = await http(script);
    expect(await codeOf(call())).toBe(code);
    expect(recording.violations.length).toBe(code === "UPSTREAM_PROTOCOL" ? 1 : 0);
  });

  test("one that nobody reads fails the call", async () => {
    const stopped = createAnswerPool();
    stopped.dispose();
    const { call } = await http(
      asJson((id) => answer(id)),
      stopped,
    );
    expect(await codeOf(call())).toBe("RESULT_BLOCKED");
  });

  test("an abort while it is read ends the call at once", async () => {
    const gone = new AbortController();
    const { call } = await http(({ body: { id } }, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(answer(id, BULK.repeat(3)), () => gone.abort());
    });
    expect(await codeOf(call(gone.signal))).toBe("EXCHANGE_ABORTED");
  });
});

describe("over a wire that calls share", () => {
  const raw = async (respond: (id: number, count: number) => readonly string[]): Promise<Setup> => {
    let count = 0;
    const server = await startSocketServer({
      onConnection: (socket) => {
        socket.on("message", (data: Buffer) => {
          const { id, method } = JSON.parse(data.toString()) as {
            readonly id: number;
            readonly method: string;
          };
          if (method !== "tools/call") return;
          for (const text of respond(id, (count += 1))) socket.send(text);
        });
      },
    });
    cleanups.push(server.close);
    return caller("websocket", server.url);
  };

  test("a large answer finds its call; a small one that comes later does not wait for it", async () => {
    const { call, recording } = await raw((id, count) => [count === 1 ? answer(id) : answer(id, "small")]);
    const order: string[] = [];
    const large = call().then(({ large: text }) => order.push(text === undefined ? "parsed" : "large"));
    const small = call().then(({ reply }) => order.push(reply.kind === "result" ? "small" : "error"));
    await Promise.all([large, small]);
    expect(order).toEqual(["small", "large"]);
    expect(recording.violations).toEqual([]);
  });

  test("one that nobody can read fails the only call that waits", async () => {
    const { call, recording } = await raw(() => [`{${BULK}`]);
    expect(await codeOf(call())).toBe("UPSTREAM_PROTOCOL");
    expect(recording.violations).toHaveLength(1);
  });

  test("one over the cap of its call fails that call alone", async () => {
    const { call } = await raw((id, count) => [
      count === 1 ? answer(id, BULK.repeat(4)) : answer(id, "small"),
    ]);
    const outcomes = await Promise.all([codeOf(call()), call()]);
    expect(outcomes).toMatchObject(["RESULT_TOO_LARGE", { reply: { kind: "result" } }]);
  });
});
