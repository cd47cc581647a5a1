// Sealed state opens for whom it was made, for what it was made, in time, unchanged; and for nothing else.
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSealer } from "../../../runtime/sealing/index.ts";

const key = randomBytes(32);

function sealerAt(start = 1_000) {
  const clock = { nowMs: start };
  return { clock, sealer: createSealer({ key, nowMs: () => clock.nowMs }) };
}

describe("sealed state", () => {
  it("gives back what was sealed", () => {
    const { sealer } = sealerAt();
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (binding, payload) => {
        const plain = JSON.parse(JSON.stringify(payload)) as Record<string, never>;
        expect(sealer.open("task", binding, sealer.seal("task", binding, plain, 1_000))).toEqual(plain);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  it("does not open for another caller, purpose or key, nor after its time", () => {
    const { sealer, clock } = sealerAt();
    const sealed = sealer.seal("cursor", "alice", { server: "a" }, 100);
    expect(sealer.open("cursor", "bob", sealed)).toBeUndefined();
    expect(sealer.open("task", "alice", sealed)).toBeUndefined();
    const other = createSealer({ key: randomBytes(32), nowMs: () => clock.nowMs });
    expect(other.open("cursor", "alice", sealed)).toBeUndefined();
    clock.nowMs += 99;
    expect(sealer.open("cursor", "alice", sealed)).toEqual({ server: "a" });
    clock.nowMs += 1;
    expect(sealer.open("cursor", "alice", sealed)).toBeUndefined();
  });

  it("does not open once a single character is another", () => {
    const { sealer } = sealerAt();
    const sealed = sealer.seal("request-state", "alice", { n: 1 }, 100);
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === "A" ? "B" : "A";
      const tampered = sealed.slice(0, at) + other + sealed.slice(at + 1);
      expect(sealer.open("request-state", "alice", tampered)).toBeUndefined();
    }
  });

  it.each(["", "A", "====", "not base64 !", "A".repeat(40), `${"A".repeat(200_000)}`])(
    "refuses %j",
    (text) => {
      expect(sealerAt().sealer.open("task", "alice", text)).toBeUndefined();
    },
  );

  it("hides what it carries", () => {
    const sealed = sealerAt().sealer.seal("task", "alice", { taskId: "visible-needle" }, 100);
    expect(Buffer.from(sealed, "base64url").includes("visible-needle")).toBe(false);
  });

  it("wants a key of 32 bytes", () => {
    expect(() => createSealer({ key: randomBytes(31), nowMs: () => 0 })).toThrow(RangeError);
  });
});
