// That roots changed is told to servers after the exchange that said so is over: nothing but its own bound ends it then.
import { expect, it } from "vitest";
import { answerAskMessage } from "../../../runtime/asks/client-messages.ts";
import type { Recorded } from "../../../runtime/pipeline/exchange.ts";

it("a server that does not take the news of roots is let go", async () => {
  const told = Promise.withResolvers<AbortSignal>();
  const upstream = {
    notify: (_channel: unknown, _notification: unknown, signal: AbortSignal) => {
      told.resolve(signal);
      return new Promise(() => undefined);
    },
  };
  const leaf = { action: "roots/list:desk" };
  const server = { entry: { id: "desk" }, methods: new Map([["roots/list", leaf]]), binding: { upstream } };
  const exchange = {
    era: "legacy",
    protocolVersion: "2025-11-25",
    inbound: { remoteAddress: "" },
    message: { kind: "notification", method: "notifications/roots/list_changed" },
    session: {
      id: "s",
      protocolVersion: "2025-11-25",
      clientCapabilities: { roots: {} },
      clientInfo: undefined,
    },
    principal: { facts: {}, missingAttributes: [] },
    snapshot: { evaluator: { visible: () => true } },
    route: { entry: { tenant: "acme" }, servers: [server] },
  } as unknown as Recorded;
  expect(answerAskMessage(exchange)).toEqual({ kind: "accepted" });
  const signal = await told.promise;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  expect(signal.aborted).toBe(true);
}, 10_000);
