// The answers of a batch, joined: one array, nothing, or one stream.
import { expect, it } from "vitest";
import { headerView } from "#mcp";
import { joinBatch } from "../../../runtime/listener/batch.ts";
import type { InboundHttp, SseStream } from "../../../runtime/listener/index.ts";

interface Outer {
  readonly inbound: InboundHttp;
  readonly log: string[];
  isFull: boolean;
  readonly drain: () => void;
}

function outerRequest(): Outer {
  const log: string[] = [];
  const closing = new AbortController();
  const waiting: (() => void)[] = [];
  const stream: SseStream = {
    send: (json) => {
      if (!outer.isFull) log.push(`send ${json}`);
      return !outer.isFull;
    },
    comment: () => undefined,
    drained: () => new Promise((resolve) => waiting.push(resolve)),
    end: () => {
      log.push("end");
      closing.abort();
    },
    closed: closing.signal,
  };
  const outer: Outer = {
    log,
    isFull: false,
    drain: () => {
      outer.isFull = false;
      for (const resume of waiting.splice(0)) resume();
    },
    inbound: {
      ...{
        transport: "http",
        method: "POST",
        rawTarget: "/x",
        path: "/x",
        httpVersion: "1.1",
        remoteAddress: "",
      },
      headers: headerView([]),
      readBody: () => Promise.reject(new Error("has been read")),
      onClosed: () => undefined,
      closed: new AbortController().signal,
      reply: {
        json: (status, body) => void log.push(`${String(status)} ${Buffer.from(body).toString("utf8")}`),
        empty: (status) => void log.push(String(status)),
        openStream: () => {
          log.push("open");
          return stream;
        },
        committed: false,
      },
    },
  };
  return outer;
}

const elements = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, id) =>
    Buffer.from(`{"jsonrpc":"2.0","id":${String(id)},"method":"ping"}`),
  );

it("sends the answers as one array when the last is there", () => {
  const { inbound, log } = outerRequest();
  const [first, second, third] = joinBatch(inbound, elements(3));
  second?.reply.json(200, '{"id":1}');
  third?.reply.empty(202);
  expect(log).toEqual([]);
  first?.reply.json(404, Buffer.from('{"id":0}'));
  expect(log).toEqual(['200 [{"id":1},{"id":0}]']);
});

it("sends nothing where nothing is answered", () => {
  const { inbound, log } = outerRequest();
  for (const element of joinBatch(inbound, elements(2))) element.reply.empty(202);
  expect(log).toEqual(["202"]);
});

it("sends all on one stream where one needs it, and ends it after the last", async () => {
  const outer = outerRequest();
  const { inbound, log } = outer;
  const [first, second, third] = joinBatch(inbound, elements(3));
  first?.reply.json(200, '{"id":0}');
  const stream = second?.reply.openStream();
  stream?.send('{"progress":1}');
  third?.reply.openStream().end('{"id":2}');
  outer.isFull = true;
  stream?.end('{"id":1}');
  stream?.end('{"id":1}');
  expect(stream?.send("late")).toBe(false);
  expect(log).toEqual(["open", 'send {"id":0}', 'send {"progress":1}', 'send {"id":2}']);
  outer.drain();
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.slice(4)).toEqual(['send {"id":1}', "end"]);
});

it("gives each element its own body and the id that a refusal needs", async () => {
  const [first, second] = joinBatch(outerRequest().inbound, elements(2));
  expect(first?.shared?.readId()).toBe(0);
  expect(second?.shared?.readId()).toBe(1);
  expect(Buffer.from((await second?.readBody(1, AbortSignal.timeout(1))) ?? []).toString("utf8")).toContain(
    '"id":1',
  );
});
