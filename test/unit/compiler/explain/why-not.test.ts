// What would turn a decision: every answer is decided again here, and none has more facts than it needs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { BundleContent } from "#bundle";
import { compile } from "#compiler";
import { findCaller, findRequest, renderExplanationText, explainCall, whyNot } from "#explain";
import type { JsonObject } from "#std";
import { editedTemplate } from "../../../e2e/edited-template.ts";

interface Case {
  readonly name: string;
  /** Cedar that takes the place of the template's policy for sql.query. */
  readonly policy: string;
  readonly principal: JsonObject;
  readonly request?: JsonObject;
  readonly arguments: JsonObject;
  readonly wanted: "allow" | "deny";
  /** One list for each answer, in order: `fact: from → to`. */
  readonly answers: readonly (readonly string[])[];
  readonly blockedBy?: readonly string[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/explain/why-not.yaml"), "utf8"),
) as readonly Case[];
const ACTION = "tools/call:sql-prod/sql.query";

async function contentWith(policy: string): Promise<BundleContent> {
  const workspace = editedTemplate({
    "policies/sql-prod.cedar": () => policy,
    // The test that names the second policy of the file that is replaced.
    "tests/access_test.yaml": (text) => text.slice(0, text.indexOf("  - name: external staff never")),
  });
  const { content, diagnostics } = await compile({ dir: "", workspace });
  if (content === undefined) throw new Error(JSON.stringify(diagnostics));
  return content;
}

describe("why not", () => {
  test.each(CASES)("$name", async (item) => {
    const content = await contentWith(item.policy);
    const attributes = [{ name: "is_external", type: "Bool", required: true }] as const;
    const caller = findCaller(JSON.stringify(item.principal), [], attributes);
    const request = findRequest(item.request ?? {});
    const asked = { caller: { ...caller, request }, action: ACTION, arguments: item.arguments };
    const found = await whyNot(content, asked);
    expect(found.wanted).toBe(item.wanted);
    expect(
      found.answers.map(({ changes }) => changes.map(({ fact, from, to }) => `${fact}: ${from} → ${to}`)),
    ).toEqual(item.answers);
    expect(found.blockedBy).toEqual(item.blockedBy ?? []);

    const explanation = { ...(await explainCall(content, asked)), whyNot: found };
    expect(explanation.decision).not.toBe(found.wanted);
    const text = renderExplanationText(explanation, { color: false, printable: (plain) => plain });
    expect(text).toContain(found.wanted === "allow" ? "What would allow it" : "What would deny it");
    for (const line of item.answers.flat()) expect(text).toContain(line);
  });
});
