import { afterEach, describe, expect, it } from "vitest";
import { initializeRequest, modernMeta } from "../../../e2e/raw-call.ts";
import { BridgeError } from "../../../../cli/connect/bridge-error.ts";
import { bridgeLab, json } from "./bridge-lab.ts";
import type { BridgeLab, Seen } from "./bridge-lab.ts";

const META = modernMeta();
const INITIALIZE = initializeRequest();
const INITIALIZED = { jsonrpc: "2.0", method: "notifications/initialized" };

let lab: BridgeLab;
afterEach(() => lab.stop());

const call = (id: number | string, name: string, args: object = {}): object => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, _meta: META },
});

/** A legacy server: one session at a time, answers by `answer`. */
function legacyServer(answer: (seen: Seen, message: Record<string, unknown>) => void) {
  let sessions = 0;
  const open = new Set<string>();
  return {
    forget: () => open.clear(),
    handle: (seen: Seen, message: Record<string, unknown>): void => {
      const { response, headers, method } = seen;
      if (message["method"] === "initialize") {
        const id = `s${String(++sessions)}`;
        open.add(id);
        const result = {
          protocolVersion: "2025-11-25",
          capabilities: {},
          serverInfo: { name: "s", version: "1" },
        };
        return json(response, { jsonrpc: "2.0", id: message["id"], result }, { "mcp-session-id": id });
      }
      if (!open.has(String(headers["mcp-session-id"]))) return void response.writeHead(404).end();
      if (method === "DELETE" || message["id"] === undefined || message["method"] === undefined) {
        if (method !== "GET") return void response.writeHead(method === "DELETE" ? 200 : 202).end();
      }
      answer(seen, message);
    },
  };
}

async function openLegacy(): Promise<void> {
  lab.write(INITIALIZE);
  expect((await lab.next()).value["id"]).toBe(0);
  lab.write(INITIALIZED);
  await lab.arrived(3);
}

describe("a legacy client", () => {
  it("has a session, a stream of what comes unasked, requests both ways, and an end", async () => {
    const server = legacyServer(({ method, response }, message) => {
      if (method === "GET") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write('id: 1\ndata: {"jsonrpc":"2.0","id":"ask","method":"roots/list"}\n\n');
        return;
      }
      json(response, { jsonrpc: "2.0", id: message["id"], result: {} });
    });
    lab = await bridgeLab(server.handle);
    await openLegacy();
    expect(lab.seen[2]).toMatchObject({
      method: "GET",
      headers: {
        "mcp-session-id": "s1",
        "mcp-protocol-version": "2025-11-25",
        authorization: "Bearer the-token",
      },
    });
    expect((await lab.next()).value).toMatchObject({ id: "ask", method: "roots/list" });
    lab.write({ jsonrpc: "2.0", id: "ask", result: { roots: [] } });
    lab.write({ jsonrpc: "2.0", id: 2, method: "ping" });
    expect((await lab.next()).value["id"]).toBe(2);
    expect(JSON.parse(lab.seen[3]?.body ?? "")).toEqual({ jsonrpc: "2.0", id: "ask", result: { roots: [] } });
    await lab.end();
    expect(lab.seen.at(-1)).toMatchObject({ method: "DELETE", headers: { "mcp-session-id": "s1" } });
  });

  it("gets the rest of a stream that broke off", async () => {
    const server = legacyServer(({ method, response, headers }, message) => {
      if (method === "GET" && headers["last-event-id"] === undefined)
        return void response.writeHead(405).end();
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (method === "GET") {
        response.end(
          `id: 8\ndata: {"jsonrpc":"2.0","id":5,"result":{"after":"${headers["last-event-id"]}"}}\n\n`,
        );
      } else {
        response.write("id: 7\nretry: 100\ndata: \n\n", () => response.socket?.resetAndDestroy());
        expect(message["id"]).toBe(5);
      }
    });
    lab = await bridgeLab(server.handle);
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "slow" } });
    expect((await lab.next()).value).toEqual({ jsonrpc: "2.0", id: 5, result: { after: "7" } });
  });

  it("gets a new session where the server has forgotten its own", async () => {
    const server = legacyServer(({ method, response, headers }, message) => {
      if (method === "GET") return void response.writeHead(405).end();
      json(response, { jsonrpc: "2.0", id: message["id"], result: { in: headers["mcp-session-id"] } });
    });
    lab = await bridgeLab(server.handle);
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "debug" } });
    expect((await lab.next()).value["result"]).toEqual({ in: "s1" });
    server.forget();
    lab.write({ jsonrpc: "2.0", id: 2, method: "tools/list" });
    expect((await lab.next()).value).toEqual({ jsonrpc: "2.0", id: 2, result: { in: "s2" } });
    const levels = lab.seen.filter(({ body }) => body.includes("logging/setLevel"));
    expect(levels.map(({ headers }) => headers["mcp-session-id"])).toEqual(["s1", "s2"]);
    expect(lab.notes).toEqual(["the gateway had ended the session; opened a new one"]);
  });
});

describe("a request that was sent", () => {
  const lost = {
    error: {
      code: 5030,
      data: { code: "CONNECTION_LOST", remedy: expect.stringContaining("may have seen") },
    },
  };

  it("is lost, and not unsent, where the gateway dies behind an open stream", async () => {
    const server = legacyServer(({ method, response }) => {
      if (method === "GET") return void response.writeHead(405).end();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("id: 7\nretry: 100\ndata: \n\n", () => lab.crash());
    });
    lab = await bridgeLab(server.handle);
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "slow" } });
    expect((await lab.next()).value).toMatchObject({ id: 5, ...lost });
    expect(lab.notes.at(-1)).toContain("may have seen the request");
  });

  it("is lost where no login brings its stream back", async () => {
    const server = legacyServer(({ method, response, headers }) => {
      if (headers["last-event-id"] !== undefined) return void response.writeHead(401).end();
      if (method === "GET") return void response.writeHead(405).end();
      response.writeHead(200, { "content-type": "text/event-stream" }).end("id: 7\nretry: 100\ndata: \n\n");
    });
    const renew = () => Promise.reject(new BridgeError("LOGIN_FAILED", "no login", "log in"));
    lab = await bridgeLab(server.handle, { current: () => Promise.resolve("t"), renew });
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "slow" } });
    expect((await lab.next()).value).toMatchObject({ id: 5, ...lost });
  });

  it("is lost where the gateway dies after it asked for another token", async () => {
    lab = await bridgeLab(({ response }) => void response.writeHead(401).end(), {
      current: () => Promise.resolve("t"),
      renew: () => {
        lab.crash();
        return Promise.resolve("refreshed");
      },
    });
    lab.write(call(1, "x"));
    expect((await lab.next()).value).toMatchObject({ id: 1, ...lost });
    expect(lab.seen).toHaveLength(1);
  });

  it("is lost where the gateway dies while its session is opened again", async () => {
    const server = legacyServer(({ response }) => void response.writeHead(405).end());
    let isLate = false;
    lab = await bridgeLab((seen, message) => {
      if (!isLate || message["method"] === "initialize") return server.handle(seen, message);
      seen.response.writeHead(404, { connection: "close" }).end();
      lab.crash();
    });
    await openLegacy();
    isLate = true;
    lab.write({ jsonrpc: "2.0", id: 2, method: "tools/list" });
    expect((await lab.next()).value).toMatchObject({ id: 2, ...lost });
  });

  it("is lost where the gateway dies before the tool list that it asked for", async () => {
    lab = await bridgeLab(({ response }, { id }) => {
      const error = { code: -32020, message: "Header does not agree with body" };
      response.writeHead(400, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, error }), () => lab.crash());
    });
    lab.write(call(1, "run", { region: "eu" }));
    expect((await lab.next()).value).toMatchObject({ id: 1, ...lost });
  });
});

describe("a legacy request that the client has cancelled", () => {
  const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } };

  it.each([200, 400])("has no answer, though the gateway gives one with status %i", async (status) => {
    let answer: () => void = () => undefined;
    const server = legacyServer(({ method, response }, { id, method: name }) => {
      if (method === "GET") return void response.writeHead(405).end();
      if (name === "ping") return json(response, { jsonrpc: "2.0", id, result: {} });
      const error = { code: 4990, message: "Exchange aborted" };
      answer = () =>
        response
          .writeHead(status, { "content-type": "application/json" })
          .end(JSON.stringify({ jsonrpc: "2.0", id, error }));
    });
    lab = await bridgeLab((seen, message) => {
      server.handle(seen, message);
      if (message["method"] === "notifications/cancelled") answer();
    });
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "slow" } });
    await lab.arrived(4);
    lab.write(cancelled);
    await lab.arrived(5);
    lab.write({ jsonrpc: "2.0", id: 3, method: "ping" });
    expect((await lab.next()).value["id"]).toBe(3);
    // Ends only when the cancelled request has been dealt with.
    await lab.end();
    expect(lab.left()).toEqual([]);
  });

  it("is told what is not its answer, and its stream is not asked for again", async () => {
    const stream = Promise.withResolvers<Seen["response"]>();
    const server = legacyServer(({ method, response }) => {
      if (method === "GET") return void response.writeHead(405).end();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("id: 7\nretry: 100\ndata: \n\n", () => stream.resolve(response));
    });
    lab = await bridgeLab(server.handle);
    await openLegacy();
    lab.write({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "slow" } });
    const response = await stream.promise;
    lab.write(cancelled);
    await lab.arrived(5);
    const note = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "end" } };
    response.end(`data: ${JSON.stringify(note)}\n\n`);
    expect((await lab.next()).value).toEqual(note);
    await lab.end();
    expect(lab.left()).toEqual([]);
    expect(lab.seen.filter(({ headers }) => headers["last-event-id"] !== undefined)).toEqual([]);
    expect(lab.notes).toEqual([]);
  });
});

describe("a modern client", () => {
  it("has its headers derived, and its text kept in both directions", async () => {
    lab = await bridgeLab(({ response, body }, message) => {
      const text = `{\n "jsonrpc":"2.0","id":${JSON.stringify(message["id"])},\r\n"result":{"n":9007199254740993,"e":1e400}}`;
      expect(body).toContain("12345678901234567890");
      json(response, text);
    });
    lab.write(
      `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"né","arguments":{"n":12345678901234567890},"_meta":${JSON.stringify(META)}}}`,
    );
    const { text } = await lab.next();
    expect(text).toBe('{  "jsonrpc":"2.0","id":"a",  "result":{"n":9007199254740993,"e":1e400}}');
    expect(lab.seen[0]?.headers).toMatchObject({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "=?base64?bsOp?=",
    });
    expect(lab.seen[0]?.headers["mcp-session-id"]).toBeUndefined();
  });

  it("mirrors arguments of a tool that it never listed", async () => {
    const inputSchema = {
      type: "object",
      properties: { region: { type: "string", "x-mcp-header": "Region" } },
    };
    lab = await bridgeLab(({ response, headers }, { id, method }) => {
      if (method === "tools/list")
        return json(response, { jsonrpc: "2.0", id, result: { tools: [{ name: "run", inputSchema }] } });
      const region = headers["mcp-param-region"];
      if (region !== undefined) return json(response, { jsonrpc: "2.0", id, result: { region } });
      const error = { code: -32020, message: "Header does not agree with body" };
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, error }));
    });
    lab.write(call(1, "run", { region: "eu" }));
    expect((await lab.next()).value["result"]).toEqual({ region: "eu" });
    expect(lab.seen.map(({ body }) => (JSON.parse(body) as { method: string }).method)).toEqual([
      "tools/call",
      "tools/list",
      "tools/call",
    ]);
  });

  it("cancels by ending the stream, and hears no more of it", async () => {
    const closed = Promise.withResolvers<void>();
    lab = await bridgeLab(({ response }, { id, method }) => {
      if (method !== "subscriptions/listen") return json(response, { jsonrpc: "2.0", id, result: {} });
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}\n\n');
      response.once("close", () => closed.resolve());
    });
    lab.write({
      jsonrpc: "2.0",
      id: "L",
      method: "subscriptions/listen",
      params: { notifications: {}, _meta: META },
    });
    expect((await lab.next()).value["method"]).toContain("acknowledged");
    lab.write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "L" } });
    await closed.promise;
    lab.write(call(2, "x"));
    expect((await lab.next()).value["id"]).toBe(2);
    expect(lab.seen).toHaveLength(2);
  });
});

describe("what fails", () => {
  it("is not sent again once it may have left", async () => {
    lab = await bridgeLab(({ response }) => response.socket?.resetAndDestroy());
    lab.write(call(1, "x"));
    expect((await lab.next()).value).toMatchObject({
      id: 1,
      error: { code: 5030, data: { code: "CONNECTION_LOST" } },
    });
    expect(lab.seen).toHaveLength(1);
    expect(lab.notes).toHaveLength(1);
  });

  it("is an answer that ends early, an error without a message, a redirect, a page", async () => {
    const answers: ((seen: Seen) => void)[] = [
      ({ response }) =>
        void response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n"),
      ({ response }) => void response.writeHead(502).end("bad gateway"),
      ({ response }) => void response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
      ({ response }) => void response.writeHead(200, { "content-type": "text/html" }).end("<h1>"),
      ({ response }) => json(response, "{nonsense"),
    ];
    let at = 0;
    lab = await bridgeLab((seen) => answers[at++]?.(seen));
    const codes: unknown[] = [];
    for (const id of answers.keys()) {
      lab.write(call(id, "x"));
      const { value } = await lab.next();
      expect(value["id"]).toBe(id);
      codes.push((value["error"] as { data: { code: string } }).data.code);
    }
    expect(codes).toEqual(["CONNECTION_LOST", ...Array<string>(4).fill("GATEWAY_ANSWER_INVALID")]);
  });

  it("keeps the error of the gateway, whatever its status", async () => {
    lab = await bridgeLab(({ response }, { id }) => {
      const error = { code: -32601, message: "Method not found", data: { big: 1 } };
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: id === 1 ? 1 : null, error }));
    });
    for (const id of [1, 2]) {
      lab.write(call(id, "x"));
      expect((await lab.next()).value).toMatchObject({ id, error: { code: -32601, data: { big: 1 } } });
    }
  });

  it("is an endpoint that does not exist: the gateway's error, and on standard error what to do", async () => {
    lab = await bridgeLab(({ response }, { id }) => {
      const error = { code: -32600, message: "No such endpoint", data: { code: "ROUTE_NOT_FOUND" } };
      response.writeHead(404, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, error }));
    });
    lab.write(INITIALIZE);
    expect((await lab.next()).value).toMatchObject({ id: 0, error: { message: "No such endpoint" } });
    lab.write(call(1, "x"));
    expect((await lab.next()).value).toMatchObject({ id: 1, error: { message: "No such endpoint" } });
    expect(lab.notes).toEqual(
      ["initialize", "tools/call"].map(
        (method) => `${method}: nothing is served at ${lab.url.href}; check the path of the URL`,
      ),
    );
  });

  it("is a line that is no message, and the next one is taken", async () => {
    lab = await bridgeLab(({ response }, { id }) => json(response, { jsonrpc: "2.0", id, result: {} }));
    const wrong = ["{", "[1", '"text"', '{"jsonrpc":"2.0","id":null,"method":"x"}', '{"a":1,"a":2}'];
    for (const line of wrong) {
      lab.write(line);
      expect((await lab.next()).value).toMatchObject({ id: null });
    }
    lab.write(call(1, "x"));
    expect((await lab.next()).value["id"]).toBe(1);
    expect(lab.notes).toHaveLength(wrong.length);
  });

  it("is not the end: what is under way when the input ends is answered", async () => {
    let release: () => void = () => undefined;
    lab = await bridgeLab(({ response }, { id }) => {
      release = () => json(response, { jsonrpc: "2.0", id, result: { late: true } });
    });
    lab.write(call(1, "slow"));
    await lab.arrived(1);
    const ended = lab.end();
    release();
    expect((await lab.next()).value["result"]).toEqual({ late: true });
    await ended;
  });
});
