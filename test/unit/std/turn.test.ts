// Long work in slices: other work runs in between, an abort ends it, and what it makes is collected piece by piece.
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Turn } from "#std";

/** In the place of V8's own, which a process without `--expose-gc` does not have. */
const collect = vi.fn();
const NUMBERS = 8_192;

/** Used at once. */
const NO_BUDGET_MS = -1;

describe("a turn", () => {
  beforeEach(() => {
    collect.mockClear();
    vi.stubGlobal("gc", collect);
  });

  afterAll(() => {
    vi.unstubAllGlobals();
  });

  it("lets nothing run before its budget is used", async () => {
    const turn = new Turn(60_000);
    let ran = false;
    setImmediate(() => (ran = true));
    expect(turn.isOver()).toBe(false);
    await turn.pause();
    expect(ran).toBe(false);
  });

  it("lets other work run once it is", async () => {
    const turn = new Turn(NO_BUDGET_MS);
    let ran = false;
    setImmediate(() => (ran = true));
    await turn.pause();
    expect(ran).toBe(true);
  });

  it("rejects with the reason of its signal, before other work and after it", async () => {
    const stop = new AbortController();
    const turn = new Turn(NO_BUDGET_MS, stop.signal);
    setImmediate(() => stop.abort(new Error("enough")));
    await expect(turn.pause()).rejects.toThrow("enough");
    await expect(turn.pause()).rejects.toThrow("enough");
  });

  it("has the young generation collected once some megabytes were made, and not before", async () => {
    const turn = new Turn(NO_BUDGET_MS);
    await turn.pause();
    collect.mockClear();
    await turn.pause();
    expect(collect).not.toHaveBeenCalled();
    const kept: number[][] = [];
    // V8 may collect by itself meanwhile, which is as good: the next megabytes then count from there.
    for (let piece = 0; piece < 1_024 && collect.mock.calls.length === 0; piece += 1) {
      kept.push(Array.from({ length: NUMBERS }, (_, index) => index + 0.5));
      await turn.pause();
    }
    expect(collect).toHaveBeenCalledWith({ type: "minor" });
    expect(kept.length).toBeGreaterThan(1);
  });
});
