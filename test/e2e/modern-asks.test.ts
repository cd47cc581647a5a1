// What a modern server asks of its client: entries of `input_required`, the state a client carries, and its retry.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyAuditLog } from "#audit";
import { FILE_ROOTS, SERVER, asksOf, startAskingWorld } from "./asking-world.ts";
import type { AskingWorld } from "./asking-world.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER } from "./gateway-world.ts";
import { rawRequest } from "./raw-call.ts";

const CAPABILITIES = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

let world: AskingWorld;

beforeAll(async () => {
  world = await startAskingWorld(asksOf(FILE_ROOTS));
});

afterAll(() => world.stop());

type Body = Record<string, unknown>;

interface Asking {
  readonly inputRequests: Record<string, { readonly method: string; readonly params: Body }>;
  readonly requestState: string;
}

async function post(
  name: string,
  more: Body = {},
  options: { readonly token?: string; readonly capabilities?: Body; readonly args?: Body } = {},
): ReturnType<typeof rawRequest> {
  return rawRequest(world.endpoint(SERVER), {
    method: "tools/call",
    name,
    params: { name, arguments: options.args ?? {}, ...more },
    token: options.token ?? (await world.token(DEVELOPER, SERVER)),
    capabilities: options.capabilities ?? CAPABILITIES,
  });
}

async function asking(name: string): Promise<Asking> {
  const { result } = await post(name);
  expect(result).toMatchObject({ resultType: "input_required" });
  return result as unknown as Asking;
}

describe("a modern server asks its client", () => {
  it("and the SDK's own client answers", async () => {
    const client = new Client(
      { name: "asked", version: "1.0.0" },
      { capabilities: CAPABILITIES, versionNegotiation: { mode: "auto" } },
    );
    client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }));
    client.setRequestHandler("sampling/createMessage", () => ({
      role: "assistant",
      content: { type: "text", text: "Hello" },
      model: "m-1",
    }));
    client.setRequestHandler("roots/list", () => ({
      roots: [{ uri: "file:///home/ada" }, { uri: "https://example.com/" }],
    }));
    const token = await world.token(DEVELOPER, SERVER);
    await client.connect(
      new StreamableHTTPClientTransport(world.endpoint(SERVER), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
      }),
    );
    const call = async (name: string): Promise<string> =>
      JSON.stringify((await client.callTool({ name, arguments: {} })).content);
    expect(await call("test_input_required_result_elicitation")).toContain("Hello, Ada!");
    expect(await call("test_input_required_result_sampling")).toContain("Hello");
    const roots = await call("test_input_required_result_list_roots");
    expect(roots).toContain("file:///home/ada");
    expect(roots).not.toContain("example.com");
    expect(await call("test_input_required_result_multiple_inputs")).toContain("All three were answered.");
    await client.close();
  });

  it("says who asks, and records what was asked and answered", async () => {
    const first = await asking("test_input_required_result_request_state");
    expect(first.inputRequests).toMatchObject({
      confirm: { method: "elicitation/create", params: { _meta: { "dev.aegis/server": SERVER } } },
    });
    const second = await post("test_input_required_result_request_state", {
      inputResponses: { confirm: { action: "accept", content: { ok: true } } },
      requestState: first.requestState,
    });
    expect(JSON.stringify(second.result)).toContain("state-ok");
    const records = (await readAuditRecords(world.gateway.auditDir)).map(({ body }) => body);
    const retry = records.find(
      (body) =>
        Array.isArray(body["answers"]) &&
        body["effect"] === "allow" &&
        body["target"] === `tools/call:${SERVER}/test_input_required_result_request_state`,
    );
    const [asked] = retry?.["answers"] as string[];
    expect(records.filter((body) => body["id"] === asked)).toMatchObject([
      { effect: "allow", direction: "server-to-client", method: "elicitation/create" },
      { outcome: "accepted" },
    ]);
  });
});

describe("what a client carries back", () => {
  const TOOL = "test_input_required_result_request_state";
  const YES = { inputResponses: { confirm: { action: "accept", content: { ok: true } } } };

  it.each([
    ["a state that was changed", (state: string) => `${state.slice(0, -2)}AA`],
    ["a state with something after it", (state: string) => `${state}-TAMPERED`],
    ["a state of the client's own making", () => "e30"],
  ])("%s is refused", async (_what, change) => {
    const { requestState } = await asking(TOOL);
    const retry = await post(TOOL, { ...YES, requestState: change(requestState) });
    expect(retry.error).toMatchObject({ code: -32602, data: { code: "REQUEST_STATE_INVALID" } });
  });

  it("another caller's state is refused", async () => {
    const { requestState } = await asking(TOOL);
    const token = await world.token({ ...DEVELOPER, subject: "mallory" }, SERVER);
    const retry = await post(TOOL, { ...YES, requestState }, { token });
    expect(retry.error?.data?.code).toBe("REQUEST_STATE_INVALID");
  });

  it("the state of another tool, or of other arguments, is refused", async () => {
    const { requestState } = await asking(TOOL);
    const other = await post("test_input_required_result_tampered_state", { ...YES, requestState });
    expect(other.error?.data?.code).toBe("REQUEST_STATE_INVALID");
    const changed = await post(TOOL, { ...YES, requestState }, { args: { more: 1 } });
    expect(["REQUEST_STATE_INVALID", "ARGUMENTS_INVALID"]).toContain(changed.error?.data?.code);
  });

  it.each([
    ["a field nobody asked for", { action: "accept", content: { ok: true, card: "4111" } }],
    ["a value of another type", { action: "accept", content: { ok: "yes" } }],
    ["an unknown action", { action: "obey" }],
    ["a number", 7],
  ])("%s is no answer", async (_what, confirm) => {
    const { requestState } = await asking(TOOL);
    const retry = await post(TOOL, { inputResponses: { confirm }, requestState });
    expect(retry.error).toMatchObject({ code: -32602, data: { code: "ASK_ANSWER_INVALID" } });
  });

  it("what nobody asked for is not passed on, and without a state a form is judged by its fields", async () => {
    const name = { action: "accept", content: { name: "Ada" } };
    const retry = await post("test_input_required_result_elicitation", {
      inputResponses: { user_name: name, other: { action: "accept", content: { x: 1 } } },
    });
    expect(JSON.stringify(retry.result)).toContain("Hello, Ada!");
    const wrong = await post("test_input_required_result_elicitation", {
      inputResponses: { user_name: 12_345 },
    });
    expect(wrong.result).toMatchObject({ resultType: "input_required" });
    const nothing = await post("test_input_required_result_elicitation", { inputResponses: null });
    expect(nothing.error?.data?.code).toBe("ASK_ANSWER_INVALID");
  });
});

describe("what may be asked", () => {
  it("is what the client declared: a server that needs more is told so, and so is the client", async () => {
    const asked = await post(
      "test_input_required_result_capabilities",
      {},
      { capabilities: { sampling: {} } },
    );
    expect(Object.keys((asked.result as unknown as Asking).inputRequests)).toEqual(["greeting"]);
    const missing = await post("test_missing_capability", {}, { capabilities: {} });
    expect(missing).toMatchObject({
      status: 400,
      error: { code: -32021, data: { requiredCapabilities: { sampling: {} } } },
    });
  });

  it("is what the policies permit, under the release of that moment", async () => {
    const { requestState } = await asking("test_input_required_result_request_state");
    await world.release(
      world.repository(
        [
          "metadata: { name: asks, reason: only models are asked }",
          "scope: { principals: { in: [Developer] } }",
          'allow: { sampling: ["*"] }',
          `sampling: { ${SERVER}: { maxTokens: 60 } }`,
          "",
        ].join("\n"),
      ),
    );
    const late = await post("test_input_required_result_request_state", {
      inputResponses: { confirm: { action: "accept", content: { ok: true } } },
      requestState,
    });
    expect(late.error?.data?.code).toBe("POLICY_DENIED");
    // Not told that the client can be asked for input, the server asks for what is left.
    const asked = await post("test_input_required_result_capabilities");
    expect(Object.keys((asked.result as unknown as Asking).inputRequests)).toEqual(["greeting"]);
    const tooMuch = await post("test_input_required_result_sampling");
    expect(tooMuch.error).toMatchObject({ code: 4030, data: { code: "SERVER_REQUEST_DENIED" } });
  });
});

it("leaves a log that is whole, with an outcome for everything that was allowed", async () => {
  const { auditDir } = world.gateway;
  await world.gateway.stop();
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});
