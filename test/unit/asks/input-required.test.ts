// What is asked in an answer, entry by entry: where its state opens, and what the log says of entries that a refused one
// stands beside.
import { describe, expect, it } from "vitest";
import { createSealer } from "#sealing";
import type { JsonObject } from "#std";
import type { AskDesk, OpenAsk } from "../../../runtime/asks/ask-desk.ts";
import { createInputRounds } from "../../../runtime/asks/input-required.ts";
import type { Answered } from "../../../runtime/pipeline/exchange.ts";

const sealer = createSealer({ key: new Uint8Array(32).fill(7), nowMs: () => 0 });
const CAPABILITIES = { elicitation: { form: {} } };
const signal = new AbortController().signal;

/** A desk that refuses messages that say so, and keeps how each ask ended. */
function deskOf(outcomes: string[]): AskDesk {
  let asked = 0;
  return {
    ask: (context, _method, params) => {
      const given = params as JsonObject;
      if (given["message"] === "refused") {
        const refusal = { code: "POLICY_DENIED", isUndeclared: false, detail: "no", policies: [] } as const;
        return Promise.resolve({ ok: false, refusal });
      }
      const ask = { method: "elicitation/create", params: given } as const;
      return Promise.resolve({ ok: true, id: `d-${String((asked += 1))}`, ask, context, startedMs: 0 });
    },
    deliver: ({ id }: OpenAsk) => Promise.resolve(void outcomes.push(`${id} delivered`)),
    abandon: ({ id }, code, detail) => {
      outcomes.push(`${id} ${code}`);
      return Promise.resolve({ code, isUndeclared: false, detail, policies: [] });
    },
    refuse: () => Promise.reject(new Error("no refusals here")),
    answer: ({ id, ask }, answer) => {
      outcomes.push(`${id} answered`);
      const result = (answer as { readonly result: JsonObject }).result;
      const refused = {
        code: "ASK_ANSWER_INVALID",
        isUndeclared: false,
        detail: "no",
        policies: [],
      } as const;
      const fits = ask.params["message"] !== "unfitting";
      return Promise.resolve(fits ? { kind: "result", result } : { kind: "refused", refusal: refused });
    },
    returned: (_context, _ask, answer) =>
      Promise.resolve({ ok: true, result: answer as JsonObject, stripped: 0 }),
  };
}

function exchangeAt(path: string, params: JsonObject = {}, transform?: object): Answered {
  const server = { entry: { id: "desk", leaves: [] }, methods: new Map() };
  const meta = { "io.modelcontextprotocol/clientCapabilities": CAPABILITIES };
  return {
    id: "call-1",
    era: "modern",
    protocolVersion: "2026-07-28",
    inbound: { remoteAddress: "" },
    principal: { bindingKey: "ada", facts: {}, missingAttributes: [] },
    message: { kind: "request", id: 1, method: "tools/call", params: { name: "t", ...params, _meta: meta } },
    method: { method: "tools/call" },
    target: { kind: "leaf", server, action: "tools/call:desk/t" },
    route: { entry: { path }, servers: [server] },
    snapshot: { transformFor: () => transform },
  } as unknown as Answered;
}

const form = (message: string): JsonObject => ({
  method: "elicitation/create",
  params: { mode: "form", message, requestedSchema: { type: "object", properties: {} } },
});

async function stateFrom(path: string): Promise<string> {
  const rounds = createInputRounds(deskOf([]), sealer);
  const governed = await rounds.govern(exchangeAt(path), { requestState: "own" }, signal);
  if (!governed.ok || governed.answer.kind !== "result") throw new Error("refused");
  return String(governed.answer.result["requestState"]);
}

describe("the state of a call", () => {
  it("opens at the endpoint that the call was made at", async () => {
    const rounds = createInputRounds(deskOf([]), sealer);
    const requestState = await stateFrom("/mcp/here");
    const retried = await rounds.retried(exchangeAt("/mcp/here", { requestState }), signal);
    expect(retried?.params).toEqual({ requestState: "own" });
    const elsewhere = rounds.retried(exchangeAt("/mcp/there", { requestState }), signal);
    await expect(elsewhere).rejects.toMatchObject({ code: "REQUEST_STATE_INVALID" });
  });
});

describe("entries beside a refused one", () => {
  it("are not recorded as delivered", async () => {
    const outcomes: string[] = [];
    const inputRequests = { a: form("asked"), b: form("refused") };
    const governed = await createInputRounds(deskOf(outcomes), sealer).govern(
      exchangeAt("/mcp/here"),
      { inputRequests },
      signal,
    );
    expect(governed.ok).toBe(false);
    expect(outcomes).toEqual(["d-1 SERVER_REQUEST_DENIED"]);
  });

  it("have an outcome too where what is asked is more than a client can carry", async () => {
    const outcomes: string[] = [];
    const title = "x".repeat(100_000);
    const { method, params } = form("asked");
    const requestedSchema = { type: "object", title, properties: {} };
    const inputRequests = {
      a: { method, params: { ...(params as JsonObject), requestedSchema } },
    } as JsonObject;
    const governing = createInputRounds(deskOf(outcomes), sealer).govern(
      exchangeAt("/mcp/here"),
      { inputRequests },
      signal,
    );
    await expect(governing).rejects.toMatchObject({ code: "RESULT_TOO_LARGE" });
    expect(outcomes).toEqual(["d-1 RESULT_TOO_LARGE"]);
  });

  it("are delivered where all may be asked", async () => {
    const outcomes: string[] = [];
    const inputRequests = { a: form("one"), b: form("two") };
    const rounds = createInputRounds(deskOf(outcomes), sealer);
    expect((await rounds.govern(exchangeAt("/mcp/here"), { inputRequests }, signal)).ok).toBe(true);
    expect(outcomes).toEqual(["d-1 delivered", "d-2 delivered"]);
  });
});

describe("an answer that came before the question", () => {
  const answer = { action: "accept", content: {} };
  const given = async (message: string, outcomes: string[]): Promise<unknown> => {
    const ahead = createInputRounds(deskOf(outcomes), sealer).ahead(exchangeAt("/mcp/here"), signal);
    const { method, params } = form(message);
    return ahead?.({ method: method as string, params: params as JsonObject }, answer);
  };

  it("is decided together with it, and recorded", async () => {
    const outcomes: string[] = [];
    expect(await given("asked", outcomes)).toEqual({ kind: "result", result: answer });
    expect(outcomes).toEqual(["d-1 answered"]);
  });

  it.each(["refused", "unfitting"])("does not reach the server where it is %s", async (message) => {
    expect(await given(message, [])).toBeUndefined();
  });

  it("is not looked at where a transform covers the call", () => {
    const rounds = createInputRounds(deskOf([]), sealer);
    expect(rounds.ahead(exchangeAt("/mcp/here", {}, {}), signal)).toBeUndefined();
  });
});
