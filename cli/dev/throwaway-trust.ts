// Keys and a root of trust that live as long as their directory: for `aegis dev` and the demo, never for production.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openPinnedRoot, sha256Hex } from "#bundle";
import type { ReleaseStatement } from "#bundle";
import { createKey, initRoot, loadSigningKey, releaseBundle } from "#release";
import type { SigningKey } from "#release";

export interface ThrowawayTrust {
  readonly rootPath: string;
  readonly rootSha256: string;
  /** Directory that the gateway pulls from. */
  readonly channelDir: string;
  /** Signs and publishes a bundle as the next sequence of the channel. */
  readonly release: (bundle: Uint8Array) => Promise<ReleaseStatement>;
}

const LIFE_MS = 30 * 24 * 3_600_000;
const GRACE_SECONDS = 3_600;

/** Makes one key, a root of which it is the only signer, and an empty channel, all under `dir`. */
export async function createThrowawayTrust(dir: string, channel: string): Promise<ThrowawayTrust> {
  const keyPath = join(dir, "keys", "throwaway.json");
  const channelDir = join(dir, "channel");
  const rootPath = join(dir, "root.json");
  await mkdir(join(dir, "keys"), { recursive: true, mode: 0o700 });
  await createKey(keyPath);
  const key: SigningKey = await loadSigningKey(keyPath);
  const draft = await initRoot(
    {
      rootKeys: [key],
      releaseKeys: [key],
      rootThreshold: 1,
      releaseThreshold: 1,
      expiresAtMs: Date.now() + LIFE_MS,
    },
    [key],
  );
  await writeFile(rootPath, draft.bytes);
  const rootSha256 = sha256Hex(draft.bytes);
  const root = await openPinnedRoot(draft.bytes, rootSha256);
  return {
    rootPath,
    rootSha256,
    channelDir,
    release: async (bundle) => {
      const nowMs = Date.now();
      const { statement } = await releaseBundle(
        { directory: channelDir, channel, root, signers: [key], nowMs },
        { expiresAtMs: nowMs + LIFE_MS, graceSeconds: GRACE_SECONDS },
        bundle,
      );
      return statement;
    },
  };
}
