// JSON-RPC batches of 2025-03-26 sessions over Streamable HTTP, and their refusal everywhere else.
import { afterAll, beforeAll, expect, it } from "vitest";
import { readAuditRecords } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import { initializeRequest, modernHeaders, modernMeta, postMessage } from "./raw-call.ts";

let world: EchoWorld;
let token = "";
const sessions = new Map<string, string>();

beforeAll(async () => {
  world = await startEchoWorld();
  token = await world.token(DEVELOPER, "echo");
  for (const version of ["2025-03-26", "2025-06-18"]) sessions.set(version, await openSession(version));
}, 60_000);
afterAll(() => world.stop());

async function openSession(protocolVersion: string): Promise<string> {
  const response = await post(initializeRequest(protocolVersion), undefined);
  return response.headers.get("mcp-session-id") ?? "";
}

function post(
  body: unknown,
  session: string | undefined,
  bearer: string | undefined = token,
): Promise<Response> {
  return postMessage(world.endpoint("echo"), body, {
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(session === undefined ? {} : { "mcp-session-id": session }),
  });
}

const old = (): string => sessions.get("2025-03-26") ?? "";
const call = (id: number | string, name: string, args: object, meta?: object): object => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, ...(meta === undefined ? {} : { _meta: modernMeta() }) },
});
const ping = (id: number | string): object => ({ jsonrpc: "2.0", id, method: "ping" });

interface Answer {
  readonly id: number | string;
  readonly result?: object;
  readonly error?: { readonly code: number; readonly data: { readonly decisionId: string } };
}

it("answers each element, decided and recorded on its own", async () => {
  const note = { jsonrpc: "2.0", method: "notifications/initialized" };
  const response = await post(
    [call(1, "echo", { text: "one" }), note, call("2", "absent", {}), ping(3), ping(3)],
    old(),
  );
  expect(response.status).toBe(200);
  const answers = (await response.json()) as Answer[];
  const of = (id: number | string): readonly Answer[] => answers.filter((answer) => answer.id === id);
  expect(answers).toHaveLength(4);
  expect(JSON.stringify(of(1))).toContain("one");
  expect(of("2")[0]?.error?.code).toBe(-32602);
  // The id is in use by the other one.
  expect(
    of(3)
      .map(({ error }) => error?.code ?? 0)
      .sort(),
  ).toEqual([-32600, 0]);
  const records = await readAuditRecords(world.gateway.auditDir);
  const denied = records.find(({ body }) => body["id"] === of("2")[0]?.error?.data.decisionId);
  expect(denied?.body).toMatchObject({ effect: "deny", method: "tools/call" });
  const called = records.filter(({ body }) => body["method"] === "tools/call" && body["effect"] === "allow");
  expect(called).toHaveLength(1);
});

it("answers an array of notifications with 202", async () => {
  const response = await post([{ jsonrpc: "2.0", method: "notifications/initialized" }], old());
  expect([response.status, await response.text()]).toEqual([202, ""]);
});

it.each([
  ["no element", []],
  ["a batch within", [[ping(1)]]],
  ["initialize", [ping(1), { jsonrpc: "2.0", id: 2, method: "initialize", params: {} }]],
  ["51 elements", Array.from({ length: 51 }, (_, id) => ping(id))],
  ["a duplicate key", '[{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}]'],
] as const)("refuses a batch with %s as a whole", async (_name, body) => {
  const before = world.echo.counters().total;
  expect((await post(body, old())).status).toBe(400);
  expect(world.echo.counters().total).toBe(before);
});

it("refuses elements that are no messages one by one", async () => {
  const response = await post([1, ping(1), { id: 4 }], old());
  const answers = (await response.json()) as Answer[];
  expect(answers.map(({ id, error }) => [id, error?.code ?? 0])).toEqual(
    expect.arrayContaining([
      [1, 0],
      [null, -32600],
    ]),
  );
});

it("refuses batches without a session of that revision, and of another principal", async () => {
  for (const session of [undefined, sessions.get("2025-06-18"), "no-such-session"]) {
    const response = await post([ping(1)], session);
    expect(response.status, String(session)).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32600 } });
  }
  expect((await post([ping(1)], old(), await world.token(EMPLOYEE, "echo"))).status).toBe(404);
});

it("refuses a batch that holds a message of the era without batches, whatever its headers say", async () => {
  const listen = {
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true }, _meta: modernMeta() },
  };
  const headers = {
    ...{ authorization: `Bearer ${token}`, "mcp-session-id": old() },
    ...modernHeaders(listen.method),
  };
  const response = await postMessage(world.endpoint("echo"), [listen], headers, AbortSignal.timeout(5_000));
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { data: { code: "MESSAGE_INVALID" } } });
});

it("does not read the body of a caller it does not know", async () => {
  const response = await post("{ this is never parsed", old(), "a.b.c");
  expect(response.status).toBe(401);
});
