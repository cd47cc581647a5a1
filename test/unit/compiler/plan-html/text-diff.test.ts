import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffLines, diffWords } from "../../../../compiler/plan-html/text-diff.ts";

describe("diffWords", () => {
  it("keeps what both have", () => {
    expect(diffWords("Runs any statement.", "Runs one statement now.")).toEqual([
      { kind: "equal", text: "Runs " },
      { kind: "removed", text: "any" },
      { kind: "added", text: "one" },
      { kind: "equal", text: " statement" },
      { kind: "added", text: " now" },
      { kind: "equal", text: "." },
    ]);
  });

  it("gives back both texts", () => {
    const word = fc.constantFrom("a", "b", " ", ".", "é", "\n", "long");
    const text = fc.array(word, { maxLength: 30 }).map((words) => words.join(""));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const pieces = diffWords(before, after);
        const side = (kind: string): string =>
          pieces
            .filter((piece) => piece.kind === "equal" || piece.kind === kind)
            .map((piece) => piece.text)
            .join("");
        expect([side("removed"), side("added")]).toEqual([before, after]);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it("gives up on finding the shortest difference of two very long texts, and loses nothing", () => {
    const before = "a ".repeat(5_000);
    const after = "b ".repeat(5_000);
    const pieces = diffWords(before, after);
    expect(
      pieces
        .filter(({ kind }) => kind !== "added")
        .map(({ text }) => text)
        .join(""),
    ).toBe(before);
  });
});

describe("diffLines", () => {
  it("takes whole lines", () => {
    expect(diffLines("a\nb\nc", "a\nx\nc")).toEqual([
      { kind: "equal", text: "a" },
      { kind: "removed", text: "b" },
      { kind: "added", text: "x" },
      { kind: "equal", text: "c" },
    ]);
  });
});
