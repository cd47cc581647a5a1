// T25 of the attack corpus against servers that never cut: what shows something, and what the system's buffers hide.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runScripts } from "./run-scripts.ts";
import type { CorpusResult } from "./run-corpus.ts";
import { heldBytes } from "./socket-buffers.ts";

const SCRIPTS = join(import.meta.dirname, "..", "data", "attack", "scripts.yaml");
const ANSWER_BYTES = 100_000;

/** The case against a server that answers every call with so many bytes, however slowly they are read. */
async function unread(options: {
  readonly heldBytes?: number;
  readonly cuts?: boolean;
}): Promise<CorpusResult> {
  const { cuts = false, ...rest } = options;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-length": ANSWER_BYTES });
    if (cuts) response.write("x", () => response.destroy());
    else response.end("x".repeat(ANSWER_BYTES));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const [result] = await runScripts({
      ...{ host: "127.0.0.1", port, path: "/mcp", token: "none", file: SCRIPTS, only: /^T25-unread$/u },
      ...{ offers: ["modern", "flood", "patience"], unreadMs: 200, ...rest },
      variables: { floodTool: "flood", floodArguments: "{}" },
    });
    if (result === undefined) throw new Error("no such case");
    return result;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("T25-unread", () => {
  it("is not judged where the whole answer fits the system's buffers", async () => {
    const { outcome, reason } = await unread({});
    expect(outcome).toBe("not-applicable");
    expect(reason).toMatch(
      /^cannot be judged: the answer \(0\.\d MB\) fits the system's buffers; use a tool that answers with more than \d+ MB$/u,
    );
  });

  it("fails where more came than they hold", async () => {
    expect(await unread({ heldBytes: ANSWER_BYTES / 2 })).toMatchObject({
      outcome: "fail",
      reason: expect.stringContaining("flood got the whole answer") as string,
    });
  });

  it("passes where it is cut", async () => {
    expect(await unread({ cuts: true })).toMatchObject({ outcome: "pass" });
  });
});

describe("heldBytes", () => {
  const files = (wmem: string, rmem: string) => (path: string) => (path.endsWith("tcp_wmem") ? wmem : rmem);
  it("is what the sender's and the receiver's buffers may grow to", () => {
    expect(heldBytes(files("4096\t16384\t4194304\n", "4096\t131072\t33554432\n"))).toBe(37_748_736);
  });
  it.each([
    ["no such file", () => undefined],
    ["something else", files("4096", "a b c")],
  ])("is a safe size where the system does not say: %s", (_name, read) => {
    expect(heldBytes(read)).toBe(64_000_000);
  });
});
