// Caps of long-lived streams: of the process, and of one caller.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamSlots } from "../../../runtime/streams/stream-slots.ts";

const CAPS = { maxStreams: 5, maxStreamsPerPrincipal: 2 };

describe("slots of streams", () => {
  it("refuses the next of a caller at its cap, and nobody else", () => {
    const slots = new StreamSlots(CAPS);
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
        const slots = new StreamSlots(CAPS);
        const held: { readonly owner: string; readonly release: () => void }[] = [];
        for (const [owner, gives] of taken) {
          const at = held.findIndex((slot) => slot.owner === owner);
          if (gives && at >= 0) held.splice(at, 1)[0]?.release();
          else {
            const own = held.filter((slot) => slot.owner === owner).length;
            const isFull = held.length >= CAPS.maxStreams || own >= CAPS.maxStreamsPerPrincipal;
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
