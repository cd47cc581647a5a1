// Holds connections open in a process of its own: sessions with an open stream each, connections that do nothing, and
// connections that write a byte of a header now and then. Writes one JSON line when all are open and holds them until its
// standard input ends. Argument: a HoldTarget as JSON.
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { constants, setPriority } from "node:os";
import type { HoldReport, HoldTarget } from "./hold-target.ts";

/** The listener takes so many connections of one address; all of 127.0.0.0/8 is loopback. */
const PER_ADDRESS = 1_000;
const OPENERS = 32;
const DRIBBLE_MS = 5_000;

// Clients of this kind are elsewhere: what they cost must not be taken from the client that is measured.
setPriority(constants.priority.PRIORITY_LOW);

const target = JSON.parse(process.argv[2] ?? "{}") as HoldTarget;
const url = new URL(target.url);
let connections = 0;
let reopened = 0;

const nextAddress = (): string => `127.0.0.${String(2 + Math.floor(connections++ / PER_ADDRESS))}`;

function send(
  method: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
  body?: string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const accept = method === "GET" ? "text/event-stream" : "application/json, text/event-stream";
    const sent = request(url, { method, agent, headers: { ...target.headers, accept, ...headers } }, resolve);
    sent.once("error", reject);
    sent.end(body);
  });
}

/** One session and its stream, on a connection of its own. */
async function openSession(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: nextAddress() } as object);
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "bench", version: "1" },
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const opened = await send("POST", { "content-type": "application/json" }, agent, body);
  opened.resume();
  await new Promise((resolve) => opened.once("end", resolve));
  const session = opened.headers["mcp-session-id"];
  if (typeof session !== "string")
    throw new Error(`initialize was answered with ${String(opened.statusCode)}`);
  const stream = await send("GET", { "mcp-session-id": session }, agent);
  if (stream.statusCode !== 200) throw new Error(`a stream was answered with ${String(stream.statusCode)}`);
  stream.on("error", () => undefined);
  stream.resume();
}

function connect(localAddress: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: url.hostname, port: Number(url.port), localAddress });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject).on("error", () => undefined);
      resolve(socket);
    });
  });
}

/** The gateway cuts it after its header timeout; a new one takes its place, from the same address. */
async function keepOpen(localAddress: string, use: (socket: Socket) => void): Promise<void> {
  const socket = await connect(localAddress);
  socket.resume();
  socket.once("close", () => {
    reopened += 1;
    keepOpen(localAddress, use).catch(() => undefined);
  });
  use(socket);
}

async function openIdle(): Promise<void> {
  await keepOpen(nextAddress(), () => undefined);
}

async function openSlow(): Promise<void> {
  await keepOpen(nextAddress(), (socket) => {
    socket.write(`POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nX-Slow: `);
    const dribble = setInterval(() => socket.write("x"), DRIBBLE_MS);
    socket.once("close", () => clearInterval(dribble));
  });
}

async function openMany(count: number, open: () => Promise<void>): Promise<void> {
  let left = count;
  const opener = async (): Promise<void> => {
    while (left-- > 0) await open();
  };
  await Promise.all(Array.from({ length: OPENERS }, opener));
}

await openMany(target.sessions, openSession);
await openMany(target.idle, openIdle);
await openMany(target.slow, openSlow);
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  const report: HoldReport = { reopened };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exit(0);
});
