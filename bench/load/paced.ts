// Load process: a constant rate over keep-alive connections, latency measured from when a request was due. Autocannon
// limits a rate by sending a second's worth at once and then pausing, which measures bursts and not half load.
// Usage: node paced.ts '<LoadTarget JSON>'.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { quantile } from "../statistics.ts";
import type { LoadReport, LoadTarget } from "./target.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const RESULT_MARK = Buffer.from('"result"');
const TICK_MS = 1;
/** After the last request was due. */
const DRAIN_MS = 2_000;

class Connection {
  readonly #socket: Socket;
  readonly #onAnswer: (connection: Connection, sinceMs: number, ok: boolean) => void;
  #received: Buffer = Buffer.alloc(0);
  #sinceMs: number | undefined;

  constructor(socket: Socket, onAnswer: (connection: Connection, sinceMs: number, ok: boolean) => void) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", () => this.#broke());
    socket.on("close", () => this.#broke());
  }

  send(request: Buffer, dueMs: number): void {
    this.#sinceMs = dueMs;
    this.#socket.write(request);
  }

  destroy(): void {
    this.#sinceMs = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? "0");
    const end = headEnd + HEAD_END.length + length;
    if (this.#received.length < end) return;
    const body = this.#received.subarray(headEnd + HEAD_END.length, end);
    this.#received = this.#received.subarray(end);
    const sinceMs = this.#sinceMs;
    this.#sinceMs = undefined;
    if (sinceMs !== undefined)
      this.#onAnswer(this, sinceMs, head.startsWith("HTTP/1.1 200") && body.includes(RESULT_MARK));
  }

  #broke(): void {
    const sinceMs = this.#sinceMs;
    this.#sinceMs = undefined;
    if (sinceMs !== undefined) this.#onAnswer(this, sinceMs, false);
  }
}

function requestBytes(target: LoadTarget): Buffer {
  const url = new URL(target.url);
  const headers = Object.entries(target.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(target.body);
  return Buffer.from(
    `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\n${headers.join("")}content-length: ${String(length)}\r\n\r\n${target.body}`,
  );
}

function open(
  target: LoadTarget,
  onAnswer: ConstructorParameters<typeof Connection>[1],
): Promise<Connection> {
  const url = new URL(target.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => resolve(new Connection(socket, onAnswer)));
  });
}

async function run(target: LoadTarget, ratePerSecond: number): Promise<LoadReport> {
  const request = requestBytes(target);
  const latencies: number[] = [];
  const lateness: number[] = [];
  const due: number[] = [];
  const idle: Connection[] = [];
  let counting = false;
  let failed = 0;
  let underWay = 0;
  const next = (connection: Connection): void => {
    const dueMs = due.shift();
    if (dueMs === undefined) idle.push(connection);
    else connection.send(request, dueMs);
  };
  const onAnswer = (connection: Connection, dueMs: number, ok: boolean): void => {
    underWay--;
    if (!ok) failed++;
    else if (counting && dueMs >= countFromMs) latencies.push(performance.now() - dueMs);
    next(connection);
  };
  const connections = await Promise.all(
    Array.from({ length: target.connections }, () => open(target, onAnswer)),
  );
  idle.push(...connections);
  const startMs = performance.now();
  const countFromMs = startMs + target.warmUpMs;
  const endMs = countFromMs + target.durationMs;
  let started = 0;
  let expectedTickMs = startMs;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const nowMs = performance.now();
      counting = nowMs >= countFromMs;
      if (counting) lateness.push(Math.max(0, nowMs - expectedTickMs));
      const untilMs = Math.min(nowMs, endMs);
      const wanted = Math.floor(((untilMs - startMs) / 1_000) * ratePerSecond);
      for (; started < wanted; started++) {
        underWay++;
        const connection = idle.shift();
        if (connection === undefined) due.push(nowMs);
        else connection.send(request, nowMs);
      }
      if (nowMs >= endMs && (underWay === 0 || nowMs >= endMs + DRAIN_MS)) return resolve();
      expectedTickMs = nowMs + TICK_MS;
      setTimeout(tick, TICK_MS);
    };
    tick();
  });
  const unanswered = underWay;
  for (const connection of connections) connection.destroy();
  const sorted = Float64Array.from(latencies).sort();
  return {
    answered: sorted.length,
    failed,
    perSecond: sorted.length / (target.durationMs / 1_000),
    latency: {
      p50Ms: quantile(sorted, 0.5),
      p90Ms: quantile(sorted, 0.9),
      p99Ms: quantile(sorted, 0.99),
      p999Ms: quantile(sorted, 0.999),
      maxMs: quantile(sorted, 1),
      unanswered,
      tickLateP99Ms: quantile(Float64Array.from(lateness).sort(), 0.99),
    },
  };
}

const target = JSON.parse(process.argv[2] ?? "") as LoadTarget;
if (target.ratePerSecond === undefined) throw new Error("paced load needs a rate");
process.stdout.write(`${JSON.stringify(await run(target, target.ratePerSecond))}\n`);
