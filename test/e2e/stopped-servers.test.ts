// What a gateway leaves behind when it ends, whatever ends it: no process of a stdio server, be it as stubborn as it may.
import { spawn } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client as ModernClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as LegacyStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TransportEntry } from "#bundle";
import { GATEWAY_FLAGS, gatewayEntry } from "../../cli/dev/gateway-process.ts";
import { connectLegacy, connectModern } from "./clients.ts";
import type { McpClient } from "./clients.ts";
import { DEVELOPER, createWorldDir, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { startRawHttpServer } from "../unit/upstream/raw-http-server.ts";
import type { RawHttpServer, Script } from "../unit/upstream/raw-http-server.ts";
import { ROOT } from "./start-process.ts";
import { stdioGateway } from "../matrix/stdio-gateway.ts";

const PROGRAM = join(import.meta.dirname, "..", "servers", "stubborn-stdio.ts");
/** `legacy` ends by SIGTERM, `modern` by SIGKILL alone. */
const SERVERS = ["legacy", "modern"] as const;
/** Steps of a stop are 0.5 s and 1 s; the rest is for a busy machine. */
const STOP_MS = 6_000;
const PATIENT = { timeout: 10_000 };

/** Lists one tool, and never answers the end of a session. */
const deaf: Script = ({ method, body }, response) => {
  if (method === "DELETE") return;
  if (method === "GET") return void response.writeHead(405).end();
  if (body.id === undefined) return void response.writeHead(202).end();
  const initialized = {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {} },
    serverInfo: { name: "deaf", version: "1" },
  };
  const results: Readonly<Record<string, object>> = {
    initialize: initialized,
    "tools/list": { tools: [{ name: "say", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: "said" }] },
  };
  const result = results[body.method ?? ""];
  const error = { code: -32_601, message: "no such method" };
  const answer = result === undefined ? { error } : { result };
  response
    .writeHead(200, { "content-type": "application/json", "mcp-session-id": "one" })
    .end(JSON.stringify({ jsonrpc: "2.0", id: body.id, ...answer }));
};

let web: RawHttpServer;
let world: GatewayWorld;
let pidsDir = "";
let isRunning = true;

beforeAll(async () => {
  const dir = await createWorldDir();
  pidsDir = join(dir, "pids");
  await mkdir(pidsDir);
  const args = { legacy: ["legacy", pidsDir], modern: ["modern", pidsDir, "--ignores-sigterm"] };
  const transports: Record<string, TransportEntry> = {};
  const programs = { stubborn: { command: process.execPath, args: [PROGRAM] } };
  const pinned = [];
  for (const id of SERVERS) {
    const transport = { type: "stdio", program: "stubborn", args: args[id] } as const;
    transports[id] = transport;
    pinned.push(await pinLive({ id, transport }, programs, {}, [id]));
  }
  web = await startRawHttpServer(deaf);
  transports["deaf"] = { type: "streamable-http", url: web.url };
  pinned.push(await pinLive({ id: "deaf", transport: transports["deaf"] }, {}, {}, ["legacy"]));
  world = await startGatewayWorld({ dir, workspace: grantingRepository(pinned), transports, programs });
}, 60_000);
afterAll(async () => {
  await world.stop();
  await web.close();
});
afterEach(async () => {
  for (const pid of await living()) process.kill(Number(pid), "SIGKILL");
});
beforeEach(async () => {
  if (!isRunning) await world.restartGateway();
  isRunning = true;
}, 30_000);

/** Those of stubborn servers that still run. What has ended and was not waited for yet does not. */
async function living(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir(pidsDir)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(PROGRAM) && !/\) Z /u.test(stat)) found.push(pid);
  }
  return found;
}

/** Calls that wait at the servers. */
async function waiting(): Promise<number> {
  const files = (await living()).map((pid) => readFile(join(pidsDir, pid), "utf8"));
  return (await Promise.all(files)).join("").length;
}

/** A caller of each era at each server: a session of each caller, of the bridge, of the pins, and a shared process. */
async function callEverything(): Promise<readonly McpClient[]> {
  const clients: McpClient[] = [];
  for (const server of SERVERS) {
    const token = await world.token(DEVELOPER, server);
    for (const connect of [connectLegacy, connectModern]) {
      const client = await connect(world.endpoint(server), token);
      clients.push(client);
      expect((await client.callTool("pid", {})).text).toMatch(/^\d+$/u);
    }
  }
  return clients;
}

async function signalled(signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
  const { child } = world.gateway;
  isRunning = false;
  const startedMs = performance.now();
  child.process.kill(signal);
  const code = await child.ended;
  return { code, tookMs: performance.now() - startedMs };
}

it("pinning leaves nothing behind", async () => {
  expect(await living()).toEqual([]);
});

it("a signal while a server is pinned leaves nothing behind", async () => {
  const repo = join(world.dir, "repo");
  await mkdir(join(repo, "registry", "servers"), { recursive: true });
  const project =
    "apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: p }\nenvironments: [dev]\nroles: [Employee]\n";
  const args = JSON.stringify(["silent", pidsDir, "--ignores-sigterm"]);
  const server = `apiVersion: aegis.dev/v1\nkind: Server\nmetadata: { name: silent, owner: "@acme/test" }\ntransport: { type: stdio, program: stubborn, args: ${args} }\ntier: internal\n`;
  await writeFile(join(repo, "aegis.yaml"), project);
  await writeFile(join(repo, "registry", "servers", "silent.yaml"), server);
  const child = spawn(
    process.execPath,
    [join(ROOT, "cli", "main.ts"), "pin", repo, "--programs", world.gateway.configPath],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString("utf8")));
  await expect.poll(async () => (await living()).length, { ...PATIENT, message: told }).toBeGreaterThan(0);
  child.kill("SIGINT");
  expect(await ended, told).toBe(130);
  await expect.poll(living, { timeout: 2_000 }).toEqual([]);
}, 30_000);

describe("a gateway on a port", () => {
  it("stops its servers before it ends by SIGTERM", async () => {
    const clients = await callEverything();
    expect((await living()).length).toBeGreaterThanOrEqual(SERVERS.length * 2);
    const { code, tookMs } = await signalled("SIGTERM");
    expect(await living()).toEqual([]);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(STOP_MS);
    await Promise.allSettled(clients.map((client) => client.close()));
  }, 60_000);

  it("kills them where a second signal does not wait for what is under way", async () => {
    const clients = await callEverything();
    const unanswered = clients.map((client) => client.callTool("wait", {}));
    await expect.poll(waiting, PATIENT).toBe(clients.length);
    const { process: gateway, ended } = world.gateway.child;
    isRunning = false;
    const drains = (): number => world.log.filter((line) => line.includes('"draining"')).length;
    const before = drains();
    gateway.kill("SIGTERM");
    await expect.poll(drains, PATIENT).toBe(before + 1);
    // What comes twice at once is one: a terminal and a wrapper both pass it on.
    gateway.kill("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(gateway.exitCode).toBeNull();
    expect((await living()).length).toBeGreaterThanOrEqual(SERVERS.length * 2);
    const secondMs = performance.now();
    gateway.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(performance.now() - secondMs).toBeLessThan(2_000);
    await expect.poll(living, { timeout: 2_000 }).toEqual([]);
    await Promise.allSettled([...unanswered, ...clients.map((client) => client.close())]);
  }, 60_000);

  it("waits no longer than its bound for an HTTP server that does not take the end of its sessions", async () => {
    const client = await connectLegacy(world.endpoint("deaf"), await world.token(DEVELOPER, "deaf"));
    expect((await client.callTool("say", {})).text).toBe("said");
    const ends = (): number => web.received.filter(({ method }) => method === "DELETE").length;
    const before = ends();
    const { code, tookMs } = await signalled("SIGTERM");
    expect(code).toBe(0);
    expect(ends()).toBeGreaterThan(before);
    expect(tookMs).toBeLessThan(STOP_MS + 3_000);
    await client.close();
  }, 30_000);

  it("kills them at once on SIGQUIT", async () => {
    const clients = await callEverything();
    const { code, tookMs } = await signalled("SIGQUIT");
    expect(code).toBe(131);
    expect(tookMs).toBeLessThan(2_000);
    await expect.poll(living, { timeout: 2_000 }).toEqual([]);
    await Promise.allSettled(clients.map((client) => client.close()));
  }, 60_000);
});

describe("a local gateway", () => {
  it.each([
    ["legacy", "idle"],
    ["legacy", "busy"],
    ["modern", "idle"],
    ["modern", "busy"],
  ] as const)(
    "leaves nothing of the %s server of a client that closes while it is %s",
    async (server, state) => {
      const token = await world.token(DEVELOPER, server);
      const { command, args, env } = await stdioGateway(world, server, token);
      const inherited = { PATH: process.env["PATH"] ?? "" };
      const transport = new (server === "legacy" ? LegacyStdio : ModernStdio)({
        ...{ command, args: [...args], env: { ...inherited, ...env } },
        stderr: "ignore",
      });
      const client =
        server === "legacy"
          ? new LegacyClient({ name: "local", version: "1" })
          : new ModernClient({ name: "local", version: "1" }, { versionNegotiation: { mode: "auto" } });
      await client.connect(transport as never);
      await client.callTool({ name: "pid", arguments: {} });
      expect((await living()).length).toBeGreaterThan(0);
      const unanswered = state === "busy" ? [client.callTool({ name: "wait", arguments: {} })] : [];
      const settled = Promise.allSettled(unanswered);
      await expect.poll(waiting, PATIENT).toBe(unanswered.length);
      // Ends its input, and sends SIGTERM after two seconds and SIGKILL after four.
      await client.close();
      await expect.poll(living, { timeout: 2_000 }).toEqual([]);
      await settled;
    },
    30_000,
  );

  it.each([
    ["at the end of input", "end", 0],
    ["by SIGTERM", "SIGTERM", 0],
    ["by a fault that nothing catches", "SIGUSR2", 1],
  ] as const)(
    "leaves nothing %s",
    async (_name, how, expected) => {
      const token = await world.token(DEVELOPER, "legacy");
      const { args, env } = await stdioGateway(world, "legacy", token);
      const fault = `data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("a fault")})`;
      const child = spawn(
        process.execPath,
        [...GATEWAY_FLAGS, "--import", fault, ...args.slice(args.indexOf(gatewayEntry()))],
        { env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: ["pipe", "pipe", "ignore"] },
      );
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
      const send = (message: object): void =>
        void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
      const clientInfo = { name: "by-hand", version: "1" };
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
      send({ id: 0, method: "initialize", params });
      await expect.poll(() => output, { timeout: 15_000 }).toContain('"id":0');
      send({ method: "notifications/initialized" });
      send({ id: 1, method: "tools/call", params: { name: "pid", arguments: {} } });
      await expect.poll(() => output, { timeout: 15_000 }).toContain('"id":1');
      expect((await living()).length).toBeGreaterThan(0);
      const startedMs = performance.now();
      if (how === "end") child.stdin.end();
      else child.kill(how);
      expect(await ended).toBe(expected);
      expect(performance.now() - startedMs).toBeLessThan(STOP_MS);
      if (expected === 0) expect(await living()).toEqual([]);
      else await expect.poll(living, { timeout: 2_000 }).toEqual([]);
    },
    30_000,
  );
});
