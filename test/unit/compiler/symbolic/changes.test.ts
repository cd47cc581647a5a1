// What a solver says of single changes, and that a wrong encoding of any operator is noticed there.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENCODINGS } from "../../../../compiler/symbolic/encodings.ts";
import { createSolver } from "../../../../compiler/symbolic/solver.ts";
import type { Solver } from "../../../../compiler/symbolic/solver.ts";
import { CHANGE_CASES, answersOf } from "./change-cases.ts";
import { PLANTED_ENCODINGS } from "./planted-encodings.ts";

const TIMEOUT_MS = 180_000;
/** Functions that only their own unit is told apart by, as `toHours` is tested. */
const ALIKE = new Set(["toMilliseconds", "toSeconds", "toMinutes", "toDays"]);
let solver: Solver;

beforeAll(async () => {
  solver = await createSolver();
}, TIMEOUT_MS);
afterAll(async () => {
  await solver.dispose();
});

describe("a change of one tool's policies", () => {
  it(
    "is proved to allow nothing new, or a call is found, as the cases say",
    async () => {
      const answers = await answersOf(CHANGE_CASES, solver);
      const wrong = CHANGE_CASES.flatMap((item, index) =>
        answers[index] === item.expect ? [] : [{ ...item, answer: answers[index] }],
      );
      expect(wrong).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe("a wrong encoding", () => {
  it("is planted for every operator", () => {
    const planted = new Set(PLANTED_ENCODINGS.map(({ what }) => what.split(": ")[0]));
    expect(Object.keys(ENCODINGS.operators).filter((name) => !planted.has(name) && !ALIKE.has(name))).toEqual(
      [],
    );
  });

  it.each(PLANTED_ENCODINGS)(
    "is noticed: $what",
    async ({ what, table }) => {
      const own = CHANGE_CASES.filter(({ of }) => what.startsWith(`${of}: `));
      let noticed: (typeof own)[number] | undefined;
      for (const item of own) {
        const [answer] = await answersOf([item], solver, table);
        if (answer === item.expect) continue;
        noticed = item;
        break;
      }
      expect(noticed).toBeDefined();
    },
    TIMEOUT_MS,
  );
});
