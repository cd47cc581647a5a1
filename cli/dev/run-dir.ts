// Where a development gateway keeps its keys, releases, state and audit log.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface RunDir {
  readonly path: string;
  /** Kept after the end, because the user chose the place. */
  readonly kept: boolean;
  readonly close: () => Promise<void>;
}

/** A directory of its own under `state`, named by the time; without `state` a temporary one that `close` removes. */
export async function openRunDir(state: string | undefined, cwd: string): Promise<RunDir> {
  if (state === undefined) {
    const path = await mkdtemp(join(tmpdir(), "aegis-dev-"));
    return { path, kept: false, close: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
  }
  const path = join(resolve(cwd, state), new Date().toISOString().replaceAll(":", "-"));
  await mkdir(path, { recursive: true, mode: 0o700 });
  return { path, kept: true, close: () => Promise.resolve() };
}
