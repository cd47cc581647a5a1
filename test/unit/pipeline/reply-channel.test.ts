// How an answer goes back: as JSON or as the one event of a stream, where the gateway is told to and the client takes it.
import { describe, expect, it } from "vitest";
import type { HttpReply } from "../../../runtime/listener/inbound.ts";
import { ReplyChannel } from "../../../runtime/pipeline/reply-channel.ts";

interface Sent {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

function channel({ accepts = true, messagesOnly = false } = {}): { reply: ReplyChannel; sent: Sent[] } {
  const sent: Sent[] = [];
  const http: HttpReply = {
    json: (status, body, headers = {}) => {
      const type = headers["content-type"] ?? "application/json";
      sent.push({ status, body: Buffer.from(body).toString(), type });
    },
    empty: (status) => void sent.push({ status, body: "", type: "" }),
    openStream: () => {
      throw new Error("no stream is opened for an answer that nothing precedes");
    },
    committed: false,
    messagesOnly,
  };
  const reply = new ReplyChannel(http, () => accepts);
  reply.streamThrough((connection) => connection, { answersAsEvent: true });
  return { reply, sent };
}

describe("an answer that nothing precedes", () => {
  it.each([
    ["text", '{"a":\n1}', '{"a": 1}'],
    ["bytes", Buffer.from('{"a":1}'), '{"a":1}'],
  ])("is one event, given as %s", (_what, answer, line) => {
    const { reply, sent } = channel();
    reply.finish(200, answer);
    expect(sent).toEqual([
      { status: 200, type: "text/event-stream", body: `event: message\ndata: ${line}\n\n` },
    ]);
  });

  it.each([
    ["for a client that takes no stream", { accepts: false }, 200],
    ["in a batch, whose answers come together", { messagesOnly: true }, 200],
    ["where its status says something", {}, 404],
  ])("stays JSON %s", (_what, options, status) => {
    const { reply, sent } = channel(options);
    reply.finish(status, "{}");
    expect(sent).toEqual([{ status, type: "application/json", body: "{}" }]);
  });

  it("leaves an empty answer empty", () => {
    const { reply, sent } = channel();
    reply.finish(202, undefined);
    expect(sent).toEqual([{ status: 202, type: "", body: "" }]);
  });
});
