// The updater against a real channel directory: restart, crash at every step of persisting, roots, expiry, order.
import * as realFiles from "node:fs/promises";
import { chmod, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FileSystem } from "#bundle";
import { rotateRoot } from "../../../compiler/release/index.ts";
import { openReleaseSource } from "../../../runtime/snapshot/release-source.ts";
import type { ReleaseSource } from "../../../runtime/snapshot/release-source.ts";
import { openStateStore } from "../../../runtime/snapshot/state-store.ts";
import { CHANNEL, NOW_MS, createTrustLab, signRelease, statementFor } from "./trust-lab.ts";
import type { TrustLab } from "./trust-lab.ts";
import { bundles, createUpdaterWorld } from "./updater-world.ts";
import type { Fake, UpdaterWorld } from "./updater-world.ts";

let lab: TrustLab;
let world: UpdaterWorld;
let channel: string;
let state: string;

beforeAll(async () => {
  lab = await createTrustLab();
});
afterAll(() => lab.cleanUp());
afterEach(() => world.stopAll());

async function freshWorld(): Promise<void> {
  world = await createUpdaterWorld(lab);
  ({ channel, state } = world);
}

const publish: UpdaterWorld["publish"] = (...args) => world.publish(...args);
const gateway: UpdaterWorld["gateway"] = (...args) => world.gateway(...args);

describe("restart", () => {
  it("serves the last good release without its source", async () => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await publish("b", 2);
    expect(await first.updater.reload()).toMatchObject({ kind: "activated", sequence: 2 });
    await first.updater.stop();
    await rm(channel, { recursive: true });
    const second = gateway();
    expect(await second.updater.start()).toMatchObject({ kind: "activated", sequence: 2 });
    expect(second.holder.current()).toEqual({ label: "b" });
    expect(second.updater.status()).toMatchObject({
      state: { phase: "holding", code: "RELEASE_SOURCE_UNAVAILABLE" },
      active: { sequence: 2, digest: bundles.b.digest },
    });
    const names = await readdir(state);
    expect(names.filter((name) => name.endsWith(".aegis"))).toEqual([`${bundles.b.digest}.aegis`]);
    for (const name of names) expect((await stat(join(state, name))).mode & 0o077).toBe(0);
  });

  it("still refuses a rollback", async () => {
    await freshWorld();
    await publish("a", 7);
    const first = gateway();
    await first.updater.start();
    await first.updater.stop();
    await publish("b", 6);
    const second = gateway();
    await second.updater.start();
    expect(second.updater.status().lastRejection?.code).toBe("RELEASE_ROLLBACK");
    expect(second.holder.current()).toEqual({ label: "a" });
  });

  it("is not ready without state and source, and recovers when the source appears", async () => {
    await freshWorld();
    const { updater, holder } = gateway();
    expect(await updater.start()).toMatchObject({ kind: "rejected", code: "RELEASE_SOURCE_UNAVAILABLE" });
    expect(holder.current()).toBeUndefined();
    expect(updater.isExpired(NOW_MS)).toBe(true);
    await publish("a", 1);
    expect(await updater.reload()).toMatchObject({ kind: "activated" });
  });

  it("does not load a last good release past its grace", async () => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await first.updater.stop();
    await rm(channel, { recursive: true });
    const late = { nowMs: () => Date.parse("2026-11-29T12:00:00Z"), monotonicMs: () => 0 };
    const second = gateway({ clock: late });
    expect(await second.updater.start()).toMatchObject({ kind: "rejected" });
    expect(second.holder.current()).toBeUndefined();
  });

  it.each(["", "{}", "null", '{"formatVersion":1}', "\0\0\0\0"])("refuses the ratchet %j", async (text) => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await first.updater.stop();
    await writeFile(join(state, "ratchet.json"), text);
    const second = gateway();
    const refusal: unknown = await second.updater.start().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "STATE_CORRUPT" });
    expect(String(refusal)).toContain("remove only it and roots/");
    expect(second.holder.current()).toBeUndefined();
  });

  it("refuses the state of another channel", async () => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await first.updater.stop();
    const other = gateway({ channel: "staging", store: openStateStore(state, "staging") });
    await expect(other.updater.start()).rejects.toMatchObject({ code: "STATE_CORRUPT" });
  });

  it("falls back to the source where the stored bundle was changed", async () => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await first.updater.stop();
    await writeFile(join(state, `${bundles.a.digest}.aegis`), bundles.b.bytes);
    const second = gateway();
    expect(await second.updater.start()).toMatchObject({ kind: "activated", sequence: 1 });
    expect(second.updater.status().lastRejection?.code).toBe("BUNDLE_DIGEST_MISMATCH");
    expect(second.holder.current()).toEqual({ label: "a" });
  });

  it("takes minSequence as the floor where the state was lost", async () => {
    await freshWorld();
    await publish("a", 4);
    const { updater } = gateway({ floor: { epoch: 0, sequence: 5 } });
    expect(await updater.start()).toMatchObject({ kind: "rejected", code: "RELEASE_ROLLBACK" });
    await publish("a", 5);
    expect(await updater.reload()).toMatchObject({ kind: "activated" });
  });
});

/** Real files whose n-th call fails, as does every call after it: the process is gone. */
function dyingFiles(diesAtCall: number): { files: FileSystem; calls: () => number } {
  let calls = 0;
  const step = (): void => {
    calls += 1;
    if (calls >= diesAtCall) throw Object.assign(new Error("EIO"), { code: "EIO" });
  };
  const files: FileSystem = {
    mkdir: ((...args: Parameters<typeof realFiles.mkdir>) => (
      step(),
      realFiles.mkdir(...args)
    )) as FileSystem["mkdir"],
    readdir: ((path: string) => (step(), realFiles.readdir(path))) as FileSystem["readdir"],
    rename: (from, to) => (step(), realFiles.rename(from, to)),
    rm: (path, options) => (step(), realFiles.rm(path, options)),
    open: async (path, flags, mode) => {
      step();
      const handle = await realFiles.open(path, flags, mode);
      const write = handle.writeFile.bind(handle);
      const sync = handle.sync.bind(handle);
      handle.writeFile = async (data, options) => {
        const bytes = data as Uint8Array;
        // A dying write leaves a part of the file behind.
        if (calls + 1 >= diesAtCall) await write(bytes.subarray(0, bytes.length >> 1), options);
        step();
        await write(bytes, options);
      };
      handle.sync = () => (step(), sync());
      return handle;
    },
  };
  return { files, calls: () => calls };
}

describe("a crash while the state is written", () => {
  it("leaves the old release or the new one, at every step", async () => {
    const seen = new Set<string>();
    let steps = Number.POSITIVE_INFINITY;
    for (let dies = 1; dies <= steps; dies++) {
      await freshWorld();
      await publish("a", 1);
      const first = gateway();
      await first.updater.start();
      await first.updater.stop();
      await publish("b", 2);
      const { files, calls } = dyingFiles(dies);
      const store = openStateStore(state, CHANNEL, files);
      const statement = await readFile(join(channel, "release.json"));
      const ratchet = { epoch: 0, sequence: 2, digest: bundles.b.digest };
      const save = store.saveRelease({ ratchet, rootVersion: 1, statement, bundle: bundles.b.bytes });
      const survived = await save.then(
        () => true,
        () => false,
      );
      if (survived && calls() < dies) steps = dies;
      await rm(channel, { recursive: true });
      const second = gateway();
      expect(await second.updater.start()).toMatchObject({ kind: "activated" });
      seen.add(second.holder.current()?.label ?? "none");
      if (survived) expect(second.holder.current()).toEqual({ label: "b" });
      await second.updater.stop();
    }
    expect([...seen].sort()).toEqual(["a", "b"]);
    expect(steps).toBeGreaterThan(15);
  });

  it("at the very first release leaves nothing or the release, never a state that cannot start", async () => {
    for (let dies = 1; dies <= 25; dies++) {
      await freshWorld();
      await publish("a", 1);
      const first = gateway({}, dyingFiles(dies).files);
      await first.updater.start().catch(() => undefined);
      await first.updater.stop();
      const second = gateway();
      expect(await second.updater.start()).toMatchObject({ sequence: 1 });
      await second.updater.stop();
    }
  });

  it("cannot lower a ratchet that another process raised meanwhile", async () => {
    await freshWorld();
    const store = openStateStore(state, CHANNEL);
    const save = (sequence: number, { digest, bytes }: typeof bundles.a): Promise<void> =>
      store.saveRelease({
        ratchet: { epoch: 0, sequence, digest },
        rootVersion: 1,
        statement: new TextEncoder().encode(String(sequence)),
        bundle: bytes,
      });
    await save(5, bundles.a);
    await expect(save(4, bundles.b)).rejects.toMatchObject({ code: "RELEASE_ROLLBACK" });
    expect(await store.loadRatchet()).toMatchObject({ sequence: 5, digest: bundles.a.digest });
  });

  it("is reported, and does not undo the activation", async () => {
    await freshWorld();
    await publish("a", 1);
    const first = gateway();
    await first.updater.start();
    await chmod(state, 0o500);
    await publish("b", 2);
    const outcome = await first.updater.reload();
    await chmod(state, 0o700);
    expect(outcome).toMatchObject({ kind: "activated", sequence: 2 });
    // Root may write anywhere; for everyone else the fault must show.
    if (process.getuid?.() !== 0) expect(first.updater.status().persistFault).toBeDefined();
  });
});

describe("roots", () => {
  it("follows the chain of the channel, remembers it, and revokes at once", async () => {
    await freshWorld();
    await publish("a", 1);
    const signers = [lab.keys["root-1"], lab.keys["root-2"]];
    const second = await rotateRoot(lab.root, { removeKeys: [lab.keys["release-1"].keyId] }, signers);
    const { updater, holder } = gateway();
    await updater.start();
    await writeFile(join(channel, "roots/2.json"), second.bytes);
    // Its signers lost the role: the new statement is judged under the new root, the active release stays.
    expect(await updater.reload()).toMatchObject({ kind: "rejected", code: "RELEASE_BELOW_THRESHOLD" });
    expect(holder.current()).toEqual({ label: "a" });
    const third = await rotateRoot(
      { document: second.document, bytes: second.bytes },
      { revokeDigests: [bundles.a.digest] },
      signers,
    );
    await writeFile(join(channel, "roots/3.json"), third.bytes);
    expect(await updater.reload()).toMatchObject({ kind: "rejected" });
    expect(holder.current()).toBeUndefined();
    expect(updater.isExpired(NOW_MS)).toBe(true);
    const { digest, bytes } = bundles.b;
    await writeFile(join(channel, `${digest}.aegis`), bytes);
    const signed = await signRelease(lab, statementFor(digest, 2), ["release-2", "release-3"]);
    await writeFile(join(channel, "release.json"), signed);
    expect(await updater.reload()).toMatchObject({ kind: "activated" });
    expect(updater.status()).toMatchObject({ rootVersion: 3, active: { rootVersion: 3 } });
    await updater.stop();
    await rm(channel, { recursive: true });
    const restarted = gateway();
    expect(await restarted.updater.start()).toMatchObject({ kind: "activated", sequence: 2 });
    expect(restarted.updater.status().rootVersion).toBe(3);
    await restarted.updater.stop();
    await rm(join(state, "roots/3.json"));
    await expect(gateway().updater.start()).rejects.toMatchObject({ code: "STATE_CORRUPT" });
  });

  it("lets a raised epoch start the sequence again whatever floor is set for the one before", async () => {
    await freshWorld();
    const raised = await rotateRoot(lab.root, { raiseEpoch: true }, [lab.keys["root-1"], lab.keys["root-2"]]);
    await publish("a", 40);
    const { updater } = gateway({ floor: { epoch: 0, sequence: 40 } });
    expect(await updater.start()).toMatchObject({ kind: "activated", sequence: 40 });
    await writeFile(join(channel, "roots/2.json"), raised.bytes);
    await publish("b", 1, { epoch: 1 });
    expect(await updater.reload()).toMatchObject({ kind: "activated", sequence: 1 });
    await updater.stop();
    await rm(state, { recursive: true });
    const lost = gateway({ floor: { epoch: 1, sequence: 2 } });
    expect(await lost.updater.start()).toMatchObject({ kind: "rejected", code: "RELEASE_ROLLBACK" });
    await publish("b", 2, { epoch: 1 });
    expect(await lost.updater.reload()).toMatchObject({ kind: "activated", sequence: 2 });
  });

  it("refuses an epoch below the floor, as a channel shows it that withholds the newer root", async () => {
    await freshWorld();
    await publish("a", 9_000_000);
    const { updater } = gateway({ floor: { epoch: 1, sequence: 0 } });
    expect(await updater.start()).toMatchObject({
      kind: "rejected",
      code: "RELEASE_ROLLBACK",
      detail: "0/9000000 is below 1/0",
    });
  });

  it("lets a raised epoch start the sequence again", async () => {
    await freshWorld();
    await publish("a", 9_000_000);
    const { updater } = gateway();
    await updater.start();
    const raised = await rotateRoot(lab.root, { raiseEpoch: true }, [lab.keys["root-1"], lab.keys["root-2"]]);
    await writeFile(join(channel, "roots/2.json"), raised.bytes);
    await publish("b", 1, { epoch: 1 });
    expect(await updater.reload()).toMatchObject({ kind: "activated", sequence: 1 });
    await publish("a", 9_000_001);
    expect(await updater.reload()).toMatchObject({ kind: "rejected", code: "RELEASE_ROLLBACK" });
  });
});

describe("order and time", () => {
  it("activates a re-signed statement of the same sequence and digest, with its new expiry", async () => {
    await freshWorld();
    await publish("a", 1);
    const { updater } = gateway();
    await updater.start();
    expect(await updater.reload()).toMatchObject({ kind: "unchanged" });
    await publish("a", 1, { expiresAt: "2026-12-24T00:00:00Z" });
    expect(await updater.reload()).toMatchObject({ kind: "activated" });
    expect(updater.status().active?.expiresAt).toBe("2026-12-24T00:00:00Z");
  });

  it("denies past expiry and grace, to the millisecond", async () => {
    await freshWorld();
    await publish("a", 1);
    const { updater } = gateway();
    await updater.start();
    const hardExpiryMs = Date.parse("2026-11-29T12:00:00Z");
    expect(updater.isExpired(hardExpiryMs - 1)).toBe(false);
    expect(updater.isExpired(hardExpiryMs)).toBe(true);
  });

  it("never overlaps attempts: a slow older fetch cannot win, callers that wait share one attempt", async () => {
    await freshWorld();
    await publish("a", 1);
    const inner = openReleaseSource(`dir:${channel}`);
    const gate = Promise.withResolvers<undefined>();
    let polls = 0;
    let waiting = false;
    const source: ReleaseSource = {
      ...inner,
      poll: async (etag, signal) => {
        polls += 1;
        const result = await inner.poll(etag, signal);
        if (waiting) await gate.promise;
        return result;
      },
    };
    const { updater, holder } = gateway({ source });
    await updater.start();
    waiting = true;
    await publish("b", 2);
    const slow = updater.reload();
    await expect.poll(() => polls).toBe(2);
    await publish("c", 3);
    const later = [updater.reload(), updater.reload(), updater.reload()];
    waiting = false;
    gate.resolve(undefined);
    expect(await slow).toMatchObject({ sequence: 2 });
    for (const outcome of await Promise.all(later))
      expect(outcome).toMatchObject({ kind: "activated", sequence: 3 });
    expect(polls).toBe(3);
    expect(holder.current()).toEqual({ label: "c" });
  });

  it("bounds an attempt: a build that hangs is refused, and discarded when it comes after all", async () => {
    await freshWorld();
    await publish("a", 1);
    const late = Promise.withResolvers<Fake>();
    const discarded: Fake[] = [];
    const { updater, holder } = gateway({
      build: () => late.promise,
      discard: (candidate) => discarded.push(candidate),
      attemptTimeoutMs: 50,
    });
    expect(await updater.start()).toMatchObject({ kind: "rejected", code: "SNAPSHOT_FAULT" });
    late.resolve({ label: "late" });
    await expect.poll(() => discarded).toEqual([{ label: "late" }]);
    expect(holder.current()).toBeUndefined();
  });

  it("polls with jitter and backs off after failures", async () => {
    await freshWorld();
    const waits: number[] = [];
    const rounds = Promise.withResolvers<undefined>();
    const { updater } = gateway({
      pollIntervalMs: 1000,
      random: () => 0.5,
      sleep: (ms) => {
        waits.push(Math.round(ms));
        if (waits.length < 9) return Promise.resolve();
        rounds.resolve(undefined);
        return Promise.reject(new Error("enough"));
      },
    });
    await updater.start();
    await rounds.promise;
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });
});
