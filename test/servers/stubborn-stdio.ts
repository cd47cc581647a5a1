// An MCP server over standard input and output, of either SDK, that goes on living when its input ends, as one with an
// open timer or database does. Usage: node stubborn-stdio.ts legacy|modern|silent <directory> [--ignores-sigterm]
// Every process of it leaves a file in the directory, named by its process id, with a letter for each call that waits.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { McpServer as ModernServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

const [era, dir, stubbornness] = process.argv.slice(2);
if (dir === undefined) throw new Error("no directory is given");
const file = join(dir, String(process.pid));
appendFileSync(file, "");
if (stubbornness === "--ignores-sigterm") process.on("SIGTERM", () => undefined);
setInterval(() => undefined, 1_000);

type Answer = { content: { type: "text"; text: string }[] };
const identity = { name: "stubborn", version: "1.0.0" };
const pid = (): Answer => ({ content: [{ type: "text", text: String(process.pid) }] });
/** Never answers. */
const wait = (): Promise<Answer> => {
  appendFileSync(file, "w");
  return new Promise(() => undefined);
};

if (era === "legacy") {
  const server = new LegacyServer(identity);
  server.registerTool("pid", { description: "Says its process id." }, pid);
  server.registerTool("wait", { description: "Never answers." }, wait);
  await server.connect(new StdioServerTransport());
} else if (era === "modern") {
  serveStdio(
    () => {
      const server = new ModernServer(identity);
      server.registerTool("pid", { description: "Says its process id." }, pid);
      server.registerTool("wait", { description: "Never answers." }, wait);
      return server;
    },
    { legacy: "reject" },
  );
}
