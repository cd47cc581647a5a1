// One MCP server with everything that the scenarios of the conformance suite ask for.
import { McpServer } from "@modelcontextprotocol/server";
import {
  registerDirectAsks,
  registerStatefulAsks,
  registerStatelessAsks,
  verifyRequestState,
} from "./asking-tools.ts";
import { registerContentTools, registerNotifyingTools, text } from "./content-tools.ts";
import { registerPrompts, registerResources } from "./resources-and-prompts.ts";

/** Who tells listeners that a list changed; absent where the server itself holds the connection. */
export interface ChangeNotifier {
  readonly toolsChanged: () => void;
  readonly promptsChanged: () => void;
}

export function createFixtureServer(notifier?: ChangeNotifier): McpServer {
  const server = new McpServer(
    { name: "conformance-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: verifyRequestState },
    },
  );
  registerContentTools(server);
  registerNotifyingTools(server);
  registerDirectAsks(server);
  registerStatelessAsks(server);
  registerStatefulAsks(server);
  registerResources(server);
  registerPrompts(server);
  const changes = notifier ?? {
    toolsChanged: () => server.sendToolListChanged(),
    promptsChanged: () => server.sendPromptListChanged(),
  };
  server.registerTool("test_trigger_tool_change", { description: "Says that the tools changed." }, () => {
    changes.toolsChanged();
    return text("Tools changed.");
  });
  server.registerTool("test_trigger_prompt_change", { description: "Says that the prompts changed." }, () => {
    changes.promptsChanged();
    return text("Prompts changed.");
  });
  return server;
}
