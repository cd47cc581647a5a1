// Resources, subscriptions and prompts of the fixture.
import { ResourceTemplate, acceptedContent, completable, inputRequired } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { PNG } from "./content-tools.ts";

export function registerResources(server: McpServer): void {
  const fixed = (
    name: string,
    uri: string,
    mimeType: string,
    body: { text: string } | { blob: string },
  ): void => {
    server.registerResource(name, uri, { description: `The resource ${name}.`, mimeType }, () => ({
      contents: [{ uri, mimeType, ...body }],
    }));
  };
  fixed("static-text", "test://static-text", "text/plain", {
    text: "This is the content of the static text resource.",
  });
  fixed("static-binary", "test://static-binary", "image/png", { blob: PNG });
  fixed("watched-resource", "test://watched-resource", "text/plain", { text: "It may change at any time." });
  const mimeType = "application/json";
  server.registerResource(
    "template-data",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Data of one id.", mimeType },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType,
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );
  // The SDK leaves subscriptions of the legacy era to the server.
  const subscribed = new Set<string>();
  server.server.setRequestHandler("resources/subscribe", ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
}

const PLACES = ["paris", "park", "party", "testing"];

export function registerPrompts(server: McpServer): void {
  const user = (value: string): { role: "user"; content: { type: "text"; text: string } } => ({
    role: "user",
    content: { type: "text", text: value },
  });
  server.registerPrompt("test_simple_prompt", { description: "One sentence." }, () => ({
    messages: [user("This is a simple prompt for testing.")],
  }));
  const suggest = (value: string | undefined): string[] =>
    PLACES.filter((place) => place.startsWith(value ?? ""));
  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      description: "Two arguments in one sentence.",
      argsSchema: z.object({
        arg1: completable(z.string().describe("First test argument"), suggest),
        arg2: z.string().describe("Second test argument"),
      }),
    },
    ({ arg1, arg2 }) => ({ messages: [user(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    {
      description: "A resource and what to do with it.",
      argsSchema: z.object({ resourceUri: z.string().describe("URI of the resource to embed") }),
    },
    ({ resourceUri }) => ({
      messages: [
        {
          role: "user",
          content: {
            type: "resource",
            resource: {
              uri: resourceUri,
              mimeType: "text/plain",
              text: "Embedded resource content for testing.",
            },
          },
        },
        user("Please process the embedded resource above."),
      ],
    }),
  );
  server.registerPrompt(
    "test_prompt_with_image",
    { description: "An image and what to do with it." },
    () => ({
      messages: [
        { role: "user", content: { type: "image", data: PNG, mimeType: "image/png" } },
        user("Please analyze the image above."),
      ],
    }),
  );
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt that asks for its context first." },
    (context) => {
      const answer = acceptedContent<{ context?: string }>(context.mcpReq.inputResponses, "user_context");
      if (answer?.context !== undefined) return { messages: [user(`Context: ${answer.context}`)] };
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: "What context should the prompt use?",
            requestedSchema: {
              type: "object",
              properties: { context: { type: "string" } },
              required: ["context"],
            },
          }),
        },
      });
    },
  );
}
