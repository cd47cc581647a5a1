// What goes wrong after a request of a server was allowed: the server is refused, and the allowed request has an outcome.
import { expect, it } from "vitest";
import { AegisError } from "#errors";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import type { AskDesk, OpenAsk } from "../../../runtime/asks/ask-desk.ts";
import { refusal } from "../../../runtime/asks/govern-ask.ts";
import { relayAsk } from "../../../runtime/asks/relay-ask.ts";
import { SessionAsks } from "../../../runtime/asks/session-asks.ts";

const server = { entry: { id: "desk", leaves: [] } };
const context = {
  ...{ server, action: "tools/call:desk/t" },
  snapshot: { transformFor: () => undefined },
  route: { entry: { tenant: "acme" }, servers: [server] },
} as unknown as AskContext;
const open: OpenAsk = {
  ...{ ok: true, id: "d-1", context, startedMs: 0 },
  ask: { method: "roots/list", params: {} },
};

it.each([
  { where: "the client's stream", send: new TypeError("canary") },
  { where: "the judgement of the answer", answer: new TypeError("canary") },
  { where: "the release", answer: new AegisError("POLICY_ERROR", "no decision") },
])("a fault of $where is an outcome on record", async ({ send, answer }) => {
  const abandoned: unknown[] = [];
  const desk = {
    ask: () => Promise.resolve(open),
    answer: () => (answer === undefined ? Promise.reject(new Error("not reached")) : Promise.reject(answer)),
    abandon: (of: OpenAsk, code: Parameters<typeof refusal>[0], detail: string) => {
      abandoned.push([of.id, code, detail]);
      return Promise.resolve(refusal(code, detail));
    },
  } as unknown as AskDesk;
  const asks = new SessionAsks();
  const client = {
    asks,
    send: (json: string) => {
      if (send !== undefined) throw send;
      return asks.settle({ kind: "response", id: (JSON.parse(json) as { id: string }).id, result: {} });
    },
    notifyServer: () => undefined,
  };
  const request = { method: "roots/list", params: {} };
  const reply = await relayAsk(desk, context, request, client, new AbortController().signal);
  expect(reply.kind).toBe("error");
  expect(abandoned).toHaveLength(1);
  expect(abandoned).toEqual([
    ["d-1", answer instanceof AegisError ? "POLICY_ERROR" : "STAGE_FAULT", expect.any(String)],
  ]);
  expect(JSON.stringify([reply, abandoned])).not.toContain("canary");
  expect(asks.size).toBe(0);
});
