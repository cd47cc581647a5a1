// Six primitives × allowed, denied, transformed × both eras × four transports: every cell is played by a client on the
// wire against a gateway whose server is reached over the same transport.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { ADDRESS, VERDICTS } from "../servers/six-primitives/six-server.ts";
import type { VerdictName } from "../servers/six-primitives/six-server.ts";
import type { Answer, Ask, AnswerAsk, Era, Leg, TransportName } from "./leg.ts";
import { startMatrixWorld } from "./matrix-world.ts";
import type { MatrixWorld } from "./matrix-world.ts";

const LEGS: readonly (readonly [TransportName, Era])[] = [
  ["http", "legacy"],
  ["http", "modern"],
  ["sse", "legacy"],
  ["websocket", "legacy"],
  ["websocket", "modern"],
  ["stdio", "legacy"],
  ["stdio", "modern"],
];

type Listed = "tools" | "resources" | "prompts";
type Asked = "sampling" | "elicitation" | "roots";

const LISTED: Readonly<Record<Listed, (verdict: VerdictName) => readonly [string, JsonObject]>> = {
  tools: (verdict) => ["tools/call", { name: `tool_${verdict}`, arguments: { word: "six" } }],
  resources: (verdict) => ["resources/read", { uri: `six://resource/${verdict}` }],
  prompts: (verdict) => ["prompts/get", { name: `prompt_${verdict}` }],
};
const REACHED: Readonly<Record<Listed, (verdict: VerdictName) => string>> = {
  tools: (verdict) => `tool:tool_${verdict}:six`,
  resources: (verdict) => `resource:six://resource/${verdict}`,
  prompts: (verdict) => `prompt:prompt_${verdict}`,
};

const METHODS: Readonly<Record<Asked, string>> = {
  sampling: "sampling/createMessage",
  elicitation: "elicitation/create",
  roots: "roots/list",
};
const GIVEN = "given-by-the-client";
const ANSWERS: Readonly<Record<Asked, JsonObject>> = {
  sampling: { role: "assistant", model: "test", content: { type: "text", text: GIVEN } },
  elicitation: { action: "accept", content: { word: GIVEN } },
  roots: { roots: [{ uri: `file:///srv/${GIVEN}` }, { uri: "file:///etc/shadow" }] },
};

describe.each(LEGS)("a client over %s, %s era", (transport, era) => {
  let matrix: MatrixWorld;
  let leg: Leg;
  beforeAll(async () => {
    matrix = await shared();
    leg = await matrix.open(transport, era, transport);
  }, 120_000);
  afterAll(async () => (leg as Leg | undefined)?.close());

  const cells = VERDICTS.flatMap((verdict) =>
    (Object.keys(LISTED) as Listed[]).map((primitive) => [primitive, verdict] as const),
  );
  it.each(cells)("%s: %s", async (primitive, verdict) => {
    const before = matrix.reached(transport).length;
    const [method, params] = LISTED[primitive](verdict);
    const answer = await leg.request(method, params);
    const reached = matrix.reached(transport).slice(before);
    if (verdict === "denied") {
      expect(answer.error).toMatchObject({ code: 4030 });
      expect(reached).toEqual([]);
      return;
    }
    expect(answer.error).toBeUndefined();
    expect(reached).toContain(REACHED[primitive](verdict));
    const shown = JSON.stringify(answer.result);
    expect(shown.includes(ADDRESS)).toBe(verdict === "allowed");
    if (verdict === "transformed") expect(shown).toContain("[redacted email]");
  });

  const asks = VERDICTS.flatMap((verdict) =>
    (Object.keys(METHODS) as Asked[]).map((primitive) => [primitive, verdict] as const),
  );
  it.each(asks)("%s asked for by the server: %s", async (primitive, verdict) => {
    const answerAsk: AnswerAsk = () =>
      primitive === "roots" && verdict === "denied"
        ? { roots: [{ uri: "file:///etc/shadow" }] }
        : ANSWERS[primitive];
    const answer = await leg.request(
      "tools/call",
      { name: `${primitive}_${verdict}`, arguments: {} },
      answerAsk,
    );
    judgeAsked(primitive, verdict, answer);
  });

  it("lists what is allowed and nothing else", async () => {
    const tools = await leg.request("tools/list", {});
    const names = (tools.result?.["tools"] as readonly { name: string }[]).map(({ name }) => name);
    expect(names).toContain("tool_allowed");
    expect(names).not.toContain("tool_denied");
    const resources = JSON.stringify((await leg.request("resources/list", {})).result);
    expect(resources).toContain("six://resource/allowed");
    expect(resources).not.toContain("six://resource/denied");
    const prompts = JSON.stringify((await leg.request("prompts/list", {})).result);
    expect(prompts).toContain("prompt_allowed");
    expect(prompts).not.toContain("prompt_denied");
  });
});

function judgeAsked(primitive: Asked, verdict: VerdictName, answer: Answer): void {
  const told = JSON.stringify(answer.result ?? answer.error);
  const asked = answer.asks.filter((ask: Ask) => ask.method === METHODS[primitive]);
  // A root outside the bounds is stripped from what the client answers; everything else is refused before it asks.
  if (verdict === "denied" && primitive !== "roots") {
    expect(asked).toEqual([]);
    expect(told).not.toContain(GIVEN);
    return;
  }
  expect(asked).toHaveLength(1);
  expect(told.includes(GIVEN)).toBe(verdict !== "denied");
  expect(told).not.toContain("/etc/shadow");
  if (primitive === "roots") return;
  const shown = JSON.stringify(asked[0]?.params);
  expect(shown.includes(ADDRESS)).toBe(verdict === "allowed");
}

let starting: Promise<MatrixWorld> | undefined;

function shared(): Promise<MatrixWorld> {
  starting ??= startMatrixWorld();
  return starting;
}

afterAll(async () => {
  await (await starting)?.stop();
});
