// Reads the tool list for the bridge's own use: a tool that mirrors arguments cannot be called without its schema.
import { META_PROTOCOL_VERSION } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { readAnswer } from "./answer-reader.ts";
import { POST_HEADERS } from "./legacy-session.ts";
import { readClientLine } from "./message.ts";
import type { ClientLine } from "./message.ts";
import type { MirroredHeaders } from "./mirrored-headers.ts";
import { discard } from "./remote-endpoint.ts";
import type { RemoteEndpoint } from "./remote-endpoint.ts";

const MAX_PAGES = 100;

/** Lists every page with the envelope of `call`; true where the tool of `call` is known afterwards. */
export async function listTools(
  remote: RemoteEndpoint,
  call: ClientLine,
  headers: MirroredHeaders,
  signal: AbortSignal,
): Promise<boolean> {
  const meta = call.params?.["_meta"];
  if (!isJsonObject(meta) || meta[META_PROTOCOL_VERSION] === undefined) return false;
  const { progressToken: _dropped, ...envelope } = meta;
  let cursor: string | undefined;
  for (let page = 1; page <= MAX_PAGES; page++) {
    const params = { ...(cursor === undefined ? {} : { cursor }), _meta: envelope };
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: `aegis-connect-${String(page)}`,
      method: "tools/list",
      params,
    });
    const response = await remote.send(
      { method: "POST", headers: { ...POST_HEADERS, ...headers.headersOf(readClientLine(body)) }, body },
      signal,
    );
    if (!response.ok) {
      await discard(response);
      return false;
    }
    let result: JsonObject | undefined;
    await readAnswer(response, { lastEventId: undefined, retryMs: undefined }, ({ value }) => {
      if (isJsonObject(value) && isJsonObject(value["result"])) result = value["result"];
      return Promise.resolve();
    });
    if (result === undefined) return false;
    headers.learn(result);
    const next = result["nextCursor"];
    if (typeof next !== "string") break;
    cursor = next;
  }
  return headers.knows(call);
}
