// `aegis-gateway --stdio` as a local MCP server: real clients of both SDKs, and what is on the two streams byte by byte.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client as ModernClient } from "@modelcontextprotocol/client";
import { StdioClientTransport as ModernStdio } from "@modelcontextprotocol/client/stdio";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as LegacyStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { compileCache } from "../compile-cache.ts";
import { readAuditRecords } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import type { Caller } from "./gateway-world.ts";
import { initializeRequest, modernMeta } from "./raw-call.ts";
import { ROOT } from "./start-process.ts";

const ROUTE = "/echo/mcp";
const INITIALIZE = initializeRequest("2025-03-26");

let world: EchoWorld;
let tokenFile = "";
let started = 0;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  world = await startEchoWorld();
  tokenFile = join(world.dir, "token");
}, 60_000);
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await setToken(DEVELOPER);
});
afterAll(() => world.stop());

async function setToken(caller: Caller, seconds?: number): Promise<void> {
  const token = await world.issuer.mint({
    subject: caller.subject,
    audience: world.endpoint("echo").href,
    claims: { roles: [...caller.roles], is_external: false },
    ...(seconds === undefined ? {} : { expiresInSeconds: seconds }),
  });
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
}

/** Arguments of a gateway of its own, with its own state. */
async function configured(stdio: unknown): Promise<{ readonly args: string[]; readonly auditDir: string }> {
  started += 1;
  const name = `local-${String(started)}`;
  const config = JSON.parse(await readFile(world.gateway.configPath, "utf8")) as Record<string, unknown>;
  const auditDir = join(world.dir, `${name}-audit`);
  Object.assign(config, { stateDir: join(world.dir, `${name}-state`), audit: { dir: auditDir } });
  if (stdio !== undefined) config["stdio"] = stdio;
  const path = join(world.dir, `${name}.json`);
  await writeFile(path, JSON.stringify(config));
  return { args: [join(ROOT, "runtime/main.ts"), "--config", path, "--stdio", "--route", ROUTE], auditDir };
}

interface LocalProcess {
  readonly child: ChildProcess;
  readonly messages: Record<string, unknown>[];
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
  readonly send: (message: unknown) => void;
}

function launch(args: readonly string[], env: Readonly<Record<string, string>> = {}): LocalProcess {
  const inherited = { PATH: process.env["PATH"] ?? "", ...compileCache() };
  const child = spawn(process.execPath, args, { env: { ...inherited, ...env } });
  children.add(child);
  const messages: Record<string, unknown>[] = [];
  let stderr = "";
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    // Anything on standard output that is no message fails here.
    for (const line of lines) messages.push(JSON.parse(line) as Record<string, unknown>);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  return {
    child,
    messages,
    stderr: () => stderr,
    ended: new Promise((resolve) => child.once("close", resolve)),
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
  };
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 15_000, interval: 20 }).toBe(true);
}

describe("a local server", () => {
  it("serves the 1.x and the 2.x client as the principal of the token", async () => {
    await setToken(DEVELOPER);
    const texts: string[] = [];
    for (const connect of [connectLegacy, connectModern]) {
      const { args, auditDir } = await configured({ token: `file:${tokenFile}` });
      const client = await connect(args);
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain("echo");
      texts.push(JSON.stringify(await client.callTool({ name: "echo", arguments: { text: "local" } })));
      await client.close();
      const records = await readAuditRecords(auditDir);
      const call = records.find(({ body }) => body["method"] === "tools/call");
      expect(call?.body).toMatchObject({ effect: "allow", principal: { subject: DEVELOPER.subject } });
      expect(records.some(({ body }) => body["stage"] === "open-connection")).toBe(true);
    }
    for (const text of texts) expect(text).toContain("local");
  }, 60_000);

  it("takes pipelined messages, answers what is under way at the end of input, and ends with 0", async () => {
    const { args } = await configured({ token: "env:LOCAL_TOKEN" });
    const local = launch(args, { LOCAL_TOKEN: await world.token(DEVELOPER, "echo") });
    local.send(INITIALIZE);
    local.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    const call = (id: number, name: string, args_: object): object => ({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name, arguments: args_ },
    });
    local.send(call(1, "wait", { ms: 300 }));
    // A batch, because the session is of 2025-03-26.
    local.send([call(2, "echo", { text: "two" }), { jsonrpc: "2.0", id: 3, method: "ping" }]);
    local.child.stdin?.write(`${"x".repeat(1_100_000)}\n`);
    local.child.stdin?.end(JSON.stringify({ jsonrpc: "2.0", id: 4, method: "ping" }));
    expect(await local.ended).toBe(0);
    const ids = local.messages.map((message) => (Array.isArray(message) ? "batch" : message["id"]));
    expect(ids.map(String).sort()).toEqual(["0", "1", "4", "batch", "null"]);
    const batch = local.messages.find((message) => Array.isArray(message)) as unknown as { id: number }[];
    expect(batch.map(({ id }) => id).sort()).toEqual([2, 3]);
    expect(local.messages.find(({ id }) => id === null)).toMatchObject({ error: { code: -32600 } });
  }, 30_000);

  it("does not wait for a subscription at the end of input", async () => {
    const { args } = await configured({ token: "env:LOCAL_TOKEN" });
    const local = launch(args, { LOCAL_TOKEN: await world.token(DEVELOPER, "echo") });
    const listen = {
      ...{ jsonrpc: "2.0", id: "L", method: "subscriptions/listen" },
      params: { notifications: { toolsListChanged: true }, _meta: modernMeta() },
    };
    local.child.stdin?.end(`${JSON.stringify(listen)}\n`);
    expect(await local.ended).toBe(0);
    expect(local.messages[0]).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
  }, 30_000);

  it("takes up a renewed token, and refuses messages while there is none", async () => {
    await setToken(DEVELOPER);
    const { args } = await configured({ token: `file:${tokenFile}` });
    const local = launch(args);
    const ask = async (id: number): Promise<Record<string, unknown>> => {
      local.send({
        jsonrpc: "2.0",
        id,
        method: "tools/list",
        params: { _meta: modernMeta() },
      });
      await until(() => local.messages.some((message) => message["id"] === id));
      return local.messages.find((message) => message["id"] === id) ?? {};
    };
    expect(await ask(1)).toMatchObject({ result: { tools: [{}, {}, {}] } });
    await writeFile(tokenFile, "");
    expect(await ask(2)).toMatchObject({ error: { data: { code: "AUTHN_TOKEN_MISSING" } } });
    await setToken(DEVELOPER, -60);
    expect(await ask(3)).toMatchObject({ error: { data: { code: "AUTHN_TOKEN_EXPIRED" } } });
    await chmod(tokenFile, 0o644);
    await setToken(DEVELOPER);
    expect(await ask(35)).toMatchObject({ error: { data: { code: "AUTHN_TOKEN_MISSING" } } });
    expect(local.stderr()).toContain("can be read or written by other users; run chmod 600");
    await chmod(tokenFile, 0o600);
    await setToken(EMPLOYEE);
    expect(await ask(4)).toMatchObject({ result: { tools: [] } });
    await setToken(DEVELOPER);
    expect(await ask(5)).toMatchObject({ result: { tools: [{}, {}, {}] } });
    local.child.kill("SIGTERM");
    expect(await local.ended).toBe(0);
  }, 30_000);

  it("answers no notification, not even one that it refuses", async () => {
    await setToken(DEVELOPER);
    const { args, auditDir } = await configured({ token: `file:${tokenFile}` });
    const local = launch(args);
    local.send(INITIALIZE);
    await until(() => local.messages.length === 1);
    await writeFile(tokenFile, "");
    local.send({ jsonrpc: "2.0", method: "notifications/roots/list_changed" });
    local.send({ jsonrpc: "2.0", id: 1, method: "ping" });
    local.child.stdin?.end();
    expect(await local.ended).toBe(0);
    expect(local.messages.slice(1)).toMatchObject([
      { id: 1, error: { data: { code: "AUTHN_TOKEN_MISSING" } } },
    ]);
    const refused = (await readAuditRecords(auditDir)).filter((record) =>
      JSON.stringify(record).includes("AUTHN_TOKEN_MISSING"),
    );
    expect(refused).toHaveLength(2);
  }, 30_000);

  it("is the same when the command line starts it", async () => {
    await setToken(DEVELOPER);
    const { args } = await configured({ token: `file:${tokenFile}` });
    const command = [join(ROOT, "cli/main.ts"), "gateway", ...args.slice(1)];
    const local = launch(command);
    local.send(INITIALIZE);
    await until(() => local.messages.length === 1);
    expect(local.messages[0]).toMatchObject({ id: 0, result: { protocolVersion: "2025-03-26" } });
    local.child.stdin?.end(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })}\n`);
    expect(await local.ended, local.stderr()).toBe(0);
    expect(local.messages[1]).toMatchObject({ id: 1, result: { tools: [{}, {}, {}] } });
    const signalled = launch(command);
    signalled.send(INITIALIZE);
    await until(() => signalled.messages.length === 1);
    signalled.child.kill("SIGTERM");
    expect(await signalled.ended).toBe(0);
    const withoutRoute = launch(command.slice(0, -2));
    expect(await withoutRoute.ended).toBe(1);
    expect(withoutRoute.stderr()).toContain("--stdio needs --route");
    expect(withoutRoute.messages).toEqual([]);
  }, 60_000);

  it.each([
    ["no stdio in the configuration", undefined, {}, 'no token: set "stdio"'],
    [
      "an unset variable",
      { token: "env:LOCAL_TOKEN" },
      {},
      "the environment variable LOCAL_TOKEN holds none",
    ],
    ["no file", { token: "file:/nowhere/token" }, {}, "the file /nowhere/token holds none"],
    ["a token that is none", { token: "env:LOCAL_TOKEN" }, { LOCAL_TOKEN: "x" }, "(AUTHN_TOKEN_INVALID)"],
    ["a token in the file itself", { token: "eyJhbGciOi" }, {}, "never the token itself"],
  ] as const)(
    "does not start with %s",
    async (_name, stdio, env, message) => {
      const { args } = await configured(stdio);
      const local = launch(args, env);
      expect(await local.ended).toBe(1);
      expect(local.stderr()).toContain(message);
      expect(local.messages).toEqual([]);
    },
    30_000,
  );

  it("does not start with a token file that others can read", async () => {
    await setToken(DEVELOPER);
    await chmod(tokenFile, 0o644);
    const { args } = await configured({ token: `file:${tokenFile}` });
    const local = launch(args);
    expect(await local.ended).toBe(1);
    expect(local.stderr()).toBe(
      `aegis-gateway: stdio.token: ${tokenFile} can be read or written by other users; run chmod 600 on it\n`,
    );
    await chmod(tokenFile, 0o600);
  }, 30_000);

  it("does not start without a route, or at one that is not there", async () => {
    const { args } = await configured({ token: "env:LOCAL_TOKEN" });
    const env = { LOCAL_TOKEN: await world.token(DEVELOPER, "echo") };
    const without = launch(args.slice(0, -2), env);
    expect(await without.ended).toBe(1);
    expect(without.stderr()).toContain("--stdio needs --route");
    const elsewhere = launch([...args.slice(0, -1), "/nothing"], env);
    expect(await elsewhere.ended).toBe(1);
    expect(elsewhere.stderr()).toContain("ROUTE_NOT_FOUND");
  }, 30_000);
});

interface AnyClient {
  readonly listTools: () => Promise<{ tools: { name: string }[] }>;
  readonly callTool: (call: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

async function connectLegacy(args: string[]): Promise<AnyClient> {
  const client = new LegacyClient({ name: "aegis-test", version: "1.0.0" });
  await client.connect(
    new LegacyStdio({ command: process.execPath, args, env: compileCache(), stderr: "ignore" }),
  );
  return client as unknown as AnyClient;
}

async function connectModern(args: string[]): Promise<AnyClient> {
  const client = new ModernClient(
    { name: "aegis-test", version: "1.0.0" },
    { versionNegotiation: { mode: "auto" } },
  );
  await client.connect(
    new ModernStdio({ command: process.execPath, args, env: compileCache(), stderr: "ignore" }),
  );
  return client as unknown as AnyClient;
}
