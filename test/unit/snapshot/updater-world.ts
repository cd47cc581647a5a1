// One channel directory, one state directory and gateways in front of them.
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FileSystem } from "#bundle";
import { openReleaseSource } from "../../../runtime/snapshot/release-source.ts";
import { createSnapshotHolder } from "../../../runtime/snapshot/snapshot-holder.ts";
import type { SnapshotHolder } from "../../../runtime/snapshot/snapshot-holder.ts";
import { openStateStore } from "../../../runtime/snapshot/state-store.ts";
import { createUpdater } from "../../../runtime/snapshot/updater.ts";
import type { Updater, UpdaterOptions } from "../../../runtime/snapshot/updater.ts";
import { CHANNEL, NOW_MS, sampleBundle, signRelease, statementFor } from "./trust-lab.ts";
import type { TrustLab } from "./trust-lab.ts";

export interface Fake {
  readonly label: string;
}

export const bundles = { a: sampleBundle("a"), b: sampleBundle("b"), c: sampleBundle("c") };

export interface UpdaterWorld {
  readonly channel: string;
  readonly state: string;
  readonly publish: (name: keyof typeof bundles, sequence: number, change?: object) => Promise<void>;
  readonly gateway: (
    change?: Partial<UpdaterOptions<Fake>>,
    files?: FileSystem,
  ) => { readonly updater: Updater; readonly holder: SnapshotHolder<Fake> };
  readonly stopAll: () => Promise<void>;
}

export async function createUpdaterWorld(lab: TrustLab): Promise<UpdaterWorld> {
  const directory = await mkdtemp(join(lab.directory, "updater-"));
  const channel = join(directory, "channel");
  const state = join(directory, "state");
  await mkdir(join(channel, "roots"), { recursive: true });
  const running = new Set<Updater>();
  return {
    channel,
    state,
    publish: async (name, sequence, change = {}) => {
      const { digest, bytes } = bundles[name];
      await writeFile(join(channel, `${digest}.aegis`), bytes);
      await writeFile(
        join(channel, "release.json"),
        await signRelease(lab, statementFor(digest, sequence, change)),
      );
    },
    gateway: (change = {}, files) => {
      const holder = createSnapshotHolder<Fake>({
        dispose: () => undefined,
        onFault: (error) => {
          throw error;
        },
      });
      const updater = createUpdater<Fake>({
        source: openReleaseSource(`dir:${channel}`),
        store: openStateStore(state, CHANNEL, files),
        holder,
        root: lab.root,
        channel: CHANNEL,
        build: (content) => Promise.resolve({ label: content.name }),
        probe: () => Promise.resolve(),
        discard: () => undefined,
        clock: { nowMs: () => NOW_MS, monotonicMs: () => performance.now() },
        sleep: untilAborted,
        ...change,
      });
      running.add(updater);
      return { updater, holder };
    },
    stopAll: async () => {
      for (const updater of running) await updater.stop();
    },
  };
}

/** A poll interval that never elapses: the tests poll by hand. */
function untilAborted(_ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      reject(new Error("stopped"));
    });
  });
}
