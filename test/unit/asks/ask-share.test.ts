// A server that asks without end fills no log: what is beyond its share is refused, and recorded once.
import { describe, expect, it } from "vitest";
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import type { AskDesk } from "../../../runtime/asks/ask-desk.ts";
import { MAX_ASKS_PER_MINUTE } from "../../../runtime/asks/ask-share.ts";
import { relayAsk } from "../../../runtime/asks/relay-ask.ts";
import { SessionAsks } from "../../../runtime/asks/session-asks.ts";
import { answerServerRequest } from "../../../runtime/pipeline/server-messages.ts";

const BEYOND = 50;
const signal = new AbortController().signal;

describe("beyond its share in a minute", () => {
  it("a server is refused what it asks in a session, and one record says so", async () => {
    let decided = 0;
    const refusals: string[] = [];
    const refusal = { code: "POLICY_DENIED", isUndeclared: false, detail: "no", policies: [] } as const;
    const desk = {
      ask: () => Promise.resolve({ ok: false, refusal, n: (decided += 1) }),
      refuse: (_context: AskContext, _method: unknown, { code }: typeof refusal) =>
        Promise.resolve(void refusals.push(code)),
    } as unknown as AskDesk;
    const asks = new SessionAsks();
    const client = { asks, send: () => true, notifyServer: () => undefined };
    const request = { method: "sampling/createMessage", params: {} };
    let last: unknown;
    for (let n = 0; n < MAX_ASKS_PER_MINUTE + BEYOND; n += 1)
      last = await relayAsk(desk, {} as AskContext, request, client, signal);
    expect(decided).toBe(MAX_ASKS_PER_MINUTE);
    expect(refusals).toEqual(["RATE_LIMITED"]);
    expect(last).toMatchObject({ kind: "error", error: { code: 4030 } });
  });

  it("so is what it asks where there is nobody to ask", async () => {
    const records: unknown[] = [];
    const audit = {
      append: (record: unknown) => Promise.resolve(void records.push(record)),
    } as unknown as AuditLog;
    const server = "desk" as ServerId;
    for (let n = 0; n < MAX_ASKS_PER_MINUTE + BEYOND; n += 1)
      expect(await answerServerRequest(audit, server, { method: "vendor/steal" })).toMatchObject({
        error: { code: -32601 },
      });
    expect(records).toHaveLength(MAX_ASKS_PER_MINUTE + 1);
    expect(records.at(-1)).toMatchObject({ body: { code: "RATE_LIMITED" } });
    await answerServerRequest(audit, "other" as ServerId, { method: "vendor/steal" });
    expect(records).toHaveLength(MAX_ASKS_PER_MINUTE + 2);
  });
});
