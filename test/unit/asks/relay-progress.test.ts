// What a client says while it works on a request leaves its side as an answer does: its words pass only where no operation
// on what leaves would have to be applied to them.
import { expect, it } from "vitest";
import type { CompiledTransform } from "#transform";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import type { AskDesk, OpenAsk } from "../../../runtime/asks/ask-desk.ts";
import { relayAsk } from "../../../runtime/asks/relay-ask.ts";
import { SessionAsks } from "../../../runtime/asks/session-asks.ts";

async function toldOf(transform: CompiledTransform | undefined): Promise<unknown> {
  const server = { entry: { id: "desk", leaves: [] } };
  const context = {
    ...{ server, action: "tools/call:desk/t" },
    snapshot: { transformFor: () => transform },
    route: { entry: { tenant: "acme" }, servers: [server] },
  } as unknown as AskContext;
  const open: OpenAsk = {
    ...{ ok: true, id: "d-1", context, startedMs: 0 },
    ask: { method: "roots/list", params: {} },
  };
  const desk = {
    ask: () => Promise.resolve(open),
    answer: () => Promise.resolve({ kind: "result", result: { roots: [] } }),
  } as unknown as AskDesk;
  const asks = new SessionAsks();
  const told: unknown[] = [];
  const client = {
    asks,
    send: (json: string) => {
      const { id } = JSON.parse(json) as { id: string };
      asks.progress({ progressToken: id, progress: 1, message: "reading 078-05-1120" });
      return asks.settle({ kind: "response", id, result: { roots: [] } });
    },
    notifyServer: ({ params }: { readonly params?: unknown }) => void told.push(params),
  };
  const request = { method: "roots/list", params: { _meta: { progressToken: "p" } } };
  await relayAsk(desk, context, request, client, new AbortController().signal);
  return told;
}

it("progress of a client passes with its words where nothing has to be done to them", async () => {
  const progress = { progressToken: "p", progress: 1, message: "reading 078-05-1120" };
  expect(await toldOf(undefined)).toEqual([progress]);
});

it("and without them where something would have to be", async () => {
  const compiled = { request: { isIdle: false } } as unknown as CompiledTransform;
  expect(await toldOf(compiled)).toEqual([{ progressToken: "p", progress: 1 }]);
});
