// A legacy client whose connection breaks comes back for the rest: the call has run on, its answer waits, and nobody else
// can fetch it.
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFeedWorld } from "./feed-world.ts";
import type { FeedWorld } from "./feed-world.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { LegacySessionClient } from "./sse-client.ts";
import type { SseEvent, StreamingReply } from "./sse-client.ts";

const COUNT = 12;
const NOISY = { name: "noisy", arguments: { count: COUNT, ms: 40 } };

describe("streams that are resumed", () => {
  let feed: FeedWorld;
  let token: string;
  beforeAll(async () => {
    feed = await startFeedWorld();
    token = await feed.world.token(DEVELOPER, "feed");
  });
  afterAll(() => feed.stop());

  const open = (version?: string): Promise<LegacySessionClient> =>
    LegacySessionClient.open(feed.world.endpoint("feed"), token, version);
  const isAnswer = ({ result }: { result?: unknown }): boolean => result !== undefined;
  const texts = (events: readonly SseEvent[]): string[] =>
    events.map(({ data }) => data).filter((data) => data !== "");

  async function breakAfter(reply: StreamingReply, messages: number): Promise<string> {
    await reply.stream.until(() => reply.stream.messages().length >= messages);
    reply.stream.abort();
    await reply.stream.ended;
    return reply.stream.events.at(-1)?.id ?? "";
  }

  it.each(["2025-03-26", "2025-06-18", "2025-11-25"])(
    "gives the rest of a call's stream, in %s",
    async (version) => {
      const client = await open(version);
      const before = feed.feeds["feed"]?.noisy();
      const first = await client.post("tools/call", NOISY);
      expect(first.stream.events.some(({ data }) => data === "")).toBe(false);
      const lastEventId = await breakAfter(first, 3);
      const rest = await client.get(lastEventId);
      expect(rest.status).toBe(200);
      await rest.stream.until(isAnswer);
      await rest.stream.ended;
      const all = [...texts(first.stream.events), ...texts(rest.stream.events)];
      expect(all).toHaveLength(COUNT + 1);
      expect(new Set(all).size).toBe(COUNT + 1);
      expect(feed.feeds["feed"]?.noisy().abandoned).toBe(before?.abandoned);
      const isPrimed = first.stream.events[0]?.data === "" && first.stream.events[0].id !== undefined;
      expect(isPrimed).toBe(version === "2025-11-25");
    },
  );

  it("keeps the answer of a call that ends while its client is away", async () => {
    const client = await open();
    const first = await client.post("tools/call", { ...NOISY, arguments: { count: 2, ms: 10 } });
    const lastEventId = await breakAfter(first, 1);
    const answered = feed.feeds["feed"]?.noisy().started ?? 0;
    await expect.poll(() => feed.feeds["feed"]?.noisy().answered).toBe(answered);
    const rest = await client.get(lastEventId);
    await rest.stream.until(isAnswer);
    await rest.stream.ended;
    const again = await client.get(lastEventId);
    await again.stream.until(isAnswer);
    await again.stream.ended;
  });

  it("gives what came while the general stream was away, and does not mix it with a call's", async () => {
    const client = await open();
    const general = await client.get();
    const subscribed = await client.post("resources/subscribe", { uri: "feed://a" });
    await subscribed.text();
    const call = await client.post("tools/call", { ...NOISY, arguments: { count: 1 } });
    await call.stream.until(isAnswer);
    feed.feeds["feed"]?.touch("feed://a");
    await general.stream.until(({ method }) => method === "notifications/resources/updated");
    general.stream.abort();
    await general.stream.ended;
    feed.feeds["feed"]?.touch("feed://a");
    const rest = await client.get(general.stream.events.at(-1)?.id);
    await rest.stream.until(({ method }) => method === "notifications/resources/updated");
    expect(rest.stream.messages().every(({ method }) => method === "notifications/resources/updated")).toBe(
      true,
    );
    expect(call.stream.messages().some(({ method }) => method === "notifications/resources/updated")).toBe(
      false,
    );
    rest.stream.abort();
  });

  it("knows an event id only in its own session, and a session only its own principal", async () => {
    const [mine, other] = [await open(), await open()];
    const stranger = await feed.world.token({ ...DEVELOPER, subject: "mallory" }, "feed");
    const first = await mine.post("tools/call", NOISY);
    await first.stream.until(() => first.stream.messages().length >= 2);
    const id = first.stream.events.at(-1)?.id ?? "";
    expect((await other.get(id)).status).toBe(400);
    expect((await mine.get("1")).status).toBe(400);
    const stolen = new LegacySessionClient(mine.url, stranger);
    expect((await stolen.get(id, mine.session)).status).toBe(404);
    expect((await stolen.get(undefined, mine.session)).status).toBe(404);
    await first.stream.until(isAnswer);
    expect(first.stream.messages()).toHaveLength(COUNT + 1);
  });

  it("has one general stream, which only its own event id takes over", async () => {
    const client = await open();
    const general = await client.get();
    await expect.poll(() => general.stream.events.length).toBe(1);
    expect((await client.get()).status).toBe(409);
    const taken = await client.get(general.stream.events[0]?.id);
    expect(taken.status).toBe(200);
    await general.stream.ended;
    expect((await client.get()).status).toBe(409);
    taken.stream.abort();
  });

  it("brings the answer to the SDKs' own clients after their connection broke", async () => {
    for (const makeClient of [legacySdk, modernSdkInLegacyMode]) {
      let broken = 0;
      const { client, close } = await makeClient(feed.world.endpoint("feed"), token, (event) => {
        if (event < 4 || broken > 0) return false;
        broken += 1;
        return true;
      });
      const result = (await client.callTool(NOISY)) as { content: { text: string }[] };
      expect(result.content[0]?.text).toBe(`sent ${String(COUNT)}`);
      expect(broken).toBe(1);
      await close();
    }
  });
});

interface AnyClient {
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}
type Breaker = (event: number) => boolean;

/** A fetch whose POST streams break where `breaks` says, counted in events. */
function breakingFetch(breaks: Breaker): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (init?.method !== "POST" || !isStream || response.body === null) return response;
    let events = 0;
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        events += new TextDecoder().decode(chunk).split("\n\n").length - 1;
        controller.enqueue(chunk);
        if (breaks(events)) controller.error(new TypeError("the connection broke"));
      },
    });
    return new Response(response.body.pipeThrough(cut), response);
  };
}

const identity = { name: "aegis-test", version: "1.0.0" };

async function legacySdk(
  url: URL,
  token: string,
  breaks: Breaker,
): Promise<{ client: AnyClient; close: () => Promise<void> }> {
  const client = new LegacyClient(identity);
  const transport = new LegacyTransport(url, {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
    fetch: breakingFetch(breaks),
  });
  await client.connect(transport as never);
  return { client: client as AnyClient, close: () => client.close() };
}

async function modernSdkInLegacyMode(
  url: URL,
  token: string,
  breaks: Breaker,
): Promise<{ client: AnyClient; close: () => Promise<void> }> {
  const client = new ModernClient(identity, { versionNegotiation: { mode: "legacy" } });
  await client.connect(
    new ModernTransport(url, {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
      fetch: breakingFetch(breaks),
    }),
  );
  return { client: client as unknown as AnyClient, close: () => client.close() };
}
