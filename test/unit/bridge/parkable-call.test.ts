// A call that waits for answers of its client keeps nothing of the request that began it.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { JsonObject } from "#std";
import type { ExchangeObserver, UpstreamReply } from "#upstream";
import { ParkableCall } from "../../../runtime/bridge/parkable-call.ts";
import type { AnswerAhead } from "../../../runtime/bridge/parkable-call.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const ASK: JsonObject = { jsonrpc: "2.0", id: 1, method: "roots/list" };

/** In a scope of its own: closures of one scope keep all of it. */
function governing(): { answerAhead: AnswerAhead; exchange: WeakRef<object> } {
  const exchange = { release: "old" };
  const answerAhead = (): Promise<UpstreamReply> =>
    Promise.resolve({ kind: "result", result: { release: exchange.release } });
  return { answerAhead, exchange: new WeakRef(exchange) };
}

/** A call whose server asks for roots, and a trace of what governs answers ahead in its exchange. */
async function parked(): Promise<{ call: ParkableCall; exchange: WeakRef<object> }> {
  const request = { method: "tools/call", params: { name: "t" }, paramHeaders: {} };
  const { answerAhead, exchange } = governing();
  const upstream = {
    request: async (_channel: unknown, _request: unknown, observer: ExchangeObserver) =>
      observer.onServerRequest(ASK, new AbortController().signal),
  };
  const call = new ParkableCall({
    lease: {
      session: { upstream, channel: {}, calls: new Set() },
      isAlone: () => true,
      tellRoots: () => true,
      release: () => undefined,
    } as never,
    ...{ request, maxResponseBytes: 1_000, takesLarge: false, capabilities: { roots: {} }, answers: {} },
    mayPark: () => true,
    answerAhead,
  });
  call.start();
  const observer = { onNotification: () => undefined } as unknown as ExchangeObserver;
  const turn = await call.attend({ request, observer, signal: new AbortController().signal });
  expect(turn).toEqual({ kind: "asks", asks: { roots: { method: "roots/list" } } });
  return { call, exchange };
}

it("lets go of the exchange that began it", async () => {
  const { call, exchange } = await parked();
  for (let round = 0; round < 10 && exchange.deref() !== undefined; round += 1) {
    await delay(5);
    collect();
  }
  expect(exchange.deref()).toBeUndefined();
  call.cancel("the test is over");
});
