// Mixed traffic of both eras for some time: calls, listens, subscriptions, streams that break and are resumed, clients that
// vanish, releases that are swapped. Every answer must come, and afterwards nothing may be left: no session, stream,
// watched resource, kept event, descriptor. Run as a script: `node test/long/soak.ts [minutes]`.
import { readdir, readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { startFeedWorld } from "../e2e/feed-world.ts";
import type { FeedWorld } from "../e2e/feed-world.ts";
import { LegacySessionClient, modernRequest } from "../e2e/sse-client.ts";
import type { StreamingReply } from "../e2e/sse-client.ts";
import { describeDescriptors } from "./open-descriptors.ts";
import { waitUntil } from "./wait-until.ts";

export interface SoakOptions {
  readonly minutes: number;
  /** Callers of each kind. */
  readonly callers?: number;
  readonly onProgress?: (minutes: number) => void;
}

export interface SoakReport {
  readonly minutes: number;
  /** Rounds of each kind of caller. */
  readonly rounds: Readonly<Record<string, number>>;
  readonly swaps: number;
  /** Rounds that did not end as they should, by what went wrong. Must be empty. */
  readonly failed: readonly string[];
  /** What was left when everybody had gone. Must be empty. */
  readonly left: readonly string[];
  readonly before: Sizes;
  readonly after: Sizes;
  /** Which descriptors are open, where there are too many. */
  readonly descriptors?: readonly string[];
}

interface Sizes {
  readonly descriptors: number;
  readonly residentBytes: number;
}

interface Status {
  readonly sessions: number;
  readonly generations: number;
  readonly streams: {
    readonly open: number;
    readonly listens: number;
    readonly watched: number;
    readonly replayBytes: number;
  };
}

const MINUTE_MS = 60_000;
const SWAP_INTERVAL_MS = 2_000;
const SESSION_IDLE_MS = 2_000;
const MAX_NAMED = 10;
const KEEP_ALIVE_MS = 90_000;
/** Idle connections to the servers and of pollers, which come and go. */
const MAX_MORE_DESCRIPTORS = 4;
/** The heap settles after the first thousands of rounds; what leaks grows without end. */
const MAX_MORE_RESIDENT_BYTES = 256 * 1_024 * 1_024;
const SERVERS = ["feed", "old", "new"] as const;
const URIS = ["feed://a", "feed://b", "feed://c"] as const;

type Round = (soak: Soak, server: string, caller: number) => Promise<void>;

class Soak {
  readonly feed: FeedWorld;
  readonly rounds = new Map<string, number>();
  readonly failed: string[] = [];
  isOver = false;
  readonly #tokens = new Map<string, Promise<string>>();

  constructor(feed: FeedWorld) {
    this.feed = feed;
  }

  token(server: string, caller: number): Promise<string> {
    const key = `${server} ${String(caller)}`;
    const subject = `soak-${String(caller)}`;
    const known =
      this.#tokens.get(key) ??
      this.feed.world.token({ subject, roles: ["Developer"], isExternal: false }, server);
    this.#tokens.set(key, known);
    return known;
  }

  async repeat(name: string, round: Round, caller: number): Promise<void> {
    for (let at = caller; !this.isOver; at++) {
      const server = SERVERS[at % SERVERS.length] ?? "feed";
      try {
        await round(this, server, caller);
        this.rounds.set(name, (this.rounds.get(name) ?? 0) + 1);
      } catch (fault) {
        if (this.failed.length < MAX_NAMED) this.failed.push(`${name} at ${server}: ${String(fault)}`);
      }
    }
  }
}

const isAnswer = ({ result, error }: { result?: unknown; error?: unknown }): boolean =>
  result !== undefined || error !== undefined;

async function requireResult(reply: StreamingReply): Promise<void> {
  const isStream = reply.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const message = isStream
    ? await reply.stream.until(isAnswer)
    : (JSON.parse(await reply.text()) as { result?: unknown });
  if (message.result === undefined) throw new Error(JSON.stringify(message).slice(0, 300));
}

async function modernCall(soak: Soak, server: string, caller: number): Promise<void> {
  const params = { name: "noisy", arguments: { count: 3, ms: 2 } };
  const meta = { progressToken: 1, "io.modelcontextprotocol/logLevel": "info" };
  const url = soak.feed.world.endpoint(server);
  const token = await soak.token(server, caller);
  await requireResult(await modernRequest(url, token, { id: 1, method: "tools/call", params }, meta));
}

/** Hears of one change, or goes away before it. */
async function modernListen(soak: Soak, server: string, caller: number): Promise<void> {
  const uri = URIS[caller % URIS.length] ?? "feed://a";
  const url = soak.feed.world.endpoint(server);
  const reply = await modernRequest(url, await soak.token(server, caller), {
    id: caller,
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true, resourceSubscriptions: [uri] } },
  });
  try {
    await reply.stream.until(({ method }) => method === "notifications/subscriptions/acknowledged");
    if (caller % 2 === 0) return;
    let isHeard = false;
    const heard = reply.stream
      .until(({ method }) => method === "notifications/resources/updated")
      .then(() => (isHeard = true));
    await Promise.all([heard, touchUntil(soak, server, uri, () => isHeard)]);
  } finally {
    reply.stream.abort();
    await reply.stream.ended;
  }
}

async function touchUntil(soak: Soak, server: string, uri: string, isHeard: () => boolean): Promise<void> {
  for (let tries = 0; !isHeard() && tries < 400; tries++) {
    soak.feed.feeds[server]?.touch(uri);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A session with a stream, a subscription and a call whose connection breaks. */
async function legacySession(soak: Soak, server: string, caller: number): Promise<void> {
  const url = soak.feed.world.endpoint(server);
  const client = await LegacySessionClient.open(url, await soak.token(server, caller));
  const general = await client.get();
  try {
    await requireResult(await client.post("resources/subscribe", { uri: URIS[caller % URIS.length] }));
    const call = await client.post("tools/call", { name: "noisy", arguments: { count: 4, ms: 5 } });
    await call.stream.until(() => true);
    if (caller % 2 === 0) {
      call.stream.abort();
      await call.stream.ended;
      const rest = await client.get(call.stream.events.at(-1)?.id);
      if (!call.stream.messages().some(isAnswer)) await requireResult(rest);
      rest.stream.abort();
      await rest.stream.ended;
    } else await requireResult(call);
    // One in three vanishes: its session ends when it has been idle.
    if (caller % 3 !== 0) await client.end();
  } finally {
    general.stream.abort();
    await general.stream.ended;
  }
}

const KINDS: readonly (readonly [string, Round])[] = [
  ["modern-call", modernCall],
  ["modern-listen", modernListen],
  ["legacy-session", legacySession],
];

async function statusOf({ world }: FeedWorld): Promise<Status> {
  return (await (await fetch(`${world.gateway.adminUrl}/status`)).json()) as Status;
}

async function sizesOf({ world }: FeedWorld): Promise<Sizes> {
  const pid = world.gateway.child.process.pid ?? 0;
  const status = await readFile(`/proc/${String(pid)}/status`, "utf8");
  return {
    descriptors: (await readdir(`/proc/${String(pid)}/fd`)).length,
    residentBytes: Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1] ?? "0") * 1_024,
  };
}

async function swapUntilOver(soak: Soak): Promise<number> {
  let swaps = 0;
  while (!soak.isOver) {
    await new Promise((resolve) => setTimeout(resolve, SWAP_INTERVAL_MS));
    swaps += 1;
    await soak.feed.world.release(soak.feed.withFiles({ "environments/dev.yaml": environment(swaps) }));
  }
  return swaps;
}

/** The same policy under another digest. */
function environment(swap: number): string {
  return `publicUrl: http://127.0.0.1:${String(8_080 + (swap % 2))}\n`;
}

/** What is left after sessions had the time to be idle for too long. */
async function leftovers(feed: FeedWorld): Promise<readonly string[]> {
  const isClean = ({ sessions, generations, streams }: Status): boolean =>
    sessions + streams.open + streams.listens + streams.watched + streams.replayBytes === 0 &&
    generations === 1;
  await waitUntil(async () => isClean(await statusOf(feed)), "nothing to be left").catch(() => undefined);
  const { sessions, generations, streams } = await statusOf(feed);
  const counts = { sessions, generations: generations - 1, ...streams };
  const left = Object.entries(counts).filter(([, count]) => count !== 0);
  const watched = Object.entries(feed.feeds).filter(([, server]) => server.subscribed().length > 0);
  return [
    ...left.map(([name, count]) => `${name}: ${String(count)}`),
    ...watched.map(([id]) => `subscribed: ${id}`),
  ];
}

export async function run(options: SoakOptions): Promise<SoakReport> {
  const { minutes, callers = 6, onProgress } = options;
  const feed = await startFeedWorld({ sessionIdleMs: SESSION_IDLE_MS, maxSessionsPerPrincipal: 1_000 });
  try {
    const soak = new Soak(feed);
    for (const [, round] of KINDS) for (const server of SERVERS) await round(soak, server, 1);
    const before = await sizesOf(feed);
    const running = KINDS.flatMap(([name, round]) =>
      Array.from({ length: callers }, (_, caller) => soak.repeat(name, round, caller)),
    );
    const swapping = swapUntilOver(soak);
    for (let passed = 0; passed < minutes; passed += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(1, minutes - passed) * MINUTE_MS));
      onProgress?.(passed + 1);
    }
    soak.isOver = true;
    await Promise.all(running);
    const swaps = await swapping;
    const left = await leftovers(feed);
    // The callers' kept-alive connections close when they have been idle for the 65 s that the listener allows.
    const maxDescriptors = before.descriptors + MAX_MORE_DESCRIPTORS;
    const isIdle = async (): Promise<boolean> => (await sizesOf(feed)).descriptors <= maxDescriptors;
    await waitUntil(isIdle, "idle connections", KEEP_ALIVE_MS).catch(() => undefined);
    const after = await sizesOf(feed);
    const tooMany = after.descriptors > maxDescriptors;
    return {
      minutes,
      rounds: Object.fromEntries(soak.rounds),
      swaps,
      failed: soak.failed,
      left,
      before,
      after,
      ...(tooMany
        ? { descriptors: await describeDescriptors(feed.world.gateway.child.process.pid ?? 0) }
        : {}),
    };
  } finally {
    await feed.stop();
  }
}

export function faultsOf({ failed, left, before, after }: SoakReport): readonly string[] {
  const faults = [...failed, ...left.map((what) => `left: ${what}`)];
  const descriptors = after.descriptors - before.descriptors;
  if (descriptors > MAX_MORE_DESCRIPTORS) faults.push(`${String(descriptors)} more descriptors`);
  const bytes = after.residentBytes - before.residentBytes;
  if (bytes > MAX_MORE_RESIDENT_BYTES) faults.push(`${String(bytes)} more resident bytes`);
  return faults;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const report = await run({ minutes: Number(process.argv[2] ?? "10") });
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  const faults = faultsOf(report);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
