// What a save changed for callers.
import type { SoundResult } from "./dev-server.ts";

/** One line for each decision that is another one now. */
export function describeChanges(before: SoundResult, after: SoundResult): Promise<readonly string[]> {
  const short = (result: SoundResult): string => result.bundle.digest.slice(0, 12);
  return Promise.resolve([`bundle ${short(before)} is now ${short(after)}`]);
}
