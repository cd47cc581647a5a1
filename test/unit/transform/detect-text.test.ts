// What the detectors find: the corpus of test/data/transform, both ways.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { DetectorName } from "#bundle";
import type { JsonObject } from "#std";
import { applyResponse, compileTransform } from "#transform";

interface DetectorCase {
  readonly text: string;
  readonly becomes?: string;
}

const file = join(import.meta.dirname, "../../data/transform/detectors.yaml");
const corpus = parse(readFileSync(file, "utf8")) as Readonly<Record<DetectorName, readonly DetectorCase[]>>;
const NAMES: readonly DetectorName[] = ["email", "card", "key"];

function detect(text: string, detectors: readonly DetectorName[]): string {
  const operation = { policy: "p", verb: "detect" as const, paths: [[]], detectors };
  const compiled = compileTransform({ tenant: "t", action: "a", request: [], response: [operation] });
  const outcome = applyResponse(compiled, { content: [{ type: "text", text: `¶ ${text}` }] });
  if (!outcome.ok) throw new Error(outcome.message);
  const [block] = outcome.value["content"] as readonly JsonObject[];
  return (block?.["text"] as string).slice(2);
}

describe.each(NAMES)("%s", (name) => {
  it.each(corpus[name])("$text", ({ text, becomes }) => {
    expect(detect(text, [name])).toBe(becomes ?? text);
  });
});

describe("all together", () => {
  it.each(NAMES.flatMap((name) => corpus[name].filter(({ becomes }) => becomes !== undefined)))(
    "still finds $text",
    ({ text }) => expect(detect(text, NAMES)).not.toBe(text),
  );

  it("is the same when it is done again, and never slower than linear", () => {
    const pieces = NAMES.flatMap((name) => corpus[name].map(({ text }) => text));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (parts) => {
        const once = detect(parts.join(" "), NAMES);
        expect(detect(once, NAMES)).toBe(once);
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});
