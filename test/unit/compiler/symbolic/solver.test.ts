import { describe, expect, it } from "vitest";
import { createSolver } from "../../../../compiler/symbolic/solver.ts";
import { integerOf, text, textOfTerm } from "../../../../compiler/symbolic/terms.ts";

const SORTS = ["Bool", "Int", "String"] as const;
const UNKNOWNS = SORTS.map((sort, index) => ({ name: `x${String(index)}`, sort }));
const DECLARED = UNKNOWNS.map(({ name, sort }) => `(declare-const ${name} ${sort})`).join("");

describe("the solver", () => {
  it("gives values of every sort, refuses what is no question, and goes on", async () => {
    const solver = await createSolver();
    try {
      const ask = (script: string): ReturnType<typeof solver.ask> =>
        solver.ask(DECLARED + script, UNKNOWNS, 10_000);
      const awkward = 'a " ) \u{41} é';
      expect(await ask(`(assert (and x0 (= x1 (- 5)) (= x2 ${text(awkward)})))`)).toEqual({
        kind: "sat",
        values: new Map([
          ["x0", "true"],
          ["x1", "(- 5)"],
          ["x2", text(awkward)],
        ]),
      });
      expect(await ask("(assert false)")).toEqual({ kind: "unsat" });
      expect(await ask("(assert (unknown x0")).toMatchObject({ kind: "unknown" });
      expect(await ask("")).toMatchObject({ kind: "sat" });
    } finally {
      await solver.dispose();
    }
  }, 60_000);
});

describe("terms", () => {
  it.each(["", "plain", 'a "quoted" text', "back\\slash", "é", "\u0000\n", "😀", "\\u{41}"])(
    "write and read %j",
    (value) => {
      expect(textOfTerm(text(value))).toBe(value);
    },
  );

  it("refuse what the solver has no characters for", () => {
    expect(() => text("\ud800")).toThrow("surrogate");
    expect(() => text("\u{100000}")).toThrow("U+2FFFF");
  });

  it("read integers", () => {
    expect(integerOf("(- 9223372036854775808)")).toBe(-(2n ** 63n));
    expect(integerOf("x1")).toBeUndefined();
  });
});
