// Caps of what is open at once: in the process, and of one owner.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConcurrencyLimit } from "#limits";

const CAPS = { max: 5, maxPerOwner: 2 };
const streams = (): ConcurrencyLimit => new ConcurrencyLimit("STREAM_LIMIT", "streams", CAPS);

describe("a concurrency limit", () => {
  it("refuses the next of an owner at its cap, and nobody else", () => {
    const slots = streams();
    const first = slots.take("ada");
    slots.take("ada");
    expect(() => slots.take("ada")).toThrow("STREAM_LIMIT");
    slots.take("bob");
    first();
    first();
    slots.take("ada");
    expect(() => slots.take("ada")).toThrow("STREAM_LIMIT");
    expect(slots.open).toBe(3);
  });

  it("never counts more than the caps, whatever is taken and given back", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (taken) => {
        const slots = streams();
        const held: { readonly owner: string; readonly release: () => void }[] = [];
        for (const [owner, gives] of taken) {
          const at = held.findIndex((slot) => slot.owner === owner);
          if (gives && at >= 0) held.splice(at, 1)[0]?.release();
          else {
            const own = held.filter((slot) => slot.owner === owner).length;
            const isFull = held.length >= CAPS.max || own >= CAPS.maxPerOwner;
            if (isFull) expect(() => slots.take(owner)).toThrow("STREAM_LIMIT");
            else held.push({ owner, release: slots.take(owner) });
          }
          expect(slots.open).toBe(held.length);
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
