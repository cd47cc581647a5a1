// pin at its limits: definitions nobody can review, bytes that are no text, and what a terminal and a pipe are shown.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSocketServer, startSseServer, startWebSocketServer } from "../../servers/sdk-servers.ts";
import type { Definitions } from "../../servers/sdk-servers.ts";
import { startRawHttpServer } from "../upstream/raw-http-server.ts";
import { ROOT, createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

const CLEAR = "\r\u001b[2K";
let desk: Desk;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(() => {
  desk = createDesk("empty");
  mkdirSync(desk.path("repo/registry/servers"), { recursive: true });
  writeFileSync(desk.path("repo/aegis.yaml"), "apiVersion: aegis.dev/v1\nmetadata: { name: desk }\n");
});
afterAll(async () => {
  await Promise.all(closers.map((close) => close()));
  desk.remove();
});

async function declare(
  id: string,
  type: "sse" | "websocket",
  server: Promise<{ readonly url: string; readonly close: () => Promise<unknown> }>,
): Promise<void> {
  const { url, close } = await server;
  closers.push(close);
  const text = `metadata: { name: ${id} }\ntransport: { type: ${type}, url: "${url}" }\n`;
  writeFileSync(desk.path(`repo/registry/servers/${id}.yaml`), text);
}

const pin = (...more: string[]) => desk.run("pin", "repo", ...more, "--timeout", "5");
const isPinned = (id: string): boolean => existsSync(desk.path(`repo/registry/pins/${id}.json`));
const oneTool = (description: string, inputSchema: object = {}): Definitions => ({
  tools: [{ name: "tool", description, inputSchema: { type: "object", ...inputSchema } }],
});

function nested(depth: number): object {
  let schema: object = { type: "string" };
  for (let level = 0; level < depth; level += 2) schema = { properties: { a: schema } };
  return schema;
}

const START = { sse: startSseServer, websocket: startWebSocketServer } as const;

describe.each(["sse", "websocket"] as const)("over %s", (type) => {
  it("a description of 5 MB is refused, and nothing of it is shown", async () => {
    const id = `long-${type}`;
    await declare(id, type, START[type](oneTool(`Start. ${"long ".repeat(1_000_000)}`)));
    const { code, out, err } = await pin(id);
    expect(code).toBe(1);
    expect(out).toMatch(/FAILED: /u);
    expect((out + err).length).toBeLessThan(2_000);
    expect(isPinned(id)).toBe(false);
  });

  it.each([
    [100, false],
    [40, true],
  ])("a schema nested %i deep: pinned %s", async (depth, pinned) => {
    const id = `deep-${type}-${String(depth)}`;
    await declare(id, type, START[type](oneTool("Deep.", nested(depth))));
    const { code, out } = await pin(id);
    if (!pinned) expect(out).toContain("nest");
    expect([code, isPinned(id)]).toEqual([pinned ? 0 : 1, pinned]);
  });
});

const INVALID = Buffer.concat([
  Buffer.from(
    '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":',
  ),
  Buffer.from('{"name":"'),
  Buffer.from([0xc3, 0x28, 0xff]),
  Buffer.from('","version":"1"}}}'),
]);

it.each([
  [
    "sse",
    () => {
      let stream: ServerResponse | undefined;
      return startRawHttpServer(({ method }, response) => {
        if (method === "GET") {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write("event: endpoint\ndata: /messages\n\n");
          stream = response;
          return;
        }
        response.writeHead(202).end();
        stream?.write(Buffer.concat([Buffer.from("data: "), INVALID, Buffer.from("\n\n")]));
      });
    },
  ],
  [
    "websocket",
    () =>
      startSocketServer({
        onConnection: (socket) => socket.on("message", () => socket.send(INVALID, { binary: false })),
      }),
  ],
] as const)(
  "bytes that are no UTF-8 over %s: nothing is pinned",
  async (type, start) => {
    const id = `bytes-${type}`;
    await declare(id, type, start());
    const { code, out } = await pin(id);
    expect(code).toBe(1);
    expect(out).toMatch(/FAILED: /u);
    expect(isPinned(id)).toBe(false);
  },
  30_000,
);

it("a pipe gets one short line for each server", async () => {
  await declare("plain", "websocket", startWebSocketServer());
  const { code, err } = await pin("plain");
  expect({ code, err }).toEqual({ code: 0, err: "plain: legacy (5 definitions), modern not spoken\n" });
});

it("a terminal gets one line that is written over and then removed", async () => {
  await declare("screen", "websocket", startWebSocketServer());
  const command = `'${process.execPath}' '${join(ROOT, "cli/bin/aegis.js")}' pin repo screen`;
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    cwd: desk.dir,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  const shown = Buffer.concat(chunks).toString("utf8");
  expect({ code, pinned: isPinned("screen"), shown }).toMatchObject({ code: 0, pinned: true });
  const [before, ...lines] = shown.split(CLEAR);
  const report = lines.pop() ?? "";
  expect(before).toBe("");
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(line).toMatch(/^pinning 1\/1 {2}screen: [^\r\n]{1,60}$/u);
  expect(report).toContain("screen");
  expect(report).toContain("pinned, ");
  expect(readFileSync(desk.path("repo/registry/pins/screen.json"), "utf8")).toContain('"add"');
}, 30_000);
