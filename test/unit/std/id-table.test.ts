// The table of what is under way does what a Map does.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdTable } from "#std";

const ids = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.constantFrom(2 ** 31, 2 ** 31 + 1, 2 ** 32 + 1, 2 ** 40 + 1),
);
const steps = fc.array(fc.tuple(fc.constantFrom("set", "take", "get"), ids), { maxLength: 200 });

describe("IdTable", () => {
  it("keeps what a Map keeps, whatever is added and taken", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const table = new IdTable<string>();
        const model = new Map<number, string>();
        for (const [index, [what, id]] of script.entries()) {
          expect(table.get(id)).toBe(model.get(id));
          expect(table.has(id)).toBe(model.has(id));
          if (what === "set") {
            table.set(id, String(index));
            model.set(id, String(index));
          } else if (what === "take") {
            expect(table.take(id)).toBe(model.get(id));
            model.delete(id);
          }
          expect(table.size).toBe(model.size);
        }
        expect(table.ids()).toEqual([...model.keys()].sort((a, b) => a - b));
      }),
      { numRuns: 200, seed: 20_260_728 },
    );
  });

  it("finds every id of a long run under way with an old one", () => {
    const table = new IdTable<number>();
    table.set(1, 1);
    for (let id = 2; id < 5_000; id++) {
      table.set(id, id);
      if (id > 40) expect(table.take(id - 30)).toBe(id - 30);
    }
    expect(table.get(1)).toBe(1);
    expect(table.size).toBe(table.ids().length);
    table.clear();
    expect([table.size, table.get(1), table.ids()]).toEqual([0, undefined, []]);
  });

  it("has nothing under what is no id, and takes none in", () => {
    const table = new IdTable<string>();
    table.set(16, "x");
    for (const id of [0, -16, 0.5, 16.5, Number.NaN, Infinity]) {
      expect(table.has(id)).toBe(false);
      expect(table.get(id)).toBeUndefined();
      expect(table.take(id)).toBeUndefined();
      expect(() => table.set(id, "y")).toThrow(RangeError);
    }
    expect(table.ids()).toEqual([16]);
  });
});
