// Connections that run out of time: when each of them is ended, what it is told, and that many of them hold nobody up.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, it } from "vitest";
import { openTlsMaterial, startHttpListener } from "../../../runtime/listener/index.ts";
import type { HttpListener, ListenerLimits } from "../../../runtime/listener/index.ts";
import type { TlsMaterial } from "../../../runtime/listener/tls-material.ts";
import { createPacedClosing } from "../../../runtime/listener/paced-closing.ts";

const listeners: HttpListener[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(listeners.splice(0).map((listener) => listener.close(0)));
});

async function start(limits: Partial<ListenerLimits>, tls?: TlsMaterial): Promise<HttpListener> {
  const listener = await startHttpListener({
    host: "127.0.0.1",
    port: 0,
    handle: (inbound) => Promise.resolve(inbound.reply.json(200, "{}")),
    limits,
    ...(tls === undefined ? {} : { tls }),
  });
  listeners.push(listener);
  return listener;
}

function keep<S extends Socket>(socket: S): S {
  sockets.push(socket);
  socket.on("error", () => undefined);
  return socket;
}

async function open(listener: HttpListener): Promise<Socket> {
  const socket = keep(connect(listener.port, "127.0.0.1"));
  await once(socket, "connect");
  return socket;
}

async function untilClosed(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  if (!socket.closed) await once(socket, "close");
  return text;
}

/** The most connections that were ended in one turn of the event loop, until none was left. */
async function mostInOneTurn(listener: HttpListener): Promise<number> {
  let most = 0;
  for (let before = listener.connectionCount(); before > 0;) {
    await turn();
    const now = listener.connectionCount();
    most = Math.max(most, before - now);
    before = now;
  }
  return most;
}

const MANY = 300;
/** Of 300 that are all at once where nothing holds them back; a slice is 8, and turns are not counted exactly. */
const FEW = 40;
const REQUEST = "GET /m HTTP/1.1\r\nHost: a\r\n\r\n";

it("ends connections that were idle for too long a few at a time", async () => {
  const listener = await start({ keepAliveMs: 300 });
  const held = await Promise.all(Array.from({ length: MANY }, () => open(listener)));
  const answered = held.map((socket) => once(socket, "data"));
  for (const socket of held) socket.write(REQUEST);
  await Promise.all(answered);
  expect(await mostInOneTurn(listener)).toBeLessThan(FEW);
});

it("ends connections whose first request is late a few at a time, without a word to those that sent none", async () => {
  const listener = await start({ headersTimeoutMs: 500, firstRequestCheckMs: 20 });
  const held = await Promise.all(Array.from({ length: MANY }, () => open(listener)));
  for (const socket of held.slice(MANY / 2)) socket.write("GET /m HTTP/1.1\r\nX-");
  const heard = held.map(untilClosed);
  expect(await mostInOneTurn(listener)).toBeLessThan(FEW);
  const texts = await Promise.all(heard);
  expect(new Set(texts.slice(0, MANY / 2))).toEqual(new Set([""]));
  for (const text of texts.slice(MANY / 2)) expect(text).toMatch(/^HTTP\/1\.1 408 /u);
});

it("ends connections whose clients leave in the middle of a request a few at a time", async () => {
  const listener = await start({});
  const held = await Promise.all(Array.from({ length: MANY }, () => open(listener)));
  for (const socket of held) socket.write("GET /m HTTP/1.1\r\nX-");
  const heard = held.map(untilClosed);
  for (const socket of held) socket.end();
  expect(await mostInOneTurn(listener)).toBeLessThan(FEW);
  for (const text of await Promise.all(heard)) expect(text).toMatch(/^HTTP\/1\.1 400 /u);
});

it("counts the time of a first request from the opening of its connection", async () => {
  const listener = await start({ headersTimeoutMs: 1_000, firstRequestCheckMs: 10 });
  const socket = await open(listener);
  const openedMs = performance.now();
  setTimeout(() => socket.write("GET /m HTTP/1.1\r\nX-"), 800);
  expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 408 /u);
  expect(performance.now() - openedMs).toBeLessThan(1_750);
});

it("leaves a connection alone once it has been used", async () => {
  const listener = await start({ headersTimeoutMs: 200, firstRequestCheckMs: 10 });
  const socket = await open(listener);
  const first = once(socket, "data");
  socket.write(REQUEST);
  await first;
  const other = await open(listener);
  await untilClosed(other);
  const second = once(socket, "data");
  socket.write(REQUEST);
  expect(String(await second)).toContain("200 OK");
});

it("ends what is late over TLS: within the handshake without a word, after it with an answer", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aegis-late-"));
  try {
    const files = { cert: join(dir, "a.crt"), key: join(dir, "a.key"), minVersion: "TLSv1.2" } as const;
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const out = ["-keyout", files.key, "-out", files.cert, "-subj", "/CN=a"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...out], { stdio: "ignore" });
    const limits = { headersTimeoutMs: 300, firstRequestCheckMs: 10 };
    const listener = await start(limits, await openTlsMaterial(files, Date.now));
    expect(await untilClosed(await open(listener))).toBe("");
    const secure = keep(connectTls({ host: "127.0.0.1", port: listener.port, rejectUnauthorized: false }));
    await once(secure, "secureConnect");
    secure.write("GET /m HTTP/1.1\r\nX-");
    expect(await untilClosed(secure)).toMatch(/^HTTP\/1\.1 408 /u);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

it("spares an idle connection that is used before its turn, never one that was too slow", () => {
  const ended: unknown[] = [];
  const closing = createPacedClosing((socket) => void ended.push(socket));
  const [idle, slow, unknown] = [new PassThrough(), new PassThrough(), new PassThrough()];
  closing.add(idle, "idle");
  closing.add(slow, "slow");
  expect(closing.use(idle)).toBe(true);
  expect(closing.use(unknown)).toBe(true);
  expect(closing.use(slow)).toBe(false);
  expect(ended).toEqual([slow]);
  expect(idle.destroyed).toBe(false);
});
