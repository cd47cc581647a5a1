// What a record without text still tells: that a text is there is known, and so is everything that holds of every text.
import { expect, test } from "vitest";
import { compile, memoryWorkspace } from "#compiler";
import { ReplaySide } from "#replay";
import type { SideAnswer } from "#replay";
import { baseFiles } from "../case-project.ts";
import { compileEdited } from "../plan/edited-sides.ts";
import { decisionIn, recorderOf } from "./recording.ts";
import type { RecordedCall } from "./recording.ts";

const ACTION = "tools/call:sql-prod/sql.query";

function callOf(sql: string): RecordedCall {
  const auth = { issuer: "https://idp.example", time: 0 };
  return {
    action: ACTION,
    arguments: { sql },
    principal: {
      ...{ type: "User", id: "dana", tenant: "default", roles: ["Developer"], groups: [] },
      attributes: { is_external: false },
    },
    request: { auth } as unknown as RecordedCall["request"],
  };
}

test.each([
  ["SELECT 1", "allow"],
  ["DELETE FROM customers", "deny"],
])("the template, without text: %s", async (sql, effect) => {
  const { content } = (await compileEdited([])).bundle;
  const recorder = await recorderOf(content, "one");
  const signal = AbortSignal.timeout(30_000);
  const side = await ReplaySide.open({ content, digest: "one" }, signal);
  try {
    const made = await recorder.record(callOf(sql), "without-text");
    if (made === undefined) throw new Error("the call is refused");
    expect(made.decision.effect).toBe(effect);
    const answer = await side.decide(decisionIn(made.record), side, signal);
    expect(answer).toMatchObject({ kind: "decided", effect, reasons: made.decision.reasons });
  } finally {
    side.dispose();
    recorder.evaluator.dispose();
  }
});

/** A policy that permits, of the tool whose argument `sql` is text and required. */
async function answerTo(condition: string, sql: string): Promise<SideAnswer> {
  const files = baseFiles();
  files.set("policies/permit.cedar", `permit (principal, action, resource)\nwhen { ${condition} };\n`);
  const { content, diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
  if (content === undefined) throw new Error(JSON.stringify(diagnostics));
  const recorder = await recorderOf(content, "one");
  const signal = AbortSignal.timeout(30_000);
  const side = await ReplaySide.open({ content, digest: "one" }, signal);
  try {
    const made = await recorder.record(callOf(sql), "without-text");
    if (made === undefined) throw new Error("the call is refused");
    return await side.decide(decisionIn(made.record), side, signal);
  } finally {
    side.dispose();
    recorder.evaluator.dispose();
  }
}

const OF_TOOL = 'context.primitive == "tool" && context.target == "sql.query"';

test.each([
  ['context.arguments.sql like "*"', "allow"],
  ['context.arguments.sql like "**"', "allow"],
  ['!(context.arguments.sql like "*")', "deny"],
  ['context.arguments.sql like "*x*"', undefined],
  ['context.arguments.sql like ""', undefined],
])("%s is known of a text that is withheld as far as it holds of every text", async (condition, effect) => {
  const answer = await answerTo(`${OF_TOOL} && ${condition}`, "SELECT 1");
  if (effect === undefined) expect(answer).toEqual({ kind: "open", missing: ["arguments.sql"] });
  else expect(answer).toMatchObject({ kind: "decided", effect });
});
