// pin against SDK servers over HTTP+SSE and WebSocket, and against dead, slow, paged and hostile ones: each server
// fails or succeeds alone.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  SAMPLE,
  startSocketServer,
  startSseServer,
  startWebSocketServer,
} from "../../servers/sdk-servers.ts";
import type { Definitions, SdkServer } from "../../servers/sdk-servers.ts";
import { createDesk } from "./cli-fixture.ts";
import type { Desk } from "./cli-fixture.ts";

const TOKEN = "t0p-s3cret-value";
let desk: Desk;
const servers: SdkServer[] = [];

beforeAll(() => {
  desk = createDesk("empty");
  mkdirSync(desk.path("repo/registry/servers"), { recursive: true });
  writeFileSync(desk.path("repo/aegis.yaml"), "apiVersion: aegis.dev/v1\nmetadata: { name: desk }\n");
  writeFileSync(desk.path("secret"), `${TOKEN}\n`);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  desk.remove();
});

async function declare(id: string, server: Promise<SdkServer>, type: string, more = ""): Promise<SdkServer> {
  const started = await server;
  servers.push(started);
  declareUrl(id, started.url, type, more);
  return started;
}

function declareUrl(id: string, url: string, type: string, more = ""): void {
  const text = `metadata: { name: ${id} }\ntransport: { type: ${type}, url: "${url}"${more} }\n`;
  writeFileSync(desk.path(`repo/registry/servers/${id}.yaml`), text);
}

const pin = (...more: string[]) => desk.run("pin", "repo", ...more);
const pinned = (id: string): string => readFileSync(desk.path(`repo/registry/pins/${id}.json`), "utf8");
const pinFiles = (): readonly string[] => readdirSync(desk.path("repo/registry/pins")).sort();
const withTool = (name: string, description: string): Definitions => ({
  tools: [{ name, description, inputSchema: { type: "object" } }],
});

describe("transports", () => {
  it.each([
    ["sse", startSseServer],
    ["websocket", startWebSocketServer],
  ] as const)("%s: everything of the server, with the credential of --credential", async (type, start) => {
    const server = await declare(`over-${type}`, start(), type, ", credential: token, header: X-Api-Key");
    const missing = await pin(`over-${type}`);
    expect(missing.code).toBe(1);
    expect(missing.out).toContain('no credential is configured for "token"');
    const { code, out, err } = await pin(`over-${type}`, "--credential", `token=file:${desk.path("secret")}`);
    expect({ code, err: err.includes(TOKEN), out: out.includes(TOKEN) }).toEqual({
      code: 0,
      err: false,
      out: false,
    });
    expect(out).toMatch(/pinned, .* \(1 prompt, 1 resource, 1 resource-template, 2 tools\)/u);
    expect(server.headers().every((headers) => headers["x-api-key"] === TOKEN)).toBe(true);
    const text = pinned(`over-${type}`);
    expect(text).toContain("Use add for sums.");
    expect(text).not.toContain(TOKEN);
    const check = await pin(`over-${type}`, "--check", "--credential", `token=file:${desk.path("secret")}`);
    expect(check.code).toBe(0);
  });

  it.each([["token=literal-s3cret"], ["token"], ["=env:X"]])(
    "--credential %s is refused, unrepeated",
    async (option) => {
      const { code, err } = await pin("over-sse", "--credential", option);
      expect(code).toBe(1);
      expect(err).toContain("name=env:VARIABLE");
      expect(err).not.toContain("literal-s3cret");
    },
  );
});

describe("where it connects", () => {
  it.each([
    ["sse", startSseServer],
    ["websocket", startWebSocketServer],
  ] as const)("%s: nowhere that a gateway would not", async (type, start) => {
    const id = `guarded-${type}`;
    const server = await declare(id, start(), type);
    const elsewhere = ["--allow-egress", "10.0.0.0/8"];
    const refused = await pin(id, ...elsewhere);
    expect(refused.code).toBe(1);
    expect(refused.out).toContain(`${id}: FAILED: 127.0.0.1: 127.0.0.1 is no public address`);
    expect(refused.out).toContain("help: name it with --allow-egress <network>");
    expect(server.headers()).toEqual([]);
    writeFileSync(
      desk.path("egress.json"),
      JSON.stringify({ programs: {}, egress: { allow: ["127.0.0.0/8"] } }),
    );
    expect((await pin(id, ...elsewhere, "--programs", desk.path("egress.json"))).code).toBe(0);
    expect((await pin(id, "--check", "--allow-egress", "127.0.0.1")).code).toBe(0);
  });

  it.each(["ws://10.255.255.1/mcp", "ws://169.254.169.254/mcp"])("%s is not even tried", async (url) => {
    declareUrl("inside", url, "websocket");
    const { code, out } = await pin("inside");
    expect([code, out.includes("is no public address, and egress.allow does not name it")]).toEqual([
      1,
      true,
    ]);
  });

  it("an entry that is no network is refused", async () => {
    const { code, err } = await pin("inside", "--allow-egress", "10.0.0.0/99");
    expect(code).toBe(1);
    expect(err).toContain("--allow-egress");
  });
});

it("500 tools in pages, beside a dead, a silent and three hostile servers: the good one is pinned", async () => {
  const tools = Array.from({ length: 500 }, (_, index) => ({
    name: `tool_${String(index)}`,
    description: `Tool number ${String(index)} of many.`,
    inputSchema: { type: "object" as const, properties: { id: { type: "string" } } },
  }));
  await declare("big", startWebSocketServer({ tools, pageSize: 17 }), "websocket");
  declareUrl("dead", "ws://127.0.0.1:9/mcp", "websocket");
  await declare("silent", startSocketServer({ onConnection: () => undefined }), "websocket");
  await declare("bad-name", startSseServer(withTool("dеlete", "Cyrillic.")), "sse");
  await declare("huge", startSseServer(withTool("huge", "x".repeat(2_000_000))), "sse");
  await declare("hidden", startWebSocketServer(withTool("quiet", "Adds.\u200b\u{e0041}")), "websocket");
  const { code, out, err } = await pin(
    "big",
    "dead",
    "silent",
    "bad-name",
    "huge",
    "hidden",
    "--timeout",
    "5",
  );
  expect(code).toBe(1);
  expect(out).toMatch(/^big: pinned, .*\(500 tools\)$/mu);
  expect(out).toMatch(/^dead: FAILED: /mu);
  expect(out).toMatch(/^silent: FAILED: not done within 5 s$/mu);
  expect(out).toMatch(/^bad-name: FAILED: tool "dеlete": a tool name is/mu);
  expect(out).toMatch(/^huge: FAILED: tool "huge": the definition has 2\d{6} bytes/mu);
  expect(out).toMatch(/^hidden: REFUSED: tool quiet has hidden characters/mu);
  expect(out).toContain("⟨U+200B⟩⟨U+E0041⟩");
  expect(err).toContain("1 of 6 servers pinned or as pinned; not: bad-name, dead, hidden, huge, silent");
  expect(pinFiles()).toContain("big.json");
  for (const id of ["dead", "silent", "bad-name", "huge", "hidden"])
    expect(pinFiles()).not.toContain(`${id}.json`);
  expect((await pin("big", "--check")).code).toBe(0);
}, 60_000);

it("hidden characters are pinned with --accept-hidden, which the pin file keeps", async () => {
  expect((await pin("hidden", "--accept-hidden")).code).toBe(0);
  expect(JSON.parse(pinned("hidden"))).toMatchObject({ acceptedHidden: ["tool quiet"] });
  expect((await pin("hidden")).code).toBe(0);
  expect((await pin("hidden", "--check")).code).toBe(0);
});

it("a tool that has clients repeat a secret in a header is refused, unless that is what is asked for", async () => {
  const inputSchema = {
    type: "object" as const,
    properties: { password: { type: "string", "x-mcp-header": "Region" } },
  };
  const tools = [{ name: "open", description: "Opens.", inputSchema }];
  await declare("mirroring", startWebSocketServer({ tools }), "websocket");
  const refused = await pin("mirroring");
  expect(refused.code).toBe(1);
  expect(refused.out).toContain(
    "mirroring: REFUSED: tool open has clients repeat what looks like a secret in a header",
  );
  expect(refused.out).toContain("--accept-mirrored-secrets");
  expect(pinFiles()).not.toContain("mirroring.json");
  expect((await pin("mirroring", "--accept-mirrored-secrets")).code).toBe(0);
  expect(JSON.parse(pinned("mirroring"))).toMatchObject({
    acceptedSuspicious: [{ subject: "tool open", rule: "mirrored-secret" }],
  });
  expect((await pin("mirroring")).code).toBe(0);
  const other = { ...inputSchema, properties: { password: { type: "string", "x-mcp-header": "Zone" } } };
  await declare(
    "mirroring",
    startWebSocketServer({ tools: [{ ...tools[0], name: "open", inputSchema: other }] }),
    "websocket",
  );
  const changed = await pin("mirroring");
  expect([changed.code, changed.out.includes("REFUSED")]).toEqual([1, true]);
});

it("pins are not replaced by none, unless that is what is asked for", async () => {
  await declare("fading", startWebSocketServer(SAMPLE), "websocket");
  expect((await pin("fading")).code).toBe(0);
  const before = pinned("fading");
  await declare("fading", startWebSocketServer({ ...SAMPLE, tools: [] }), "websocket");
  const refused = await pin("fading");
  expect(refused.code).toBe(1);
  expect(refused.out).toContain("it shows no tool any more; 2 pins would be lost");
  expect(pinned("fading")).toBe(before);
  expect((await pin("fading", "--check")).code).toBe(7);
  expect((await pin("fading", "--allow-empty")).code).toBe(0);
});

it("drift as text, JSON and Markdown", async () => {
  const tool = (properties: Record<string, object>) => ({
    tools: [{ name: "find", description: "Finds.", inputSchema: { type: "object" as const, properties } }],
  });
  await declare("drifting", startSseServer(tool({ kind: { enum: ["a"] } })), "sse");
  const first = await pin("drifting");
  expect(first.code).toBe(0);
  // There is nothing to weigh it against: a line for each definition.
  expect(first.out.split("\n").slice(1)).toEqual(["  + tool find", ""]);
  await declare("drifting", startSseServer(tool({ kind: { enum: ["a", "b"] } })), "sse");
  const text = await pin("drifting", "--check");
  expect(text.code).toBe(7);
  expect(text.out).toContain('  ~ tool find  widens, legacy only\n      kind: enum widened by "b"\n');
  const json = JSON.parse((await pin("drifting", "--check", "--format", "json")).out) as unknown;
  expect(json).toMatchObject({
    formatVersion: 1,
    servers: [
      {
        server: "drifting",
        status: "differs",
        changes: [{ impact: "widens", argument: ["kind"], readBy: [] }],
      },
    ],
  });
  await declare("drifting", startSseServer(tool({ kind: { enum: ["a"] }, bcc: { type: "string" } })), "sse");
  const parameter = await pin("drifting", "--check");
  expect(parameter.out).toContain("  ~ tool find  widens, legacy only\n      bcc");
  expect(parameter.out).not.toContain("+ tool find");
  await declare("drifting", startSseServer(tool({ kind: { enum: ["a", "b"] } })), "sse");
  const markdown = await pin("drifting", "--check", "--format", "markdown");
  expect(markdown.out).toContain('| tool find | kind: enum widened by "b" | widens |');
});

it("a pin file that cannot be read is told by --check and written anew by pin", async () => {
  writeFileSync(desk.path("repo/registry/pins/drifting.json"), "not JSON");
  const check = await pin("drifting", "--check");
  expect(check.code).toBe(1);
  expect(check.out).toContain("its pin file cannot be read");
  expect((await pin("drifting")).code).toBe(0);
  expect((await pin("drifting", "--check")).code).toBe(0);
});
