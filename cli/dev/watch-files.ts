// Notices that the documents of a repository changed. It polls: editors save by writing, by renaming and by deleting
// first, and network file systems send no events, but every one of them leaves another size, time or file number.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { directoryWorkspace } from "#compiler";

export interface WatchOptions {
  readonly dir: string;
  readonly signal: AbortSignal;
  /** `documentState` as it was before the repository was last read. */
  readonly since: string;
  /** Between two looks; a change is reported once two looks in a row agree. Default 250 ms. */
  readonly intervalMs?: number;
  /** Awaited: what is saved meanwhile is noticed afterwards. */
  readonly onChange: () => Promise<void>;
}

const INTERVAL_MS = 250;

/** Runs until the signal is aborted. What `onChange` throws ends it. */
export async function watchDocuments(options: WatchOptions): Promise<void> {
  const { dir, signal, since, onChange, intervalMs = INTERVAL_MS } = options;
  let handled = since;
  let previous = since;
  while (await elapsed(intervalMs, signal)) {
    const current = await documentState(dir);
    if (current !== handled && current === previous) {
      handled = current;
      await onChange();
    }
    previous = current;
  }
}

/** False where the wait was ended by the signal. */
async function elapsed(durationMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(durationMs, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** Equal before and after = no document was touched between. */
export async function documentState(dir: string): Promise<string> {
  let paths: readonly string[];
  try {
    paths = directoryWorkspace(dir).list();
  } catch (fault) {
    // A repository that cannot be listed is a state of its own: compiling it says why.
    return String(fault);
  }
  const lines = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(join(dir, path)).catch(() => undefined);
      return found === undefined ? path : `${path} ${found.ino} ${found.size} ${found.mtimeMs}`;
    }),
  );
  return lines.join("\n");
}
