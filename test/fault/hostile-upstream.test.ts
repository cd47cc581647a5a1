// What a hostile or broken upstream can bring past a redaction, into the audit log, or down on the process.
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAuditRecords } from "../e2e/audit-records.ts";
import { DEVELOPER, EMPLOYEE } from "../e2e/gateway-world.ts";
import { rawCall } from "../e2e/raw-call.ts";
import { LegacySessionClient } from "../e2e/sse-client.ts";
import { sse } from "./hostile-server.ts";
import type { Call, Misbehaviour } from "./hostile-server.ts";
import { ERAS, startHostileWorld } from "./hostile-world.ts";
import type { Era, HostileWorld } from "./hostile-world.ts";

const LIMITS = [
  "apiVersion: aegis.dev/v1",
  "kind: Limits",
  "limits: [{ id: reads, tools: [limited], per: [principal], limit: 2, window: 1h }]",
  "",
].join("\n");
const EMAIL = "secret.person@example.com";

function answerJson(response: ServerResponse, body: unknown): void {
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
}

function answerStream(response: ServerResponse, ...messages: readonly unknown[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).end(sse(...messages));
}

const fine = ({ id }: Call, extra: object = {}): object => ({
  jsonrpc: "2.0",
  id,
  result: { resultType: "complete", content: [], ...extra },
});
const notification = (method: string, params: object): object => ({ jsonrpc: "2.0", method, params });

/** Ways to say the address beside the payload. */
const LEAKS: Readonly<Record<string, Misbehaviour>> = {
  "leak-progress": (call, response) =>
    answerStream(
      response,
      notification("notifications/progress", {
        progressToken: call.progressToken,
        progress: 1,
        message: EMAIL,
        note: EMAIL,
        _meta: { assignee: { email: EMAIL } },
      }),
      notification("notifications/message", {
        level: "info",
        data: EMAIL,
        more: { assignee: { email: EMAIL } },
      }),
      fine(call),
    ),
  "leak-updated": (call, response) =>
    answerStream(
      response,
      notification("notifications/resources/updated", { uri: "note://one", title: EMAIL }),
      fine(call),
    ),
  "leak-members": (call, response) =>
    answerJson(response, fine(call, { note: EMAIL, _meta: { assignee: { email: EMAIL } } })),
  "leak-error": ({ id }, response) =>
    answerJson(response, { jsonrpc: "2.0", id, error: { code: -32020, message: EMAIL, data: EMAIL } }),
};

const BREAKAGES: Readonly<Record<string, Misbehaviour>> = {
  "random bytes": (_call, response) => answerJson(response, randomBytes(4_096)),
  "random bytes in a stream": (_call, response) =>
    void response.writeHead(200, { "content-type": "text/event-stream" }).end(randomBytes(4_096)),
  "a reset before the head": (_call, response) => response.socket?.resetAndDestroy(),
  "a reset within the body": (_call, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
    response.write('{"jsonrpc":"2.0",', () => response.socket?.resetAndDestroy());
  },
  "another id": (call, response) => answerJson(response, fine({ ...call, id: Number(call.id) + 1 })),
  "its id as a string": (call, response) => answerJson(response, fine({ ...call, id: String(call.id) })),
  "a batch": (call, response) => answerJson(response, [fine(call)]),
  "a redirect": (_call, response) => void response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
  "no content": (_call, response) => void response.writeHead(204).end(),
  "a result that needs input": (call, response) =>
    answerJson(response, fine(call, { resultType: "input_required", inputRequests: {} })),
};

const EXCESSES: Readonly<Record<string, Misbehaviour>> = {
  "flood of requests": (call, response) =>
    answerStream(
      response,
      ...Array.from({ length: 2_000 }, (_, id) => ({ jsonrpc: "2.0", id, method: "sampling/createMessage" })),
      fine(call),
    ),
  "half a million members": (call, response) =>
    answerJson(
      response,
      fine(call, {
        structuredContent: Object.fromEntries(Array.from({ length: 490_000 }, (_, n) => [`k${n}`, n])),
      }),
    ),
};

let world: HostileWorld;
beforeAll(async () => {
  const redact = [
    "metadata: { name: redact, reason: addresses are private }",
    "scope: { servers: [hostile] }",
    'transforms: { secret: { redact: ["$.response.assignee.email"] } }',
    "",
  ].join("\n");
  world = await startHostileWorld(
    { ...LEAKS, ...BREAKAGES, ...EXCESSES },
    { "policies/redact.yaml": redact, "limits.yaml": LIMITS },
  );
}, 60_000);
afterAll(() => world.stop());

const cases = (names: object): { era: Era; name: string }[] =>
  Object.keys(names).flatMap((name) => ERAS.map((era) => ({ era, name })));

it("a caller to whom nothing is granted does not reach the server with an endpoint's own method", async () => {
  const { server, url } = world;
  const setLevel = async (bearer: string): Promise<string> => {
    const client = await LegacySessionClient.open(url, bearer);
    return (await client.post("logging/setLevel", { level: "debug" })).text();
  };
  const before = server.sessions();
  expect(await setLevel(await world.token(EMPLOYEE, "hostile"))).toContain("POLICY_DENIED");
  expect(server.arrived()).not.toContain("logging/setLevel");
  expect(server.sessions()).toBe(before);
  expect(await setLevel(world.bearer)).toContain('"result"');
});

it("a caller has one allowance, however many clients it comes with", async () => {
  const call = async (client: string): Promise<string> => {
    const bearer = await world.issuer.mint({
      subject: DEVELOPER.subject,
      audience: world.url.href,
      claims: { roles: [...DEVELOPER.roles], is_external: false, client_id: client },
    });
    const answer = await rawCall(world.url, bearer, "limited", {});
    return JSON.stringify({ result: answer.result, error: answer.error });
  };
  expect(await call("one")).toContain('"result"');
  expect(await call("two")).toContain('"result"');
  expect(await call("three")).toContain("RATE_LIMITED");
});

it("a flood of violations is counted and not logged line by line", async () => {
  const before = world.log.length;
  await world.call("modern", "plain", "flood of requests");
  expect(world.log.length - before).toBeLessThan(100);
});

it("an answer with one huge object is refused before it is built", async () => {
  expect(await world.call("modern", "plain", "half a million members")).toContain("RESULT_TOO_LARGE");
});

describe("a redacted tool", () => {
  it.each(cases(LEAKS))("$era $name: the address stays inside", async ({ era, name }) => {
    const answer = await world.call(era, "secret", name);
    expect(answer).not.toContain("secret.person");
    expect(answer).toMatch(/"id":7,"(?:result|error)"/);
    const records = await readAuditRecords(world.gateway.auditDir);
    expect(JSON.stringify(records)).not.toContain("secret.person");
    expect(world.log.join("\n")).not.toContain("secret.person");
  });
});

describe("a broken answer", () => {
  it.each(cases(BREAKAGES))(
    "$era $name: one refusal, on record, and the gateway goes on",
    async ({ era, name }) => {
      const { error } = JSON.parse(await world.call(era, "plain", name)) as {
        error?: { data?: { decisionId?: string } };
      };
      const id = error?.data?.decisionId;
      expect(id).toBeDefined();
      const records = (await readAuditRecords(world.gateway.auditDir)).filter(
        ({ body }) => body["id"] === id,
      );
      expect(records.map(({ ev }) => ev)).toEqual(["decision", "result"]);
      expect(await world.call("modern", "plain", "hello")).toContain('"text":"hello"');
    },
  );
});
