// Streams of a legacy session: every event in exactly one stream, under an id of the session, and sent again to a client
// that comes back for it, within the caps.
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  DEFAULT_REPLAY_LIMITS,
  POLL_DELAY_MS,
  RECONNECT_DELAY_MS,
  SessionStreams,
} from "../../../runtime/streams/session-streams.ts";
import type { ReplayLimits } from "../../../runtime/streams/session-streams.ts";
import { fakeConnection } from "./fake-connection.ts";
import type { FakeConnection } from "./fake-connection.ts";

interface WorldOptions {
  limits?: Partial<ReplayLimits>;
  budgetBytes?: number;
  primes?: boolean;
  pollAfterMs?: number;
}

function world(options: WorldOptions = {}): {
  streams: SessionStreams;
  budget: { maxBytes: number; usedBytes: number };
  clock: { nowMs: () => number; monotonicMs: () => number; advance: (ms: number) => void };
} {
  let nowMs = 1_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
  const budget = { maxBytes: options.budgetBytes ?? 1_000_000, usedBytes: 0 };
  const limits = { ...DEFAULT_REPLAY_LIMITS, ...options.limits };
  return {
    streams: new SessionStreams({
      ...{ budget, limits, clock, primes: options.primes ?? true },
      answerStreams: { answers: "json", pollAfterMs: options.pollAfterMs ?? 0 },
    }),
    budget,
    clock,
  };
}

const texts = (connection: FakeConnection): (string | undefined)[] =>
  connection.written.filter(({ json }) => json !== undefined).map(({ json }) => json);
const idOf = (connection: FakeConnection, at: number): string => connection.written.at(at)?.id ?? "";

describe("streams of a session", () => {
  it("begins a stream with an id and no data from 2025-11-25 on, and only then", () => {
    const first = fakeConnection();
    world().streams.openAnswer(first);
    expect(first.written).toEqual([
      { id: expect.stringMatching(/^[\w-]{8}\.1\.0$/u), json: undefined, retryMs: RECONNECT_DELAY_MS },
    ]);
    const older = fakeConnection();
    world({ primes: false }).streams.openAnswer(older);
    expect(older.written).toEqual([]);
  });

  it("never gives an id twice, whatever stream it is on", () => {
    const { streams } = world();
    const general = fakeConnection();
    const answers = [fakeConnection(), fakeConnection()];
    streams.openGeneral(general);
    const opened = answers.map((connection) => streams.openAnswer(connection));
    for (const stream of opened) for (const text of ["a", "b"]) stream.send(text);
    streams.sendGeneral("c");
    const ids = [general, ...answers].flatMap(({ written }) => written.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("sends a stream's tail again, and nothing of another stream", async () => {
    const { streams } = world();
    const [broken, other, again] = [fakeConnection(), fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(broken);
    const second = streams.openAnswer(other);
    stream.send("1");
    second.send("of the other");
    stream.send("2");
    broken.break();
    expect(stream.send("3")).toBe(true);
    stream.end("answer");
    streams.resume(idOf(broken, 1), again);
    await turn();
    expect(texts(again)).toEqual(["2", "3", "answer"]);
    expect(again.ended()).toBe(true);
    expect(texts(other)).toEqual(["of the other"]);
  });

  it("lets a client go that comes back for the answer, and only one that knows where it was", async () => {
    const { streams } = world();
    const [first, again] = [fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(first);
    stream.letGo?.(250);
    expect(first.ended()).toBe(true);
    stream.send("progress");
    stream.end("answer");
    expect(texts(first)).toEqual([]);
    streams.resume(idOf(first, 0), again);
    await turn();
    expect(texts(again)).toEqual(["progress", "answer"]);

    const older = fakeConnection();
    const kept = world({ primes: false }).streams.openAnswer(older);
    kept.letGo?.(250);
    kept.end("answer");
    expect(texts(older)).toEqual(["answer"]);
  });

  it("tells a client that comes back where it was, so that it can come back again", async () => {
    const { streams } = world();
    const connections = [fakeConnection(), fakeConnection(), fakeConnection()];
    const [first, second, third] = connections as [FakeConnection, FakeConnection, FakeConnection];
    const stream = streams.openAnswer(first);
    stream.send("1");
    first.break();
    streams.resume(idOf(first, 1), second);
    await turn();
    second.break();
    stream.end("answer");
    expect(second.written).toEqual([{ id: idOf(first, 1), json: undefined, retryMs: RECONNECT_DELAY_MS }]);
    streams.resume(idOf(second, 0), third);
    await turn();
    expect(texts(third)).toEqual(["answer"]);
  });

  it("goes on with the stream after the tail, in order, also while its reader is behind", async () => {
    const { streams } = world();
    const [broken, again] = [fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(broken);
    stream.send("1");
    broken.break();
    stream.send("2");
    again.setFull(true);
    streams.resume(idOf(broken, 0), again);
    stream.send("3");
    await turn();
    expect(texts(again)).toEqual([]);
    again.setFull(false);
    await turn();
    stream.send("4");
    stream.end("answer");
    await turn();
    expect(texts(again)).toEqual(["1", "2", "3", "4", "answer"]);
  });

  it("goes on with a general stream that is opened anew after the catching up of a former connection broke off", async () => {
    const { streams } = world();
    const [first, second, third] = [fakeConnection(), fakeConnection(), fakeConnection()];
    streams.openGeneral(first);
    const seen = idOf(first, 0);
    first.break();
    streams.sendGeneral("1");
    second.setFull(true);
    streams.resume(seen, second);
    await turn();
    second.break();
    await turn();
    const again = streams.openGeneral(third);
    expect(again.send("2")).toBe(true);
    await turn();
    expect(texts(third)).toEqual(["2"]);
  });

  it("closes the older connection of a stream that is taken over", async () => {
    const { streams } = world();
    const [stale, again] = [fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(stale);
    streams.resume(idOf(stale, 0), again);
    await turn();
    stream.send("1");
    expect(stale.closed.aborted).toBe(true);
    expect(texts(stale)).toEqual([]);
    expect(texts(again)).toEqual(["1"]);
  });

  it("keeps what comes while the general stream has no connection, once it has had one", async () => {
    const { streams } = world();
    expect(streams.sendGeneral("nobody has ever listened")).toBe(false);
    const [broken, again] = [fakeConnection(), fakeConnection()];
    streams.openGeneral(broken);
    broken.break();
    expect(streams.sendGeneral("1")).toBe(true);
    expect(streams.find(idOf(broken, 0))).toBe("general");
    streams.resume(idOf(broken, 0), again);
    await turn();
    expect(texts(again)).toEqual(["1"]);
    expect(again.ended()).toBe(false);
  });

  it.each([
    ["of another session", (id: string) => `${id.startsWith("A") ? "B" : "A"}${id.slice(1)}`],
    ["of an event that was never sent", (id: string) => `${id.slice(0, -1)}7`],
    ["of a stream that never was", (id: string) => id.replace(/\.1\./u, ".9.")],
    ["of no event at all", () => "1"],
    ["too long to be one", () => "x".repeat(100_000)],
  ])("does not know an id %s", (_what, spoil) => {
    const { streams } = world();
    const connection = fakeConnection();
    streams.openAnswer(connection);
    const spoilt = spoil(idOf(connection, 0));
    expect(streams.find(spoilt)).toBeUndefined();
    expect(streams.resume(spoilt, fakeConnection())).toBeUndefined();
    expect(connection.closed.aborted).toBe(false);
  });

  it("tells a slow reader's messages from those of a broken connection: the former are not kept", async () => {
    const { streams, budget } = world();
    const connection = fakeConnection();
    const stream = streams.openAnswer(connection);
    connection.setFull(true);
    expect(stream.send("lost")).toBe(false);
    expect(budget.usedBytes).toBe(0);
    connection.setFull(false);
    stream.send("1");
    const again = fakeConnection();
    streams.resume(idOf(connection, 0), again);
    await turn();
    expect(texts(again)).toEqual(["1"]);
  });
});

describe("caps of what is kept", () => {
  const fill = (streams: SessionStreams, count: number): FakeConnection => {
    const connection = fakeConnection();
    const stream = streams.openAnswer(connection);
    for (let at = 0; at < count; at++) stream.send(String(at).padStart(100, "0"));
    return connection;
  };
  const kept = async (streams: SessionStreams, from: FakeConnection): Promise<number> => {
    const again = fakeConnection();
    streams.resume(idOf(from, 0), again);
    await turn();
    return texts(again).length;
  };

  it.each([
    ["events", { limits: { maxEvents: 5 } }],
    ["bytes of the session", { limits: { maxBytes: 1_000 } }],
    ["bytes of the process", { budgetBytes: 1_000 }],
  ])("drops the oldest above the cap of %s", async (_what, options) => {
    const { streams, budget } = world(options);
    expect(await kept(streams, fill(streams, 50))).toBe(5);
    expect(budget.usedBytes).toBeLessThanOrEqual(1_000);
    expect(budget.usedBytes).toBe(streams.storedBytes);
  });

  it("does not take another session's bytes", () => {
    const first = world({ budgetBytes: 1_000 });
    fill(first.streams, 5);
    const { usedBytes } = first.budget;
    const second = new SessionStreams({
      budget: first.budget,
      limits: DEFAULT_REPLAY_LIMITS,
      clock: first.clock,
      primes: true,
    });
    fill(second, 5);
    expect(second.storedBytes).toBe(0);
    expect(first.streams.storedBytes).toBe(usedBytes);
  });

  it("counts bytes, not characters", () => {
    const { streams } = world();
    streams.openGeneral(fakeConnection());
    streams.sendGeneral("x".repeat(300));
    const { storedBytes } = streams;
    streams.sendGeneral("漢".repeat(100));
    expect(streams.storedBytes).toBe(2 * storedBytes);
  });

  it("forgets nothing for what would not fit even so", () => {
    const { streams, budget } = world({ budgetBytes: 1_000 });
    const general = fakeConnection();
    streams.openGeneral(general);
    general.break();
    expect(streams.sendGeneral("x".repeat(100))).toBe(true);
    const kept = streams.storedBytes;
    // Other sessions keep the rest.
    budget.usedBytes = 900 + kept - 100;
    expect(streams.sendGeneral("y".repeat(400))).toBe(false);
    expect(streams.storedBytes).toBe(kept);
    expect(streams.sendGeneral("z".repeat(100))).toBe(true);
  });

  it("forgets what is too old, and with it the stream of an answer that was given", () => {
    const { streams, budget, clock } = world();
    const connection = fakeConnection();
    streams.openAnswer(connection).end("answer");
    streams.sweep();
    expect(streams.find(idOf(connection, 0))).toBe("answer");
    clock.advance(DEFAULT_REPLAY_LIMITS.maxAgeMs + 1);
    streams.sweep();
    expect(streams.find(idOf(connection, 0))).toBeUndefined();
    expect(budget.usedBytes).toBe(0);
  });

  it("gives everything back at the end of the session", () => {
    const { streams, budget } = world();
    const connection = fill(streams, 5);
    const general = fakeConnection();
    streams.openGeneral(general);
    streams.close();
    expect(budget.usedBytes).toBe(0);
    expect(connection.ended() && general.ended()).toBe(true);
    expect(streams.sendGeneral("late")).toBe(false);
    expect(budget.usedBytes).toBe(0);
  });
});

describe("connections that wait for an answer no longer than they may", () => {
  const ids = (connection: FakeConnection): (string | undefined)[] =>
    connection.written.filter(({ json }) => json !== undefined).map(({ id }) => id);
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("ends each with a delay, keeps what comes, and gives it to the next one", async () => {
    const { streams } = world({ pollAfterMs: 1_000 });
    const [first, second, third] = [fakeConnection(), fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(first, { id: 7 });
    stream.send("1");
    vi.advanceTimersByTime(999);
    expect(first.ended()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(first.ended()).toBe(true);
    expect(first.written.at(-1)).toMatchObject({ id: undefined, retryMs: POLL_DELAY_MS });
    stream.send("2");
    streams.resume(ids(first)[0] ?? "", second);
    await turn();
    expect(texts(second)).toEqual(["2"]);
    vi.advanceTimersByTime(1_000);
    expect(second.ended()).toBe(true);
    stream.end("answer");
    streams.resume(ids(second)[0] ?? "", third);
    await turn();
    expect(texts(third)).toEqual(["answer"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts the time that the request has waited without a stream", () => {
    const { streams } = world({ pollAfterMs: 1_000 });
    const connection = fakeConnection();
    streams.openAnswer(connection, { id: 7, waitedMs: 1_000 });
    vi.advanceTimersByTime(0);
    expect(connection.ended()).toBe(true);
    expect(connection.written[0]?.id).toMatch(/^[\w-]{8}\.1\.0$/u);
  });

  it.each([
    ["a client that could not come back", { primes: false }],
    ["a session that keeps nothing", { limits: { maxBytes: 0 } }],
    ["a process that keeps nothing", { budgetBytes: 0 }],
    ["a gateway that was not told to", { pollAfterMs: 0 }],
  ])("waits as long as it takes for %s", (_what, options) => {
    const { streams } = world({ pollAfterMs: 1_000, ...options });
    const connection = fakeConnection();
    const stream = streams.openAnswer(connection, { id: 7 });
    vi.advanceTimersByTime(60_000);
    expect(connection.ended()).toBe(false);
    stream.end("answer");
    expect(texts(connection)).toEqual(["answer"]);
  });

  it("never ends the general stream, nor one whose client is still catching up", async () => {
    const { streams } = world({ pollAfterMs: 1_000 });
    const [general, broken, behind] = [fakeConnection(), fakeConnection(), fakeConnection()];
    streams.openGeneral(general);
    const stream = streams.openAnswer(broken, { id: 7 });
    broken.break();
    stream.send("1");
    behind.setFull(true);
    streams.resume(idOf(broken, 0), behind);
    await turn();
    vi.advanceTimersByTime(5_000);
    expect([general.ended(), behind.ended()]).toEqual([false, false]);
    behind.setFull(false);
    await turn();
    vi.advanceTimersByTime(1_000);
    expect(behind.ended()).toBe(true);
    expect(texts(behind)).toEqual(["1"]);
  });

  it("tells a client that was sent away that its answer is too large to be kept", async () => {
    const { streams } = world({ pollAfterMs: 1_000, limits: { maxBytes: 1_000 } });
    const [first, again] = [fakeConnection(), fakeConnection()];
    const stream = streams.openAnswer(first, { id: "call" });
    vi.advanceTimersByTime(1_000);
    stream.end("x".repeat(2_000));
    streams.resume(idOf(first, 0), again);
    await turn();
    expect(texts(again).map((text) => JSON.parse(text ?? "") as unknown)).toEqual([
      {
        jsonrpc: "2.0",
        id: "call",
        error: {
          code: expect.any(Number) as number,
          message: "Result too large to be kept for a client that comes back",
          data: { code: "RESULT_TOO_LARGE" },
        },
      },
    ]);
  });

  it("leaves no timer behind when the session ends", () => {
    const { streams } = world({ pollAfterMs: 1_000 });
    streams.openAnswer(fakeConnection(), { id: 7 });
    streams.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends nobody away while other sessions keep most of what may be kept", () => {
    const { streams, budget } = world({ pollAfterMs: 1_000, budgetBytes: 10_000 });
    const connection = fakeConnection();
    const stream = streams.openAnswer(connection, { id: 7 });
    budget.usedBytes = 9_990;
    vi.advanceTimersByTime(5_000);
    expect(connection.ended()).toBe(false);
    budget.usedBytes = 5_000;
    vi.advanceTimersByTime(1_000);
    expect(connection.ended()).toBe(true);
    const again = fakeConnection();
    streams.resume(idOf(connection, 0), again);
    budget.usedBytes = 9_990;
    vi.advanceTimersByTime(5_000);
    stream.end("answer");
    expect(texts(again)).toEqual(["answer"]);
  });

  it("sends nobody away to a session that has ended", () => {
    const { streams } = world({ pollAfterMs: 1_000 });
    const late = fakeConnection();
    streams.close();
    const stream = streams.openAnswer(late, { id: 7 });
    vi.advanceTimersByTime(60_000);
    stream.end("answer");
    expect(texts(late)).toEqual(["answer"]);
  });
});
