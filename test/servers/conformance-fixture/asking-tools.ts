// Tools that ask the client during the call: directly, as the legacy era does, and by `input_required`, which the SDK
// turns into direct requests where the client is a legacy one.
import {
  CLIENT_CAPABILITIES_META_KEY,
  acceptedContent,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
} from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  ClientCapabilities,
  ElicitRequestFormParams,
  InputRequest,
  InputRequiredResult,
  McpServer,
  ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "./content-tools.ts";

interface FlowState {
  readonly step: number;
  readonly name?: string;
}

/** Of every `requestState` this server mints; a fixture has nothing to protect, only something to show. */
const codec = createRequestStateCodec<FlowState>({ key: "conformance-fixture-request-state-key-0001" });

export const verifyRequestState = codec.verify;

type Schema = ElicitRequestFormParams["requestedSchema"];

const form = (properties: Schema["properties"], required: string[]): Schema => ({
  type: "object",
  properties,
  required,
});
const ask = (message: string, field: string, type: "string" | "boolean", title?: string): InputRequest => {
  const titled = title === undefined ? {} : { title };
  return inputRequired.elicit({
    message,
    requestedSchema: form({ [field]: type === "string" ? { type, ...titled } : { type, ...titled } }, [
      field,
    ]),
  });
};
const sample = (prompt: string, maxTokens: number): InputRequest =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens,
  });

const DEFAULTS = form(
  {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
  [],
);

const OPTIONS = ["option1", "option2", "option3"];
const titled = (word: string): { const: string; title: string }[] =>
  ["First", "Second", "Third"].map((title, index) => ({
    const: `value${String(index + 1)}`,
    title: `${title} ${word}`,
  }));
const ENUMS = form(
  {
    untitledSingle: { type: "string", enum: OPTIONS },
    titledSingle: { type: "string", oneOf: titled("Option") },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
    titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
  },
  [],
);

/** Tools that send requests of their own: possible in the legacy era only. */
export function registerDirectAsks(server: McpServer): void {
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model.", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const { content } = await context.mcpReq.requestSampling({
        messages: [{ role: "user", content: { type: "text", text: prompt } }],
        maxTokens: 100,
      });
      return text(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  const elicit = async (
    context: ServerContext,
    message: string,
    requestedSchema: Schema,
  ): Promise<CallToolResult> => {
    const answer = await context.mcpReq.elicitInput({ mode: "form", message, requestedSchema });
    return text(
      `Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`,
    );
  };
  server.registerTool(
    "test_elicitation",
    {
      description: "Asks the user for a name and an address.",
      inputSchema: z.object({ message: z.string() }),
    },
    ({ message }, context) => {
      const fields = {
        username: { type: "string" as const, description: "User's response" },
        email: { type: "string" as const, description: "User's email address" },
      };
      return elicit(context, message, form(fields, ["username", "email"]));
    },
  );
  server.registerTool(
    "test_elicitation_sep1034_defaults",
    { description: "Asks the user with defaults of every type." },
    (context) => elicit(context, "Please check these values", DEFAULTS),
  );
  server.registerTool(
    "test_elicitation_sep1330_enums",
    { description: "Asks the user to choose, in every form a choice has." },
    (context) => elicit(context, "Please choose", ENUMS),
  );
}

/** Whatever has not been answered is asked for again. */
function unanswered(
  context: ServerContext,
  requests: Readonly<Record<string, InputRequest>>,
): Record<string, InputRequest> {
  const open = Object.entries(requests).filter(
    ([key]) => inputResponse(context.mcpReq.inputResponses, key).kind === "missing",
  );
  return Object.fromEntries(open);
}

function declaredCapabilities(server: McpServer, context: ServerContext): ClientCapabilities {
  const envelope = new Map<string, unknown>(Object.entries(context.mcpReq.envelope ?? {}));
  const declared = envelope.get(CLIENT_CAPABILITIES_META_KEY) as ClientCapabilities | undefined;
  return declared ?? server.server.getClientCapabilities() ?? {};
}

const ASK_NAME = { user_name: ask("What is your name?", "name", "string", "User name") };

/** Tools that ask once and keep nothing. */
export function registerStatelessAsks(server: McpServer): void {
  const once = (
    name: string,
    about: string,
    requests: Readonly<Record<string, InputRequest>>,
    finish: (context: ServerContext) => string,
  ): void => {
    server.registerTool(name, { description: about }, (context) => {
      const open = unanswered(context, requests);
      return Object.keys(open).length > 0 ? inputRequired({ inputRequests: open }) : text(finish(context));
    });
  };
  const nameOf = ({ mcpReq }: ServerContext): string =>
    acceptedContent<{ name?: string }>(mcpReq.inputResponses, "user_name")?.name ?? "nobody";
  once("test_input_required_result_elicitation", "Asks for a name.", ASK_NAME, (context) => {
    return `Hello, ${nameOf(context)}!`;
  });
  once("test_streaming_elicitation", "Asks for a name on a stream.", ASK_NAME, (context) => {
    return `Hello again, ${nameOf(context)}!`;
  });
  once(
    "test_input_required_result_sampling",
    "Asks the client's model for a capital.",
    { capital_question: sample("What is the capital of France?", 100) },
    ({ mcpReq }) =>
      `The model said: ${JSON.stringify(inputResponse(mcpReq.inputResponses, "capital_question"))}`,
  );
  once(
    "test_input_required_result_list_roots",
    "Asks for the client's roots.",
    { client_roots: inputRequired.listRoots() },
    ({ mcpReq }) => {
      const view = inputResponse(mcpReq.inputResponses, "client_roots");
      return `Roots: ${view.kind === "roots" ? view.roots.map((root) => root.uri).join(", ") : "none"}`;
    },
  );
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Asks only for what the client can do." },
    (context) => {
      const { elicitation, sampling } = declaredCapabilities(server, context);
      const requests = {
        ...(elicitation === undefined ? {} : ASK_NAME),
        ...(sampling === undefined ? {} : { greeting: sample("Write a greeting", 50) }),
      };
      const open = unanswered(context, requests);
      return Object.keys(open).length > 0
        ? inputRequired({ inputRequests: open })
        : text("Nothing left to ask.");
    },
  );
  // The SDK refuses a modern call whose client did not declare what the tool asks for; a legacy one is simply asked.
  const greeting = { greeting: sample("Write a greeting", 50) };
  server.registerTool(
    "test_missing_capability",
    { description: "Works with clients that offer sampling." },
    async (context) => {
      const { mcpReq } = context;
      if (mcpReq.envelope === undefined)
        await mcpReq.send({
          method: "sampling/createMessage",
          params: {
            messages: [{ role: "user", content: { type: "text", text: "Write a greeting" } }],
            maxTokens: 50,
          },
        });
      else if (Object.keys(unanswered(context, greeting)).length > 0)
        return inputRequired({ inputRequests: greeting });
      return text("The client offers sampling.");
    },
  );
}

/** Tools whose `requestState` decides what happens next. */
export function registerStatefulAsks(server: McpServer): void {
  const confirm = { confirm: ask("Please confirm", "ok", "boolean") };
  const confirmed = async (context: ServerContext): Promise<CallToolResult | InputRequiredResult> => {
    const state = context.mcpReq.requestState<FlowState>();
    const open = unanswered(context, confirm);
    if (state === undefined || Object.keys(open).length > 0)
      return inputRequired({ inputRequests: confirm, requestState: await codec.mint({ step: 1 }) });
    return text("state-ok");
  };
  for (const name of ["request_state", "tampered_state"])
    server.registerTool(
      `test_input_required_result_${name}`,
      { description: "Asks for a confirmation and trusts only its own state." },
      confirmed,
    );
  const three = {
    ...ASK_NAME,
    greeting: sample("Generate a greeting", 50),
    client_roots: inputRequired.listRoots(),
  };
  server.registerTool(
    "test_input_required_result_multiple_inputs",
    { description: "Asks for three things at once." },
    async (context) => {
      const open = unanswered(context, three);
      return Object.keys(open).length > 0
        ? inputRequired({ inputRequests: open, requestState: await codec.mint({ step: 1 }) })
        : text("All three were answered.");
    },
  );
  server.registerTool(
    "test_input_required_result_multi_round",
    { description: "Asks for a name, then for a colour." },
    async (context) => {
      const state = context.mcpReq.requestState<FlowState>();
      const responses = context.mcpReq.inputResponses;
      const color = acceptedContent<{ color?: string }>(responses, "step2")?.color;
      if (state?.step === 2 && color !== undefined) return text(`${state.name ?? "nobody"} likes ${color}.`);
      const name = acceptedContent<{ name?: string }>(responses, "step1")?.name;
      if (state?.step === 1 && name !== undefined)
        return inputRequired({
          inputRequests: { step2: ask("Step 2: What is your favorite color?", "color", "string") },
          requestState: await codec.mint({ step: 2, name }),
        });
      return inputRequired({
        inputRequests: { step1: ask("Step 1: What is your name?", "name", "string") },
        requestState: await codec.mint({ step: 1 }),
      });
    },
  );
}
