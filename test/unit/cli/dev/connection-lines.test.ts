// What a user pastes must survive the shell and the parsers of the clients.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { connectionBlocks, shellWord } from "../../../../cli/dev/connection-lines.ts";

const ENDPOINT = { name: "sql-prod", url: "http://127.0.0.1:8080/sql-prod/mcp", token: "aaa.bbb.ccc" };

function textFor(client: string, sample?: Parameters<typeof connectionBlocks>[1]): string {
  const block = connectionBlocks(ENDPOINT, sample).find((item) => item.client === client);
  if (block === undefined) throw new Error(`no lines for ${client}`);
  return block.text;
}

/** The words a POSIX shell makes of a command line. */
function words(line: string): readonly string[] {
  const [, ...rest] = line.split(" ");
  const script = `printf '%s\\0' ${rest.join(" ")}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

describe("shellWord", () => {
  it.each(["", "plain", "two words", "it's", '"; rm -rf /', "$HOME `id` $(id)", "a\nb", "\\", "*", "~", "ü"])(
    "%j is one word and unchanged",
    (text) => {
      expect(words(`x ${shellWord(text)}`)).toEqual([text]);
    },
  );
});

describe("connectionBlocks", () => {
  it("names each common client once", () => {
    expect(connectionBlocks(ENDPOINT, undefined).map((block) => [block.client, block.place])).toEqual([
      ["Claude Code", "terminal"],
      ["VS Code", ".vscode/mcp.json"],
      ["Cursor", ".cursor/mcp.json"],
      ["MCP Inspector", "terminal"],
      ["curl", "terminal"],
    ]);
  });

  it("gives Claude Code the header as one word", () => {
    expect(words(textFor("Claude Code"))).toEqual([
      "mcp",
      "add",
      "--transport",
      "http",
      "sql-prod",
      ENDPOINT.url,
      "--header",
      "Authorization: Bearer aaa.bbb.ccc",
    ]);
  });

  it("writes settings that are JSON", () => {
    const headers = { Authorization: "Bearer aaa.bbb.ccc" };
    expect(JSON.parse(textFor("VS Code"))).toEqual({
      servers: { "sql-prod": { type: "http", url: ENDPOINT.url, headers } },
    });
    expect(JSON.parse(textFor("Cursor"))).toEqual({
      mcpServers: { "sql-prod": { url: ENDPOINT.url, headers } },
    });
  });

  it("calls the sample tool with quotes in its arguments", () => {
    const sql = "SELECT 'it''s', \"x\" FROM t";
    const sample = { tool: "sql.query", arguments: { sql, limit: 3 } };
    expect(words(textFor("MCP Inspector", sample))).toEqual(
      expect.arrayContaining(["--method", "tools/call", "--tool-name", "sql.query", `sql=${sql}`, "limit=3"]),
    );
    const curl = words(textFor("curl", sample));
    const body = JSON.parse(curl.at(-1) ?? "") as { params: { arguments: unknown } };
    expect(body.params.arguments).toEqual({ sql, limit: 3 });
    expect(curl).toEqual(expect.arrayContaining(["Mcp-Method: tools/call", "Mcp-Name: sql.query"]));
  });

  it("lists tools where no call is known", () => {
    expect(textFor("MCP Inspector")).toContain("--method tools/list");
    expect(textFor("curl")).toContain('"method":"tools/list"');
  });
});
