// What to paste so that common MCP clients talk to the gateway.
import { META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION, MODERN_VERSIONS } from "#mcp";
import type { JsonObject } from "#std";

export interface ConnectionEndpoint {
  /** Name the client shows for it, e.g. `sql-prod`. */
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

/** A call that is allowed with the endpoint's token; without one the lines only list tools. */
export interface SampleCall {
  readonly tool: string;
  readonly arguments: JsonObject;
}

export interface ConnectionBlock {
  readonly client: string;
  /** Where it goes: `terminal`, or a file. */
  readonly place: string;
  readonly text: string;
}

/** For one endpoint; for the others only name, URL and token differ. */
export function connectionBlocks(
  endpoint: ConnectionEndpoint,
  sample: SampleCall | undefined,
): readonly ConnectionBlock[] {
  const { name, url, token } = endpoint;
  const headers = { Authorization: `Bearer ${token}` };
  const settings = (value: JsonObject): string => JSON.stringify(value, null, 2);
  return [
    {
      client: "Claude Code",
      place: "terminal",
      text: `claude mcp add --transport http ${shellWord(name)} ${shellWord(url)} --header ${shellWord(`Authorization: Bearer ${token}`)}`,
    },
    {
      client: "VS Code",
      place: ".vscode/mcp.json",
      text: settings({ servers: { [name]: { type: "http", url, headers } } }),
    },
    {
      client: "Cursor",
      place: ".cursor/mcp.json",
      text: settings({ mcpServers: { [name]: { url, headers } } }),
    },
    { client: "MCP Inspector", place: "terminal", text: inspector(endpoint, sample) },
    { client: "curl", place: "terminal", text: curl(endpoint, sample) },
  ];
}

function inspector({ url, token }: ConnectionEndpoint, sample: SampleCall | undefined): string {
  const call =
    sample === undefined
      ? ["--method tools/list"]
      : [
          "--method tools/call",
          `--tool-name ${shellWord(sample.tool)}`,
          ...Object.entries(sample.arguments).map(([name, value]) => {
            const text = typeof value === "string" ? value : JSON.stringify(value);
            return `--tool-arg ${shellWord(`${name}=${text}`)}`;
          }),
        ];
  const words = [
    `npx @modelcontextprotocol/inspector --cli ${shellWord(url)} --transport http`,
    `--header ${shellWord(`Authorization: Bearer ${token}`)}`,
    ...call,
  ];
  return words.join(" \\\n  ");
}

// One POST is a whole conversation in MCP 2026-07-28; the legacy era would need three.
function curl({ url, token }: ConnectionEndpoint, sample: SampleCall | undefined): string {
  const version = MODERN_VERSIONS[0] ?? "";
  const method = sample === undefined ? "tools/list" : "tools/call";
  const named = sample === undefined ? {} : { name: sample.tool, arguments: sample.arguments };
  const meta = {
    [META_PROTOCOL_VERSION]: version,
    [META_CLIENT_INFO]: { name: "curl", version: "1" },
    [META_CLIENT_CAPABILITIES]: {},
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...named, _meta: meta } });
  const headers = [
    `Authorization: Bearer ${token}`,
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `MCP-Protocol-Version: ${version}`,
    `Mcp-Method: ${method}`,
    ...(sample === undefined ? [] : [`Mcp-Name: ${sample.tool}`]),
  ];
  const words = [
    `curl -s ${shellWord(url)}`,
    ...headers.map((header) => `-H ${shellWord(header)}`),
    `-d ${shellWord(body)}`,
  ];
  return words.join(" \\\n  ");
}

/** One word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
