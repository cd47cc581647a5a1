// A gateway that answers with event streams, and that ends a connection which waits too long for an answer: the client
// comes back for it, as itself, and gets all of it once.
import { Client as ModernClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFeedWorld } from "./feed-world.ts";
import type { FeedWorld } from "./feed-world.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { LegacySessionClient, modernRequest } from "./sse-client.ts";
import type { SseEvent } from "./sse-client.ts";

const POLL_AFTER_MS = 300;
/** Says nothing for longer than two connections wait. */
const SILENT = { name: "noisy", arguments: { count: 1, ms: 900 } };
/** Takes a second and a half, so that one connection is never enough. */
const LONG = { name: "noisy", arguments: { count: 5, ms: 300 } };
const identity = { name: "aegis-test", version: "1.0.0" };

describe("answers as event streams, and connections that end before them", () => {
  let feed: FeedWorld;
  let token: string;
  beforeAll(async () => {
    feed = await startFeedWorld(
      { maxStreamsPerPrincipal: 1 },
      { streams: { answers: "events", pollAfterMs: POLL_AFTER_MS } },
    );
    token = await feed.world.token(DEVELOPER, "feed");
  });
  afterAll(() => feed.stop());

  const open = async (server = "feed", version?: string): Promise<LegacySessionClient> =>
    LegacySessionClient.open(
      feed.world.endpoint(server),
      server === "feed" ? token : await feed.world.token(DEVELOPER, server),
      version,
    );
  const texts = (events: readonly SseEvent[]): string[] =>
    events.map(({ data }) => data).filter((data) => data !== "");

  it.each(["2025-03-26", "2025-06-18", "2025-11-25"])(
    "answers a list with one event in %s",
    async (version) => {
      const client = await open("feed", version);
      const reply = await client.post("tools/list");
      expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      const { result } = await reply.stream.until((message) => message.result !== undefined);
      expect(Array.isArray(result?.["tools"])).toBe(true);
    },
  );

  it("answers what has a status of its own, and the modern era, as before", async () => {
    const client = await open();
    client.session = "00000000-0000-4000-8000-000000000000";
    const gone = await client.post("tools/list");
    expect([gone.status, gone.headers.get("content-type")]).toEqual([404, "application/json"]);
    const url = feed.world.endpoint("feed");
    const modern = await modernRequest(url, token, { id: 1, method: "tools/list" });
    expect([modern.status, modern.headers.get("content-type")]).toEqual([200, "application/json"]);
  });

  // The legacy side of a server that has none is translated; the stream is the gateway's in both.
  it.each(["feed", "new"])("ends connections until the answer is there, in front of %s", async (server) => {
    const client = await open(server);
    const stranger = await feed.world.token({ ...DEVELOPER, subject: "mallory" }, server);
    // The one long-lived stream of this caller: what stands for a request's own connection is none.
    const general = await client.get();
    expect((await (await open(server)).get()).status).toBe(503);
    const first = await client.post("tools/call", LONG);
    await first.stream.ended;
    expect(first.stream.events[0]).toMatchObject({ data: "", id: expect.stringMatching(/\.0$/u) as string });
    expect(first.stream.messages().some(({ result }) => result !== undefined)).toBe(false);
    const all = [...first.stream.events];
    const stolen = new LegacySessionClient(client.url, stranger);
    expect((await stolen.get(all.at(-1)?.id, client.session)).status).toBe(404);
    let connections = 1;
    for (; !texts(all).some((data) => data.includes('"result"')); connections += 1) {
      const next = await client.get(all.at(-1)?.id);
      expect(next.status).toBe(200);
      await next.stream.ended;
      all.push(...next.stream.events);
    }
    expect(connections).toBeGreaterThan(2);
    expect(new Set(texts(all)).size).toBe(texts(all).length);
    expect(texts(all)).toHaveLength(LONG.arguments.count + 1);
    general.stream.abort();
    await general.stream.ended;
  });

  it("lets a client of an older revision wait", async () => {
    const client = await open("feed", "2025-06-18");
    const reply = await client.post("tools/call", LONG);
    await reply.stream.until(({ result }) => result !== undefined);
    expect(texts(reply.stream.events)).toHaveLength(LONG.arguments.count + 1);
  });

  it("serves the SDKs' own clients, which come back by themselves", async () => {
    const url = feed.world.endpoint("feed");
    const requestInit = { headers: { authorization: `Bearer ${token}` } };
    const older = new LegacyClient(identity);
    await older.connect(new LegacyTransport(url, { requestInit }) as never);
    const newer = new ModernClient(identity, { versionNegotiation: { mode: "legacy" } });
    await newer.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    for (const client of [older, newer] as readonly LegacyClient[]) {
      for (const call of [LONG, SILENT]) {
        const { content } = await client.callTool(call);
        expect(content).toEqual([{ type: "text", text: `sent ${String(call.arguments.count)}` }]);
      }
      await client.close();
    }
  });
});
