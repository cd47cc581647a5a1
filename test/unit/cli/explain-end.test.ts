// aegis explain --decision: how a recorded call ended, out of a log that the gateway's own writer made.
import { mkdirSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuditLog } from "#audit";
import type { AuditEventKind, AuditLog } from "#audit";
import type { JsonObject } from "#std";
import { createDesk } from "./cli-fixture.ts";
import type { Desk, Outcome } from "./cli-fixture.ts";

let desk: Desk;

const decision = (id: string, more: JsonObject = {}): JsonObject => ({
  ...{ id, effect: "allow", policies: ["policies/jira.yaml#/allow/tools/0"] },
  ...{ method: "tools/call", target: "tools/call:jira/jira.search", route: "/jira/mcp" },
  principal: { issuer: "https://login.example.com/", subject: "u", id: "dana", client: null, roles: [] },
  ...{ argumentsHash: "00", bundle: { digest: "ff", sequence: 1, channel: "dev" }, ...more },
});
const LISTED = { method: "tools/list", target: "jira", argumentsHash: null };
const DENIED = { effect: "deny", code: "POLICY_DENIED", stage: "authorize", detail: "no permit" };

async function write(
  work: (add: (event: AuditEventKind, body: JsonObject) => Promise<void>) => Promise<void>,
) {
  const [dir, stateDir] = [desk.path("audit"), desk.path("state")];
  const log: AuditLog = await createAuditLog({ dir, stateDir, logId: "test/log", minFreeBytes: 0 });
  await work(async (event, body) => void (await log.append({ tenant: "default", event, body })));
  await log.close();
}

beforeAll(async () => {
  desk = createDesk("template");
  mkdirSync(desk.path("audit"));
  await write(async (add) => {
    for (const id of ["failed", "answered", "erred", "poll", "lost"]) await add("decision", decision(id));
    await add("decision", decision("listed", LISTED));
    await add("decision", decision("refused", DENIED));
    const detail = "upstream: the answer is no\u001b[2J JSON-RPC";
    await add("result", {
      ...{ id: "failed", outcome: "denied", code: "UPSTREAM_PROTOCOL", durationMs: 12.345, transformed: 0 },
      detail,
    });
    await add("result", { id: "answered", outcome: "result", code: null, durationMs: 3, transformed: 0 });
    await add("result", { id: "erred", outcome: "error", code: -32602, durationMs: 4.5, transformed: 0 });
    await add("result", { id: "poll", outcome: "accepted", code: null });
    await add("result", {
      ...{ id: "listed", outcome: "denied", code: "UPSTREAM_TIMEOUT", durationMs: 30_000.1, transformed: 0 },
      detail: "dispatch: no answer in 30 s",
    });
  });
  await write((add) => add("decision", decision("under-way")));
});
afterAll(() => desk.remove());

const explain = (id: string, ...more: string[]): Promise<Outcome> =>
  desk.ok("explain", "repo", "--decision", id, "--audit", "audit", ...more);

describe("how a recorded call ended", () => {
  it.each([
    [
      "failed",
      /\n {2}ended {6}denied UPSTREAM_PROTOCOL, after 12\.345 ms: upstream: the answer is no\S+ JSON-RPC\n/u,
    ],
    ["answered", /\n {2}ended {6}result, after 3 ms\n/u],
    ["erred", /\n {2}ended {6}error -32602, after 4\.5 ms\n/u],
    ["poll", /\n {2}ended {6}accepted\n/u],
    ["listed", /\n {2}ended {6}denied UPSTREAM_TIMEOUT, after 30000\.1 ms: dispatch: no answer in 30 s\n/u],
    ["lost", /\n {2}ended {6}unknown: the log has a gap there \(restart, \d{4}-\S+Z\)\n/u],
    ["under-way", /\n {2}ended {6}no result is recorded: still under way, or lost in a crash\n/u],
  ])("%s", async (id, line) => {
    const { out } = await explain(id);
    expect(out).toMatch(/^ALLOW {2}/u);
    expect(out).toMatch(line);
    expect(out).not.toContain("\u001b");
  });

  it("says nothing of the end of what was denied before it was sent", async () => {
    expect((await explain("refused")).out).not.toContain("ended");
    expect(JSON.parse((await explain("refused", "--format", "json")).out)).toMatchObject({ end: null });
  });

  it("stands in JSON too, also of a decision that no policy was asked about", async () => {
    const end = async (id: string): Promise<unknown> =>
      (JSON.parse((await explain(id, "--format", "json")).out) as { end: unknown }).end;
    expect(await end("failed")).toEqual({
      ...{ kind: "result", at: expect.any(String) as string, outcome: "denied", code: "UPSTREAM_PROTOCOL" },
      ...{ detail: "upstream: the answer is no\u001b[2J JSON-RPC", durationMs: 12.345 },
    });
    expect(await end("listed")).toMatchObject({ kind: "result", code: "UPSTREAM_TIMEOUT" });
    expect(await end("poll")).toMatchObject({
      outcome: "accepted",
      code: null,
      detail: null,
      durationMs: null,
    });
    expect(await end("lost")).toEqual({ kind: "gap", at: expect.any(String) as string, reason: "restart" });
    expect(await end("under-way")).toEqual({ kind: "open" });
  });

  it("of one segment it says that the result may stand in a later one", async () => {
    const [first = ""] = readdirSync(desk.path("audit")).filter((name) => /^segment-\d+\.jsonl$/u.test(name));
    const { out } = await desk.ok("explain", "repo", "--decision", "lost", "--audit", `audit/${first}`);
    expect(out).toContain("no result is recorded in this segment: it may stand in a later one");
  });
});
