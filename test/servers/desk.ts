// An MCP server that is easy to tell from another one of its kind, with names and URIs that the other one has too.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { McpServer, ResourceTemplate, completable, createMcpHandler } from "@modelcontextprotocol/server";
import { z } from "zod";

export interface DeskServer {
  readonly url: string;
  /** What reached the server, in order: `look`, `prompt:hello`, `read:<uri>`. */
  readonly reached: readonly string[];
  /** While set, calls of `look` wait for it. */
  hold: Promise<void> | undefined;
  /** While true, it takes connections and requests and says nothing, as a stopped process. */
  isHung: boolean;
  /** HTTP requests so far. */
  readonly requests: () => number;
  readonly close: () => Promise<void>;
}

export const SHARED_URI = "desk://shared/note";

interface Desk {
  readonly name: string;
  readonly reached: string[];
  hold: Promise<void> | undefined;
  isHung: boolean;
}

function createDesk(desk: Desk): McpServer {
  const { name, reached } = desk;
  const server = new McpServer({ name, version: "1.0.0" }, { instructions: `Ask ${name} politely.` });
  const ownUri = `desk://${name}/own`;
  server.registerTool("look", { description: `Looks at ${name}.` }, async () => {
    reached.push("look");
    await desk.hold;
    return {
      content: [
        { type: "text" as const, text: `${name} looked` },
        { type: "resource_link" as const, uri: SHARED_URI, name: "shared" },
        { type: "resource_link" as const, uri: ownUri, name: "own" },
      ],
    };
  });
  server.registerTool("erase", { description: "Erases everything." }, () => {
    reached.push("erase");
    return { content: [{ type: "text" as const, text: `${name} erased` }] };
  });
  for (const [label, uri] of [
    ["shared", SHARED_URI],
    ["own", ownUri],
  ] as const) {
    server.registerResource(label, uri, {}, () => {
      reached.push(`read:${uri}`);
      return { contents: [{ uri, text: `${label} of ${name}` }] };
    });
  }
  const list = { list: undefined, complete: { page: () => [`${name}-1`] } };
  server.registerResource("pages", new ResourceTemplate("desk://pages/{page}", list), {}, (uri) => {
    reached.push(`read:${uri.href}`);
    return { contents: [{ uri: uri.href, text: `page of ${name}` }] };
  });
  const argsSchema = z.object({ who: completable(z.string(), () => [`${name}-friend`]) });
  server.registerPrompt("hello", { argsSchema }, ({ who }) => {
    reached.push("prompt:hello");
    const resource = { uri: SHARED_URI, text: `${who} of ${name}` };
    return { messages: [{ role: "user" as const, content: { type: "resource" as const, resource } }] };
  });
  return server;
}

/** Both eras on one path, the legacy one without sessions. @param port 0 = any free one */
export async function startDeskServer(name: string, port = 0): Promise<DeskServer> {
  const desk: Desk = { name, reached: [], hold: undefined, isHung: false };
  const handler = createMcpHandler(() => createDesk(desk), { legacy: "stateless" });
  const serve = toNodeHandler(handler);
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    if (desk.isHung) return;
    void Promise.resolve(serve(request as NodeIncomingMessageLike, response)).catch(() => response.destroy());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(desk, {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`,
    requests: () => requests,
    close: async () => {
      await handler.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
