// What a caller is told of a request that is malformed by itself: what is wrong with it, and nothing of anybody else.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import { postMessage } from "./raw-call.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const LEVEL = "io.modelcontextprotocol/logLevel";
const META = { [VERSION]: "2026-07-28", [CAPABILITIES]: {} };

let world: EchoWorld;
let token = "";
let session = "";

interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly code: string; readonly reason?: string; readonly uri?: string };
}

function post(body: unknown, headers: Readonly<Record<string, string>>): Promise<Response> {
  return postMessage(world.endpoint("echo"), body, { authorization: `Bearer ${token}`, ...headers });
}

async function refusal(answer: Promise<Response>): Promise<Refusal> {
  const { error } = (await (await answer).json()) as { readonly error: Refusal };
  return error;
}

const request = (method: string, params: object): object => ({ jsonrpc: "2.0", id: 1, method, params });
const legacy = (method: string, params: object): Promise<Refusal> =>
  refusal(post(request(method, params), { "mcp-session-id": session }));
const modern = (
  method: string,
  params: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Refusal> =>
  refusal(
    post(request(method, { _meta: META, ...params }), {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...headers,
    }),
  );

beforeAll(async () => {
  world = await startEchoWorld();
  token = await world.token(DEVELOPER, "echo");
  const clientInfo = { name: "t", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  session = (await post(request("initialize", params), {})).headers.get("mcp-session-id") ?? "";
}, 60_000);
afterAll(() => world.stop());

describe("a malformed request", () => {
  const call = { name: "echo", arguments: { text: "a" } };

  it("is told of a member that is not governed, without control characters and bounded", async () => {
    const { code, message, data } = await legacy("tools/call", { ...call, foo: 1 });
    expect({ code, message }).toEqual({
      code: -32600,
      message: "Invalid request: params.foo is not governed for tools/call",
    });
    expect(data).toMatchObject({
      code: "MESSAGE_INVALID",
      reason: "params.foo is not governed for tools/call",
    });
    const odd = await legacy("tools/call", { ...call, [`a\u001b[2J\u202e${"b".repeat(5_000)}`]: 1 });
    expect(odd.data.reason).toMatch(/^params\.a\[2Jb{1,64} is not governed/u);
  });

  it("is told that a batch belongs to another revision", async () => {
    const told = await refusal(post([request("ping", {})], { "mcp-session-id": session }));
    expect(told).toMatchObject({ code: -32600, data: { code: "MESSAGE_INVALID" } });
    expect(told.message).toContain("batch");
  });

  it("is told which header disagrees", async () => {
    expect(await modern("tools/call", call, { "mcp-name": "other" })).toMatchObject({
      code: -32020,
      data: { code: "HEADER_MISMATCH", reason: "Mcp-Name does not equal params.name" },
    });
    expect((await modern("tools/call", call)).data.reason).toBe("Mcp-Name is missing");
  });

  it("is told that its query is refused, and nothing of it", async () => {
    const headers = { authorization: `Bearer ${token}` };
    const target = (path: string, query: string): URL => new URL(`${path}?${query}`, world.endpoint("echo"));
    const { pathname } = world.endpoint("echo");
    for (const query of ["sessionId=s3cr3t", "access_token=s3cr3t", "s3cr3t=%zz"]) {
      const told = await refusal(postMessage(target(pathname, query), request("ping", {}), headers));
      expect(told).toMatchObject({ code: -32600, data: { code: "HTTP_TARGET_INVALID" } });
      expect(told.message).toMatch(/^Invalid request target: its query (?:has a credential|is not valid)/u);
      expect(JSON.stringify(told)).not.toMatch(/s3cr3t|access_token|%zz/u);
      const nowhere = await postMessage(target("/no/such/sse", query), request("ping", {}), headers);
      expect(nowhere.status).toBe(404);
      expect((await refusal(Promise.resolve(nowhere))).message).toBe("No such endpoint");
    }
  });

  it("is told which headers a tool has only where its caller sees the tool", async () => {
    const regional = { name: "regional", arguments: { region: "eu-1" } };
    const own = await modern("tools/call", regional, { "mcp-name": "regional" });
    expect(own.data.reason).toBe("Mcp-Param-Region is missing");
    const authorization = `Bearer ${await world.token(EMPLOYEE, "echo")}`;
    const other = await modern("tools/call", regional, { "mcp-name": "regional", authorization });
    expect(other.data).toEqual({ code: "HEADER_MISMATCH", decisionId: expect.any(String) as string });
    expect(other.message).not.toContain("Region");
  });

  it("is told which member of its envelope is wrong", async () => {
    const told = await modern("tools/list", { _meta: { ...META, [LEVEL]: "loud" } });
    expect(told).toMatchObject({ code: -32602, data: { code: "ENVELOPE_INVALID" } });
    expect(told.message).toContain("logLevel");
  });

  it("is told that its cursor is not one of this list", async () => {
    expect((await modern("tools/list", { cursor: "a" })).data.reason).toContain("cursor of another list");
  });
});

it("says that a resource is unknown as the caller's era does", async () => {
  const uri = "file:///nowhere";
  expect(await legacy("resources/read", { uri })).toMatchObject({ code: -32002, data: { uri } });
  expect(await modern("resources/read", { uri }, { "mcp-name": uri })).toMatchObject({
    code: -32602,
    data: { uri },
  });
  // No resource is named at all.
  expect(await legacy("resources/read", { uri: 1 })).toMatchObject({ code: -32602 });
});

describe("the revision that a session's GET or DELETE names", () => {
  const verb = (method: string, version: string): Promise<Response> =>
    fetch(world.endpoint("echo"), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: "text/event-stream",
        "mcp-session-id": session,
        "mcp-protocol-version": version,
      },
    });

  it.each([
    ["GET", "1900-01-01"],
    ["GET", "not-a-version"],
    ["DELETE", "1900-01-01"],
  ])("%s is refused with %s, as a message is", async (method, version) => {
    const answer = await verb(method, version);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { data: { code: "PROTOCOL_VERSION_UNSUPPORTED" } } });
    const posted = await post(request("ping", {}), {
      "mcp-session-id": session,
      "mcp-protocol-version": version,
    });
    expect(posted.status).toBe(400);
  });

  it("may be another that is spoken here: the session's own counts", async () => {
    const stream = await verb("GET", "2025-06-18");
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
    const headers = { "mcp-session-id": session, "mcp-protocol-version": "2025-03-26" };
    expect((await post(request("ping", {}), headers)).status).toBe(200);
    // Only sessions of 2025-03-26 have batches.
    expect((await post([request("ping", {})], headers)).status).toBe(400);
  });
});
