// Demo MCP server `finance-restricted`: one tool that moves money, over stdio in both eras.
// Usage: node finance-restricted.ts [--calls-file f]   (each call that arrives is one line of f)
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";
import { createCallCounter } from "./call-counter.ts";
import { readDemoOptions } from "./demo-options.ts";

const options = readDemoOptions(0);
const counter = createCallCounter(options.callsFile);
let lastTransfer = 0;

function createServer(): McpServer {
  const server = new McpServer(
    { name: "finance-restricted", version: "1.0.0" },
    { instructions: "Wire transfers. Each call moves money." },
  );
  server.registerTool(
    "finance.wire_transfer",
    {
      title: "Wire transfer",
      description: "Transfers an amount in EUR to an account.",
      inputSchema: z.object({
        amount: z.number().positive().describe("Amount in EUR"),
        to_account: z.string().describe("IBAN of the receiver"),
      }),
      outputSchema: z.object({ transferId: z.string(), amount: z.number(), to_account: z.string() }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    },
    ({ amount, to_account }) => {
      counter.count("finance.wire_transfer");
      lastTransfer++;
      const done = { transferId: `T-${String(process.pid)}-${String(lastTransfer)}`, amount, to_account };
      return { content: [{ type: "text", text: JSON.stringify(done) }], structuredContent: done };
    },
  );
  return server;
}

const handle = serveStdio(createServer);
const stop = (): void => {
  handle.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
};
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
