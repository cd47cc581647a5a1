// The requests that wait for one client.
import { describe, expect, it } from "vitest";
import type { ServerId } from "#bundle";
import { MAX_PENDING_ASKS, SessionAsks } from "../../../runtime/asks/session-asks.ts";

const JIRA = "jira" as ServerId;

describe("pending asks of a session", () => {
  it("are settled once, under their own id", async () => {
    const asks = new SessionAsks();
    const pending = asks.open();
    const id = pending?.id ?? "";
    expect(asks.settle({ kind: "response", id: `${id}x`, result: {} })).toBe(false);
    expect(asks.settle({ kind: "response", id, result: { a: 1 } })).toBe(true);
    expect(asks.settle({ kind: "response", id, result: { a: 2 } })).toBe(false);
    await expect(pending?.answer).resolves.toEqual({ kind: "result", result: { a: 1 } });
    expect(asks.size).toBe(0);
  });

  it("have a cap, and give their place back", () => {
    const asks = new SessionAsks();
    const open = Array.from({ length: MAX_PENDING_ASKS }, () => asks.open());
    expect(new Set(open.map((pending) => pending?.id)).size).toBe(MAX_PENDING_ASKS);
    expect(asks.open()).toBeUndefined();
    open[0]?.close();
    expect(asks.settle({ kind: "response", id: open[0]?.id ?? "", result: {} })).toBe(false);
    expect(asks.open()).toBeDefined();
  });

  it("hear of progress only where the server asked for it", () => {
    const asks = new SessionAsks();
    const heard: unknown[] = [];
    const wanted = asks.open((params) => heard.push(params["progress"]));
    const unwanted = asks.open();
    expect(asks.progress({ progressToken: wanted?.id ?? "", progress: 1 })).toBe(true);
    expect(asks.progress({ progressToken: unwanted?.id ?? "", progress: 2 })).toBe(false);
    expect(asks.progress({ progressToken: 7, progress: 3 })).toBe(false);
    expect(asks.progress(undefined)).toBe(false);
    expect(heard).toEqual([1]);
  });

  it("know whose URL elicitations the client was asked, up to a number", () => {
    const asks = new SessionAsks();
    asks.noteElicitation(JIRA, "e-1");
    expect(asks.wasElicited(JIRA, { elicitationId: "e-1" })).toBe(true);
    expect(asks.wasElicited("wiki" as ServerId, { elicitationId: "e-1" })).toBe(false);
    expect(asks.wasElicited(JIRA, { elicitationId: 1 })).toBe(false);
    for (let index = 0; index < 100; index += 1) asks.noteElicitation(JIRA, `more-${String(index)}`);
    expect(asks.wasElicited(JIRA, { elicitationId: "e-1" })).toBe(false);
    expect(asks.wasElicited(JIRA, { elicitationId: "more-99" })).toBe(true);
  });
});
