// A channel whose releases need two of three keys, with the keys at hand to make statements that no tool would make.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPinnedRoot, sha256Hex } from "#bundle";
import { createKey, initRoot, loadSigningKey, releaseBundle } from "#release";
import type { SigningKey } from "#release";
import type { ThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";

export interface ThresholdTrust extends ThrowawayTrust {
  /** Three release keys; two must sign. */
  readonly keys: readonly [SigningKey, SigningKey, SigningKey];
  /** Keys that the root does not know. */
  readonly foreignKeys: readonly [SigningKey, SigningKey];
}

const LIFE_MS = 24 * 3_600_000;

async function newKey(dir: string, name: string): Promise<SigningKey> {
  const path = join(dir, "keys", `${name}.json`);
  await createKey(path);
  return loadSigningKey(path);
}

export async function createThresholdTrust(dir: string, channel: string): Promise<ThresholdTrust> {
  await mkdir(join(dir, "keys"), { recursive: true, mode: 0o700 });
  const make = (name: string): Promise<SigningKey> => newKey(dir, name);
  const keys = [await make("a"), await make("b"), await make("c")] as const;
  const foreignKeys = [await make("x"), await make("y")] as const;
  const [signer] = keys;
  const draft = await initRoot(
    {
      rootKeys: [signer],
      releaseKeys: keys,
      rootThreshold: 1,
      releaseThreshold: 2,
      expiresAtMs: Date.now() + LIFE_MS,
    },
    [signer],
  );
  const rootPath = join(dir, "root.json");
  await writeFile(rootPath, draft.bytes);
  const rootSha256 = sha256Hex(draft.bytes);
  const root = await openPinnedRoot(draft.bytes, rootSha256);
  const channelDir = join(dir, "channel");
  return {
    keys,
    foreignKeys,
    rootPath,
    rootSha256,
    channelDir,
    release: async (bundle) => {
      const nowMs = Date.now();
      const { statement } = await releaseBundle(
        { directory: channelDir, channel, root, signers: keys.slice(0, 2), nowMs },
        { expiresAtMs: nowMs + LIFE_MS, graceSeconds: 60 },
        bundle,
      );
      return statement;
    },
  };
}
