// Every refusal of the table: the exact code, the active snapshot untouched, the ratchet on disk untouched, nothing
// leaked, and recovery with the next good release.
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TrustError } from "#errors";
import type { BundleContent, ReleaseStatement, TrustedRoot } from "#bundle";
import { createDirectorySource } from "../../../runtime/snapshot/directory-source.ts";
import { createSnapshotHolder } from "../../../runtime/snapshot/snapshot-holder.ts";
import { openStateStore } from "../../../runtime/snapshot/state-store.ts";
import { createUpdater } from "../../../runtime/snapshot/updater.ts";
import { nextRoot, spoilBundle, tamperStatement } from "./tampering.ts";
import { CHANNEL, NOW_MS, createTrustLab, sampleBundle, signRelease, statementFor } from "./trust-lab.ts";
import type { KeyName, TrustLab } from "./trust-lab.ts";

interface Refusal {
  readonly name: string;
  readonly code: string;
  readonly signers?: readonly KeyName[];
  readonly tamper?: string;
  readonly statement?: Partial<ReleaseStatement>;
  readonly bundle?: string;
  readonly root?: string;
}

const refusals = JSON.parse(
  readFileSync(new URL("../../data/trust/refusals.json", import.meta.url), "utf8"),
) as readonly Refusal[];

const ACTIVE_SEQUENCE = 5;

interface Fake {
  readonly label: string;
  disposed: number;
}

async function makeWorld(lab: TrustLab) {
  const directory = await mkdtemp(join(lab.directory, "world-"));
  const channel = join(directory, "channel");
  const state = join(directory, "state");
  await mkdir(join(channel, "roots"), { recursive: true });
  const made: Fake[] = [];
  const holder = createSnapshotHolder<Fake>({
    dispose: (snapshot) => {
      snapshot.disposed += 1;
    },
    onFault: (error) => {
      throw error;
    },
  });
  const updater = createUpdater<Fake>({
    source: createDirectorySource(channel),
    store: openStateStore(state, CHANNEL),
    holder,
    root: lab.root,
    channel: CHANNEL,
    build: (content: BundleContent) => {
      if (content.name === "build-throws") return Promise.reject(new RangeError("no memory"));
      const snapshot = { label: content.name, disposed: 0 };
      made.push(snapshot);
      return Promise.resolve(snapshot);
    },
    probe: (candidate) =>
      candidate.label === "vector-fails"
        ? Promise.reject(new TrustError("BUNDLE_VECTOR_FAILED", "developer selects"))
        : Promise.resolve(),
    discard: (candidate) => {
      candidate.disposed += 1;
    },
    clock: { nowMs: () => NOW_MS, monotonicMs: () => performance.now() },
    sleep: (_ms, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("stopped"));
        });
      }),
  });
  const publish = async (
    statement: Uint8Array,
    bundle?: { digest: string; bytes: Uint8Array },
  ): Promise<void> => {
    if (bundle !== undefined) await writeFile(join(channel, `${bundle.digest}.aegis`), bundle.bytes);
    await writeFile(join(channel, "release.json"), statement);
  };
  return { channel, state, holder, updater, made, publish };
}

let lab: TrustLab;
let root: TrustedRoot;

beforeAll(async () => {
  lab = await createTrustLab();
  root = lab.root;
});

afterAll(() => lab.cleanUp());

describe("a release that is refused", () => {
  it.each(refusals)("$name: $code", async (refusal) => {
    expect(root.document.version).toBe(1);
    const world = await makeWorld(lab);
    const { channel, state, holder, updater, made, publish } = world;
    const active = sampleBundle("active");
    await publish(await signRelease(lab, statementFor(active.digest, ACTIVE_SEQUENCE)), active);
    expect(await updater.start()).toMatchObject({ kind: "activated", sequence: ACTIVE_SEQUENCE });
    const activeSnapshot = holder.current();
    const ratchet = await readFile(join(state, "ratchet.json"), "utf8");

    const candidate = refusal.bundle === undefined ? sampleBundle("candidate") : spoilBundle(refusal.bundle);
    const path = join(channel, `${candidate.digest}.aegis`);
    if (candidate.bytes === "directory") await mkdir(path);
    else if (candidate.bytes === "oversized") {
      const file = await open(path, "w");
      await file.truncate(64 * 1024 * 1024 + 512);
      await file.close();
    } else if (candidate.bytes !== "missing") await writeFile(path, candidate.bytes);
    const statement = statementFor(candidate.digest, ACTIVE_SEQUENCE + 1, refusal.statement);
    let signed = await (refusal.signers?.length === 0
      ? signRelease(lab, statement).then((bytes) => {
          const { payload } = JSON.parse(Buffer.from(bytes).toString()) as { payload: string };
          return new TextEncoder().encode(JSON.stringify({ payload, signatures: [] }));
        })
      : signRelease(lab, statement, refusal.signers));
    if (refusal.tamper !== undefined) signed = await tamperStatement(refusal.tamper, signed, lab);
    if (refusal.root !== undefined) {
      await writeFile(join(channel, "roots/2.json"), await nextRoot(refusal.root, lab, candidate.digest));
    }
    await publish(signed);

    expect(await updater.reload()).toMatchObject({ kind: "rejected", code: refusal.code });
    expect(updater.status()).toMatchObject({
      state: { phase: "holding", code: refusal.code },
      active: { digest: active.digest, sequence: ACTIVE_SEQUENCE },
      lastRejection: { code: refusal.code },
      failures: 1,
    });
    expect(holder.current()).toBe(activeSnapshot);
    expect(activeSnapshot?.disposed).toBe(0);
    expect(made.slice(1).every((snapshot) => snapshot.disposed === 1)).toBe(true);
    expect(await readFile(join(state, "ratchet.json"), "utf8")).toBe(ratchet);
    expect(updater.isExpired(NOW_MS)).toBe(false);

    // The refusal left nothing behind that stands in the way of a good release.
    if (refusal.root === undefined) {
      const next = sampleBundle("next");
      await rm(path, { recursive: true, force: true });
      await publish(await signRelease(lab, statementFor(next.digest, ACTIVE_SEQUENCE + 2)), next);
      expect(await updater.reload()).toMatchObject({ kind: "activated", sequence: ACTIVE_SEQUENCE + 2 });
      expect(updater.status()).toMatchObject({ state: { phase: "active" }, failures: 0 });
      expect(activeSnapshot?.disposed).toBe(1);
    }
    await updater.stop();
  });

  it("names the digest and sequence of a refused statement once its signatures hold", async () => {
    const { updater, publish } = await makeWorld(lab);
    const active = sampleBundle("active");
    await publish(await signRelease(lab, statementFor(active.digest, ACTIVE_SEQUENCE)), active);
    await updater.start();
    await publish(await signRelease(lab, statementFor(active.digest, 2)));
    await updater.reload();
    expect(updater.status().lastRejection).toMatchObject({ digest: active.digest, sequence: 2 });
    await publish(await signRelease(lab, statementFor(active.digest, 2), ["stranger"]));
    await updater.reload();
    expect(updater.status().lastRejection).not.toHaveProperty("digest");
    await updater.stop();
  });
});
