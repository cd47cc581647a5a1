// One MCP server with each of the six primitives three times: for a call that is allowed, one that is denied and one
// whose messages are transformed. Made with the SDK, so that it serves both eras.
import { McpServer, acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type { InputRequest, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";

/** What stands in everything the server sends, and what a transform must take out. */
export const ADDRESS = "ada.lovelace@example.com";
export const VERDICTS = ["allowed", "denied", "transformed"] as const;
export type VerdictName = (typeof VERDICTS)[number];

export interface SixServerOptions {
  /** Told of everything that reached the server: `tool:<name>`, `resource:<uri>`, `prompt:<name>`. */
  readonly onReached: (what: string) => void;
}

function text(value: string): { content: { type: "text"; text: string }[] } {
  return { content: [{ type: "text", text: value }] };
}

const PAYLOAD = JSON.stringify({ note: "six", email: ADDRESS });

export function createSixServer({ onReached }: SixServerOptions): McpServer {
  const server = new McpServer(
    { name: "six-primitives", version: "1.0.0" },
    { capabilities: { tools: {}, resources: {}, prompts: {} } },
  );
  for (const verdict of VERDICTS) {
    registerListed(server, verdict, onReached);
    registerAsking(server, verdict, onReached);
  }
  return server;
}

function registerListed(server: McpServer, verdict: VerdictName, onReached: (what: string) => void): void {
  server.registerTool(
    `tool_${verdict}`,
    { description: `A tool that is ${verdict}.`, inputSchema: z.object({ word: z.string() }) },
    ({ word }) => {
      onReached(`tool:tool_${verdict}:${word}`);
      return text(PAYLOAD);
    },
  );
  const uri = `six://resource/${verdict}`;
  server.registerResource(
    `resource-${verdict}`,
    uri,
    { description: `A resource that is ${verdict}.`, mimeType: "application/json" },
    () => {
      onReached(`resource:${uri}`);
      return { contents: [{ uri, mimeType: "application/json", text: PAYLOAD }] };
    },
  );
  server.registerPrompt(`prompt_${verdict}`, { description: `A prompt that is ${verdict}.` }, () => {
    onReached(`prompt:prompt_${verdict}`);
    return { messages: [{ role: "user" as const, content: { type: "text" as const, text: PAYLOAD } }] };
  });
}

/** Tools that ask the client for something and tell what they were given. */
function registerAsking(server: McpServer, verdict: VerdictName, onReached: (what: string) => void): void {
  const asking = (
    name: string,
    request: InputRequest,
    finish: (context: ServerContext) => string | undefined,
  ): void => {
    const tool = `${name}_${verdict}`;
    server.registerTool(tool, { description: `Asks for ${name}; ${verdict}.` }, (context) => {
      onReached(`tool:${tool}`);
      if (inputResponse(context.mcpReq.inputResponses, "one").kind === "missing")
        return inputRequired({ inputRequests: { one: request } });
      return text(JSON.stringify({ answered: finish(context) ?? "nothing" }));
    });
  };
  const message = `${verdict}: please write to ${ADDRESS}`;
  asking(
    "sampling",
    inputRequired.createMessage({
      messages: [{ role: "user", content: { type: "text", text: message } }],
      maxTokens: verdict === "denied" ? 5_000 : 50,
    }),
    ({ mcpReq }) => JSON.stringify(inputResponse(mcpReq.inputResponses, "one")),
  );
  const field = verdict === "denied" ? "password" : "word";
  asking(
    "elicitation",
    inputRequired.elicit({
      message,
      requestedSchema: { type: "object", properties: { [field]: { type: "string" } }, required: [field] },
    }),
    ({ mcpReq }) => acceptedContent<Record<string, string>>(mcpReq.inputResponses, "one")?.[field],
  );
  asking("roots", inputRequired.listRoots(), ({ mcpReq }) => {
    const view = inputResponse(mcpReq.inputResponses, "one");
    return view.kind === "roots" ? view.roots.map((root) => root.uri).join(" ") : view.kind;
  });
}
