// Shapes of what servers ask and clients answer, case by case.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { isAegisError } from "#errors";
import type { JsonObject, JsonValue } from "#std";
import { MAX_CONTENT_CHARS, MAX_ROOTS, readAnswer } from "../../../runtime/asks/answer-shape.ts";
import { MAX_ASK_CHARS, readAsk } from "../../../runtime/asks/ask.ts";
import type { Ask } from "../../../runtime/asks/ask.ts";
import { isDeclared } from "../../../runtime/asks/client-capabilities.ts";

const DATA = join(import.meta.dirname, "..", "..", "data", "asks");

interface AnswerCase {
  readonly form?: string;
  readonly url?: string;
  readonly roots?: true;
  readonly answer: JsonValue;
  readonly reads?: JsonValue;
  readonly refused?: true;
}

interface RequestCase {
  readonly method: string;
  readonly params?: JsonValue;
  readonly declared?: readonly JsonObject[];
  readonly undeclared?: readonly JsonObject[];
  readonly refused?: string;
}

function load(name: string): unknown {
  return parse(readFileSync(join(DATA, name), "utf8"));
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return "accepted";
  } catch (fault) {
    return isAegisError(fault) ? fault.code : String(fault);
  }
}

const { forms, cases } = load("answers.yaml") as {
  forms: Record<string, JsonObject>;
  cases: AnswerCase[];
};

function askOf({ form, url, roots }: AnswerCase): Ask {
  if (form !== undefined)
    return {
      method: "elicitation/create",
      params: { message: "m", requestedSchema: forms[form] ?? {} },
    };
  if (url !== undefined) return { method: "elicitation/create", params: { mode: "url", message: "m", url } };
  if (roots === true) return { method: "roots/list", params: {} };
  return { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
}

describe("an answer", () => {
  it.each(cases.map((one) => [JSON.stringify(one).slice(0, 160), one] as const))("%s", (_title, one) => {
    const ask = askOf(one);
    if (one.refused === true) expect(codeOf(() => readAnswer(ask, one.answer))).toBe("ASK_ANSWER_INVALID");
    else expect(readAnswer(ask, one.answer)).toEqual(one.reads ?? one.answer);
  });

  it("is bounded", () => {
    const form = askOf({ form: "text", answer: null });
    const content = { word: "x".repeat(MAX_CONTENT_CHARS) };
    expect(codeOf(() => readAnswer(form, { action: "accept", content }))).toBe("ASK_ANSWER_INVALID");
    const roots = Array.from({ length: MAX_ROOTS + 1 }, () => ({ uri: "file:///a" }));
    expect(codeOf(() => readAnswer({ method: "roots/list", params: {} }, { roots }))).toBe(
      "ASK_ANSWER_INVALID",
    );
  });
});

describe("a request", () => {
  const requests = load("requests.yaml") as readonly RequestCase[];

  it.each(requests.map((one) => [JSON.stringify(one).slice(0, 160), one] as const))("%s", (_title, one) => {
    const { method, params, declared = [], undeclared = [], refused = "accepted" } = one;
    expect(codeOf(() => readAsk(method, params))).toBe(refused);
    if (refused !== "accepted") return;
    const ask = readAsk(method, params);
    expect(Object.keys(ask.params)).not.toContain("_meta");
    for (const capabilities of declared) expect(isDeclared(capabilities, ask)).toBe(true);
    for (const capabilities of undeclared) expect(isDeclared(capabilities, ask)).toBe(false);
  });

  it("is bounded", () => {
    const message = "x".repeat(MAX_ASK_CHARS);
    expect(codeOf(() => readAsk("elicitation/create", { message, requestedSchema: {} }))).toBe(
      "ARGUMENTS_INVALID",
    );
  });
});
