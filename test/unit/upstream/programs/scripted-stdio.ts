// A stdio MCP server that behaves as its first argument says. Started by tests as a process of its own.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly requestId?: number;
    readonly clientInfo?: { readonly name: string };
    readonly _meta?: { readonly progressToken?: number };
  };
}

const mode = process.argv[2] ?? "echo";
const write = (message: unknown): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const answer = (message: Message, result: unknown): void => write({ jsonrpc: "2.0", id: message.id, result });

process.stderr.write(`started ${mode}\n`);
if (mode === "dies-at-once") process.exit(3);
if (mode === "ignores-signals") process.on("SIGTERM", () => process.stderr.write("not leaving\n"));

const INITIALIZE_RESULT = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "scripted", version: "1" },
};

function onCall(message: Message): void {
  switch (message.params?.name) {
    case "pid":
      return answer(message, { pid: process.pid });
    case "environment":
      return answer(message, { names: Object.keys(process.env).sort(), args: process.argv.slice(2) });
    case "child": {
      const script = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1_000)';
      const child = spawn(process.execPath, ["-e", script], { env: {}, stdio: "ignore" });
      return answer(message, { pid: child.pid });
    }
    case "crash":
      process.exit(9);
      break;
    case "big":
      return answer(message, { text: "x".repeat(200_000) });
    case "huge-line":
      process.stdout.write("x".repeat(17 * 1024 * 1024));
      return;
    case "garbage":
      process.stdout.write("this is not JSON\n\n{}\n");
      return answer(message, { ok: true });
    case "garbage-flood":
      for (let line = 0; line < 100; line++) process.stdout.write(`noise ${String(line)}\n`);
      return;
    case "stderr-flood":
      process.stderr.write("e".repeat(4 * 1024 * 1024), () => answer(message, { ok: true }));
      return;
    case "twice":
      answer(message, { n: 1 });
      return answer(message, { n: 2 });
    case "progress":
      write({
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: message.params._meta?.progressToken, progress: 1 },
      });
      return answer(message, { ok: true });
    case "asks":
      return write({ jsonrpc: "2.0", id: "srv-1", method: "roots/list" });
    case "slow":
      return;
    case "hang":
      // Not even SIGTERM is handled any more.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return;
    default:
      return answer(message, { ok: true });
  }
}

let asked: Message | undefined;
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const message = JSON.parse(line) as Message;
  if (message.method === "ping" || message.method === "server/discover") return answer(message, {});
  if (message.params?.clientInfo?.name.startsWith("deadly") === true) process.exit(3);
  if (message.method === "initialize") return answer(message, INITIALIZE_RESULT);
  if (message.method === "tools/call") {
    if (message.params?.name === "asks") asked = message;
    return onCall(message);
  }
  if (message.method === "notifications/initialized" && mode === "dies-initialized") process.exit(3);
  if (message.method === "notifications/cancelled") {
    return write({
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { data: `cancelled ${String(message.params?.requestId)}` },
    });
  }
  if (message.id === "srv-1" && asked !== undefined) return answer(asked, { roots: line });
});
lines.on("close", () => {
  if (mode !== "ignores-signals") process.exit(0);
  setInterval(() => undefined, 1_000);
});
