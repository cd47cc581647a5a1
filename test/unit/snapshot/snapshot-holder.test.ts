import { describe, expect, it } from "vitest";
import { createSnapshotHolder } from "../../../runtime/snapshot/snapshot-holder.ts";

function setUp() {
  const disposed: string[] = [];
  const faults: unknown[] = [];
  let nowMs = 0;
  const holder = createSnapshotHolder<string>({
    dispose: (snapshot) => {
      disposed.push(snapshot);
    },
    onFault: (error) => {
      faults.push(error);
    },
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
  });
  return { holder, disposed, faults, advance: (ms: number) => (nowMs += ms) };
}

describe("snapshot holder", () => {
  it("has nothing to lease before the first activation and after clear", () => {
    const { holder, disposed } = setUp();
    expect(holder.acquire()).toBeUndefined();
    holder.swap("a");
    expect(holder.current()).toBe("a");
    holder.clear();
    expect(holder.acquire()).toBeUndefined();
    expect(disposed).toEqual(["a"]);
  });

  it("keeps a leased generation until its last lease is back, and disposes it once", () => {
    const { holder, disposed } = setUp();
    holder.swap("a");
    let ended = false;
    const first = holder.acquire(() => (ended = true));
    const second = holder.acquire();
    holder.swap("b");
    expect(first?.snapshot).toBe("a");
    expect(holder.acquire()?.snapshot).toBe("b");
    first?.release();
    first?.release();
    expect(disposed).toEqual([]);
    second?.release();
    expect(disposed).toEqual(["a"]);
    // A lease that was given back is told nothing.
    expect(ended).toBe(false);
  });

  it("waits for room until the oldest generation drained", async () => {
    const { holder, disposed } = setUp();
    holder.swap("a");
    let ended = false;
    const oldest = holder.acquire(() => (ended = true));
    holder.swap("b");
    const middle = holder.acquire();
    holder.swap("c");
    expect(holder.liveGenerations()).toBe(3);
    let hasRoom = false;
    const room = holder.makeRoom(AbortSignal.timeout(5000)).then(() => (hasRoom = true));
    middle?.release();
    await room;
    expect(disposed).toEqual(["b"]);
    expect(hasRoom).toBe(true);
    expect(ended).toBe(false);
    oldest?.release();
  });

  it("ends the oldest generation when its leases have run out", async () => {
    const { holder, disposed, advance } = setUp();
    holder.swap("a");
    let ended = false;
    const oldest = holder.acquire(() => (ended = true));
    oldest?.setDeadline(1000);
    holder.swap("b");
    const middle = holder.acquire();
    holder.swap("c");
    advance(1001);
    await holder.makeRoom(AbortSignal.timeout(5000));
    expect(ended).toBe(true);
    expect(disposed).toEqual(["a"]);
    oldest?.release();
    expect(disposed).toEqual(["a"]);
    middle?.release();
  });

  it("gives up waiting with its signal, and a swap without room ends the oldest at once", async () => {
    const { holder, disposed } = setUp();
    const ended: string[] = [];
    for (const snapshot of ["a", "b", "c"]) {
      holder.swap(snapshot);
      holder.acquire(() => {
        ended.push(snapshot);
        throw new Error("must not stop the activation");
      });
    }
    const reason = new Error("stop");
    await expect(holder.makeRoom(AbortSignal.abort(reason))).rejects.toBe(reason);
    holder.swap("d");
    expect(holder.liveGenerations()).toBe(3);
    expect(disposed).toEqual(["a"]);
    expect(ended).toEqual(["a"]);
  });

  it("tells listeners of each swap, and survives one that throws", () => {
    const { holder, faults } = setUp();
    const seen: unknown[] = [];
    holder.onSwap(() => {
      throw new Error("listener");
    });
    const unsubscribe = holder.onSwap((next, previous) => seen.push([previous, next]));
    holder.swap("a");
    holder.swap("b");
    holder.clear();
    unsubscribe();
    holder.swap("c");
    expect(seen).toEqual([
      [undefined, "a"],
      ["a", "b"],
      ["b", undefined],
    ]);
    expect(faults).toHaveLength(4);
    expect(holder.current()).toBe("c");
  });
});
