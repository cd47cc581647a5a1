// Tools that answer at once: every kind of content, an error, progress, log lines, and schemas with rare keywords.
import { setTimeout as wait } from "node:timers/promises";
import { fromJsonSchema } from "@modelcontextprotocol/server";
import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";

/** One red pixel. */
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/** A WAV file of no samples. */
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
const STEP_MS = 30;
/** Of a tool whose stream is to end before its answer, where the server has none to end: whoever is in between may. */
const LONG_MS = 6_000;

/** JSON Schema 2020-12 beyond what SDKs generate (SEP-1613, SEP-2106). */
const RARE_KEYWORDS = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

const MIRRORED = {
  type: "object",
  properties: { region: { type: "string", "x-mcp-header": "Region" } },
};

export function text(value: string): CallToolResult {
  return { content: [{ type: "text", text: value }] };
}

const RESULTS: Readonly<Record<string, { readonly about: string; readonly result: CallToolResult }>> = {
  // The suite calls whichever tool a list names first without arguments; sorted or not, that is this one.
  about_fixture: { about: "Says what this server is.", result: text("A server for the conformance suite.") },
  test_simple_text: {
    about: "Answers with one text.",
    result: text("This is a simple text response for testing."),
  },
  test_image_content: {
    about: "Answers with an image.",
    result: { content: [{ type: "image", data: PNG, mimeType: "image/png" }] },
  },
  test_audio_content: {
    about: "Answers with audio.",
    result: { content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }] },
  },
  test_embedded_resource: {
    about: "Answers with a resource inside.",
    result: {
      content: [
        {
          type: "resource",
          resource: {
            uri: "test://embedded-resource",
            mimeType: "text/plain",
            text: "This is an embedded resource content.",
          },
        },
      ],
    },
  },
  test_multiple_content_types: {
    about: "Answers with text, an image and a resource.",
    result: {
      content: [
        { type: "text", text: "Multiple content types test:" },
        { type: "image", data: PNG, mimeType: "image/png" },
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    },
  },
};

export function registerContentTools(server: McpServer): void {
  for (const [name, { about, result }] of Object.entries(RESULTS))
    server.registerTool(name, { description: about }, () => result);
  server.registerTool("test_error_handling", { description: "Always fails." }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    {
      description: "Tool with JSON Schema 2020-12 features",
      inputSchema: fromJsonSchema<Readonly<Record<string, unknown>>>(RARE_KEYWORDS),
    },
    (args) => text(`Called with ${Object.keys(args).join(", ")}`),
  );
  server.registerTool(
    "test_x_mcp_header",
    {
      description: "Names a region that is mirrored in a header.",
      inputSchema: fromJsonSchema<{ region?: string }>(MIRRORED),
    },
    ({ region }) => text(`Region: ${region ?? "none"}`),
  );
}

/** Tools that send notifications before they answer. */
export function registerNotifyingTools(server: McpServer): void {
  server.registerTool(
    "test_tool_with_progress",
    { description: "Reports its progress in three steps." },
    async (context) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined)
          await context.mcpReq.notify({
            method: "notifications/progress",
            params: { progressToken, progress, total: 100 },
          });
        if (progress < 100) await wait(STEP_MS);
      }
      return text("Progress was reported.");
    },
  );
  const lines = ["Tool execution started", "Tool processing data", "Tool execution completed"];
  for (const name of ["test_tool_with_logging", "test_logging_tool"])
    server.registerTool(name, { description: "Writes three log lines." }, async (context) => {
      for (const [index, line] of lines.entries()) {
        if (index > 0) await wait(STEP_MS);
        await context.mcpReq.log("info", line);
      }
      return text("Three lines were logged.");
    });
  server.registerTool(
    "test_reconnection",
    { description: "Ends its stream before it answers, so that the client has to come back." },
    async (context) => {
      const endStream = context.http?.closeSSE;
      endStream?.();
      await wait(endStream === undefined ? LONG_MS : STEP_MS);
      return text("Reconnection test completed.");
    },
  );
}
