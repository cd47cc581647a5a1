// Large answers in worker threads: the same answer as on the main thread, and a call that is denied whatever happens to
// the worker.
import { createHmac } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { LeafEntry, TransformEntry, TransformOperation } from "#bundle";
import { parseStrict } from "#mcp";
import { createRouteNames } from "#naming";
import { createResourceIndex } from "#resources";
import type { JsonObject, JsonValue } from "#std";
import { compileTransform, hashKeyOf } from "#transform";
import { translateReply, translationOf } from "../../../runtime/bridge/translate-reply.ts";
import { createAnswerPool, planNames, planTransform } from "../../../runtime/large-answers/answer-pool.ts";
import type { AnswerPool } from "../../../runtime/large-answers/answer-pool.ts";
import type { FinishPlan } from "../../../runtime/large-answers/protocol.ts";
import { requireParsable } from "../../../runtime/large-answers/value-budget.ts";
import { answerJson, answerOf, conform, nameAnswer, redact } from "../../../runtime/pipeline/answer-rules.ts";
import type { UpstreamReply } from "#upstream";

const MAX_BYTES = 64 * 1024 * 1024;
const fingerprint = (tenant: string, text: string): string =>
  createHmac("sha256", `key of ${tenant}`).update(text).digest("hex");
const never = new AbortController().signal;

function entryOf(response: readonly TransformOperation[]): TransformEntry {
  return { tenant: "acme", action: "tools/call:s/t", request: [], response };
}

const operation = <T extends object>(verb: T, ...names: readonly string[]) => ({
  policy: "policies/test.yaml#0",
  paths: [names.map((name) => ({ kind: "name" as const, name }))],
  ...verb,
});
const DETECT = operation({ verb: "detect" as const, detectors: ["email", "card", "key"] as const });

function planOf(entry: TransformEntry | undefined, id: string | number = 7): FinishPlan {
  const transform =
    entry === undefined
      ? undefined
      : planTransform(compileTransform(entry), hashKeyOf(fingerprint, entry.tenant));
  return { id, era: "modern", method: "tools/call", maxBytes: MAX_BYTES, transform };
}

/** What the stages make of the same reply on the main thread. */
function inThread(reply: UpstreamReply, entry: TransformEntry | undefined): unknown {
  const conforming = conform(answerOf(reply, "modern"), "modern", "tools/call");
  if (!conforming.ok) return conforming.denial;
  if (entry === undefined) return { json: answerJson(7, conforming.answer), applied: 0 };
  const ruled = redact(conforming.answer, compileTransform(entry), { fingerprint });
  return ruled.ok ? { json: answerJson(7, ruled.answer), applied: ruled.applied } : ruled.denial;
}

const wire = (reply: UpstreamReply): Uint8Array => {
  const { kind: _kind, ...rest } = reply;
  return new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, ...rest }));
};

async function inWorker(
  pool: AnswerPool,
  reply: UpstreamReply,
  entry: TransformEntry | undefined,
): Promise<unknown> {
  const finished = await pool.finish("s", wire(reply), planOf(entry), never);
  if (finished.kind === "denied") return finished.denial;
  return { json: new TextDecoder().decode(finished.body), applied: finished.applied };
}

/** Keeps a worker busy for seconds: detectors in a long list of short texts. */
function hostile(megabytes: number): Uint8Array {
  const text = "a@b ".repeat(16);
  const items = Array.from({ length: (megabytes * 1024 * 1024) / (text.length + 3) }, () => text);
  return wire({ kind: "result", result: { content: [], structuredContent: { items } } });
}

describe("answer pool", () => {
  let pool: AnswerPool;
  beforeAll(() => {
    pool = createAnswerPool();
  });
  afterAll(() => pool.dispose());

  it("gives the answer that the main thread would", async () => {
    const value = fc.oneof(
      fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as JsonValue),
      fc.constantFrom("ada@example.com", "4111 1111 1111 1111", "a\u2028b", "Ada"),
    );
    const verbs = fc.constantFrom<TransformOperation>(
      DETECT,
      operation({ verb: "redact" as const }, "a"),
      operation({ verb: "remove" as const }, "a", "b"),
      operation({ verb: "hash" as const }, "b"),
      operation({ verb: "truncate" as const, length: 3 }, "a"),
      operation({ verb: "replace" as const, value: { n: 1 } }, "b"),
    );
    const reply = fc.oneof(
      fc.record({ a: value, b: value, "b c": value }).map<UpstreamReply>((data) => ({
        kind: "result",
        result: {
          content: [{ type: "text", text: JSON.stringify(data) }],
          structuredContent: data,
          _meta: { data },
        },
      })),
      fc.record({ code: fc.integer(), message: fc.string(), data: value }).map<UpstreamReply>((error) => ({
        kind: "error",
        error,
      })),
      fc.constant<UpstreamReply>({ kind: "result", result: { resultType: "task", isError: true } }),
    );
    const entries = fc.option(fc.array(verbs, { minLength: 1, maxLength: 3 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(reply, entries, async (sent, operations) => {
        const entry = operations === undefined ? undefined : entryOf(operations);
        const read = parseStrict(wire(sent), { maxBytes: MAX_BYTES, maxDepth: 64, maxMembers: 1e6 });
        const { result, error } = read as { readonly result?: JsonObject; readonly error?: never };
        const same: UpstreamReply =
          result === undefined ? { kind: "error", error: error as never } : { kind: "result", result };
        expect(escaped(await inWorker(pool, sent, entry))).toEqual(escaped(inThread(same, entry)));
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  it.each<[string, UpstreamReply]>([
    [
      "a result with links",
      {
        kind: "result",
        result: {
          content: [
            { type: "resource_link", uri: "desk://pages/1", name: "one" },
            { type: "resource", resource: { uri: "desk://own/2", text: "ada@example.com" } },
            { type: "text", text: "desk://pages/1" },
          ],
          _meta: { "ui/resourceUri": "desk://pages/2", "io.modelcontextprotocol/x": 1 },
          resultType: "input_required",
        },
      },
    ],
    [
      "a missing resource",
      { kind: "error", error: { code: -32002, message: "no", data: { uri: "desk://pages/1" } } },
    ],
    [
      "an error",
      { kind: "error", error: { code: 5, message: "ada@example.com", data: { uri: "desk://pages/1" } } },
    ],
  ])("translates and names as the main thread would: %s", async (_what, reply) => {
    const leaf = (kind: "resource" | "resource-template", name: string) => ({ kind, name }) as LeafEntry;
    const servers = [
      {
        id: "alpha",
        leaves: [leaf("resource-template", "desk://pages/{page}"), leaf("resource", "desk://own/2")],
      },
      { id: "beta", leaves: [leaf("resource-template", "desk://pages/{page}")] },
    ].map((entry) => ({ entry, resources: createResourceIndex(entry.leaves) }));
    const route = { servers, names: createRouteNames(servers) };
    const legacy = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      serverInfo: { name: "old", version: "1" },
    };
    const call = { method: "tools/call", params: { name: "t" } };
    const translation = translationOf({ eras: { legacy } }, "modern", call);
    if (translation === undefined) throw new Error("nothing to translate");
    const entry = entryOf([DETECT]);
    // Twice: the second time the worker has what it was sent the first.
    for (let time = 0; time < 2; time += 1) {
      const plan = { ...planOf(entry), translation, names: planNames(route, "alpha", "tools/call") };
      const finished = await pool.finish("s", wire(reply), plan, never);
      const conforming = conform(
        answerOf(translateReply(reply, translation), "modern"),
        "modern",
        "tools/call",
      );
      const ruled = conforming.ok
        ? redact(conforming.answer, compileTransform(entry), { fingerprint })
        : conforming;
      if (!ruled.ok || servers[0] === undefined) throw new Error("refused");
      const expected = answerJson(7, nameAnswer(route, servers[0], "tools/call", ruled.answer));
      expect(finished.kind === "finished" && new TextDecoder().decode(finished.body)).toBe(expected);
      if (reply.kind === "result") expect(expected).toContain("aegis:alpha/desk://pages/1");
      expect(expected).not.toContain("ada@example.com");
    }
  });

  it("keeps numbers that a double cannot carry, in answers and in the transform itself", async () => {
    const big =
      '{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"n":9007199254740993,"b":1}}}';
    const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => JsonValue };
    const entry = entryOf([
      operation({ verb: "replace" as const, value: rawJSON("12345678901234567891") }, "b"),
    ]);
    const finished = await pool.finish("s", new TextEncoder().encode(big), planOf(entry), never);
    const body = finished.kind === "finished" ? new TextDecoder().decode(finished.body) : "";
    expect(body).toContain('"n":9007199254740993');
    expect(body).toContain('"b":12345678901234567891');
  });

  it("translates for a client that declares a number that a double cannot carry, and keeps its worker", async () => {
    const threads = pool.threads();
    const legacy = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "old" } };
    const params = parseStrict(
      new TextEncoder().encode(
        '{"uri":1e400,"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{"x":9007199254740993}}}}',
      ),
    ) as JsonObject;
    const call = { method: "tools/call", params };
    const translation = translationOf({ eras: { legacy } } as never, "modern", call);
    if (translation === undefined) throw new Error("nothing to translate");
    const reply: UpstreamReply = { kind: "result", result: { content: [] } };
    const finished = await pool.finish("s", wire(reply), { ...planOf(undefined), translation }, never);
    expect(finished.kind).toBe("finished");
    expect(pool.threads()).toEqual(threads);
  });

  it("leaves the main thread to others meanwhile", async () => {
    const order: string[] = [];
    const slow = pool
      .finish("s", hostile(2), planOf(entryOf([DETECT])), never)
      .then(() => order.push("large"));
    for (let turns = 0; turns < 10; turns += 1) {
      await turn();
      order.push("small");
    }
    await slow;
    expect(order.at(-1)).toBe("large");
    expect(order).toHaveLength(11);
  });

  it("says what a message is and gives its bytes back", async () => {
    const { envelope, bytes } = await pool.inspect("s", hostile(1), MAX_BYTES, never);
    expect(envelope).toEqual({ kind: "response", id: 1, result: {} });
    expect(bytes).toEqual(hostile(1));
    const text = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      error: { code: -3, message: "ö".repeat(600), data: 1 },
    });
    const error = await pool.inspect("s", text, MAX_BYTES, never);
    expect(error.envelope).toEqual({
      kind: "response",
      id: 1,
      error: { code: -3, message: "ö".repeat(512) },
    });
    expect(new TextDecoder().decode(error.bytes)).toBe(text);
  });

  it.each([
    ["not JSON", "{", "JSON_INVALID"],
    ["duplicate members", '{"jsonrpc":"2.0","id":1,"id":1,"result":{}}', "JSON_INVALID"],
    ["no message", "{}", "MESSAGE_INVALID"],
  ])("refuses %s", async (_name, text, code) => {
    await expect(pool.inspect("s", text, MAX_BYTES, never)).rejects.toMatchObject({ code });
    const bytes = new TextEncoder().encode(text);
    await expect(pool.finish("s", bytes, planOf(undefined), never)).rejects.toMatchObject({ code });
  });

  it("refuses what is over the cap", async () => {
    await expect(pool.inspect("s", hostile(1), 1024, never)).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
    });
  });
});

describe("a document that could fill the heap of a worker", () => {
  const of = (value: string, count: number): Uint8Array => {
    const list = Array.from({ length: count }, () => value).join(",");
    return new TextEncoder().encode(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[${list}]}}`);
  };

  it("is refused before it is parsed", () => {
    expect(() => requireParsable(of("{}", 8_000_000))).toThrow(/values/);
    expect(() => requireParsable(of("{}", 4_000_000))).not.toThrow();
    expect(() => requireParsable(of('",{[\\\\"', 2_000_000))).not.toThrow();
    expect(() => requireParsable(of('"\\",{[,,,,,,"', 2_000_000))).not.toThrow();
  });
});

describe("answer pool in trouble", () => {
  let pool: AnswerPool | undefined;
  afterEach(() => pool?.dispose());
  const detecting = planOf(entryOf([DETECT]));

  it("ends the worker of an exchange that ended, and serves the next call", async () => {
    pool = createAnswerPool({ workers: 1 });
    await pool.finish("s", hostile(1), planOf(undefined), never);
    const [before] = pool.threads();
    const gone = new AbortController();
    const cut = pool.finish("s", hostile(16), detecting, gone.signal);
    const next = pool.finish("s", hostile(1), planOf(undefined), never);
    await turn();
    gone.abort();
    await expect(cut).rejects.toMatchObject({ code: "EXCHANGE_ABORTED" });
    await expect(next).resolves.toMatchObject({ kind: "finished" });
    expect(pool.threads()).not.toContain(before);
  });

  it("denies the call whose worker takes too long", async () => {
    pool = createAnswerPool({ workers: 1, limitMs: 50 });
    await expect(pool.finish("s", hostile(16), detecting, never)).rejects.toMatchObject({
      code: "RESULT_BLOCKED",
    });
  });

  it("takes a job out of the queue when its exchange ends", async () => {
    pool = createAnswerPool({ workers: 1 });
    const first = pool.finish("s", hostile(1), detecting, never);
    const gone = new AbortController();
    const second = pool.finish("s", hostile(1), detecting, gone.signal);
    gone.abort();
    await expect(second).rejects.toMatchObject({ code: "EXCHANGE_ABORTED" });
    await expect(first).resolves.toMatchObject({ kind: "finished" });
  });

  it("keeps a worker for other servers", async () => {
    pool = createAnswerPool({ workers: 2 });
    const order: string[] = [];
    const bad = [1, 2, 3].map(() =>
      pool?.finish("bad", hostile(4), detecting, never).then(() => order.push("bad")),
    );
    await pool.finish("good", hostile(1), planOf(undefined), never).then(() => order.push("good"));
    await Promise.all(bad);
    expect(order).toEqual(["good", "bad", "bad", "bad"]);
  });

  const script = (source: string): URL =>
    new URL(`data:text/javascript,import { parentPort as p } from "node:worker_threads";${source}`);

  it("denies the call whose worker dies, and starts another for the next", async () => {
    pool = createAnswerPool({
      workers: 1,
      entry: script('p.on("message", () => process.exit(9)); p.postMessage({ kind: "ready" });'),
    });
    const calls = [1, 2].map(() => pool?.finish("s", hostile(1), planOf(undefined), never));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes).toMatchObject([
      { status: "rejected", reason: { code: "RESULT_BLOCKED" } },
      { status: "rejected", reason: { code: "RESULT_BLOCKED" } },
    ]);
  });

  it.each([
    ["does not start", "process.exit(1);"],
    [
      "answers something else",
      'p.on("message", () => p.postMessage({ kind: "inspected" })); p.postMessage({ kind: "ready" });',
    ],
    ["answers nonsense", 'p.on("message", () => p.postMessage(7)); p.postMessage({ kind: "ready" });'],
  ])("denies every call where the worker %s", async (_name, source) => {
    pool = createAnswerPool({ entry: script(source) });
    await expect(pool.finish("s", hostile(1), planOf(undefined), never)).rejects.toMatchObject({
      code: "RESULT_BLOCKED",
    });
  });

  it("refuses more than the queue holds", async () => {
    pool = createAnswerPool({ workers: 1 });
    const tiny = wire({ kind: "result", result: {} });
    const jobs = Array.from({ length: 100 }, () => pool?.finish("s", tiny.slice(), planOf(undefined), never));
    const outcomes = await Promise.allSettled(jobs);
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused.length).toBe(68);
  });

  it("refuses everything once disposed, and leaves no thread", async () => {
    pool = createAnswerPool();
    const cut = pool.finish("s", hostile(4), detecting, never);
    pool.dispose();
    await expect(cut).rejects.toMatchObject({ code: "RESULT_BLOCKED" });
    await expect(pool.finish("s", hostile(1), detecting, never)).rejects.toMatchObject({
      code: "RESULT_BLOCKED",
    });
    expect(pool.threads()).toEqual([]);
  });

  it("ends an idle worker", async () => {
    pool = createAnswerPool({ workers: 1, idleMs: 1 });
    await pool.finish("s", hostile(1), planOf(undefined), never);
    await expect.poll(() => pool?.threads()).toEqual([]);
  });
});

/** Workers write line separators as escapes, which mean the same. */
function escaped(outcome: unknown): unknown {
  return JSON.parse(JSON.stringify(outcome).replaceAll("\u2028", "\\\\u2028"));
}
