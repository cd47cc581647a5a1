import { afterEach, expect, it } from "vitest";
import { createRemoteEndpoint } from "../../../../cli/connect/remote-endpoint.ts";
import type { RemoteEndpoint } from "../../../../cli/connect/remote-endpoint.ts";

let endpoint: RemoteEndpoint | undefined;
afterEach(() => endpoint?.close());

it("says of a port that no fetch connects to that nothing was sent, at once", async () => {
  const notes: string[] = [];
  const tokens = { current: () => Promise.resolve("t"), renew: () => Promise.reject(new Error("no login")) };
  endpoint = createRemoteEndpoint(new URL("http://127.0.0.1:9/mcp"), tokens, (text) => notes.push(text));
  const sent = endpoint.send({ method: "POST", headers: {}, body: "{}" }, AbortSignal.timeout(5_000));
  await expect(sent).rejects.toMatchObject({
    code: "GATEWAY_UNREACHABLE",
    message: "cannot reach 127.0.0.1:9 (bad port)",
    remedy: "HTTP clients never connect to this port; serve the gateway on another",
  });
  expect(notes).toEqual([]);
});
