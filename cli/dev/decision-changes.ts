// What a save changed for callers, in the words of `aegis plan`.
import { showHidden } from "#compiler";
import { planChanges, renderPlanText } from "#plan";
import type { SoundResult } from "./dev-server.ts";

export interface ChangeOptions {
  readonly color: boolean;
  readonly signal: AbortSignal;
}

/** A large change is shown in part: `aegis plan` shows all of it. */
const MAX_LINES = 60;

/** Lines about decisions and transforms that are others now. Definitions that nothing touched are not searched. */
export async function describeChanges(
  before: SoundResult,
  after: SoundResult,
  { color, signal }: ChangeOptions,
): Promise<readonly string[]> {
  const plan = await planChanges(before, after, { identicalLeaves: "skip", signal });
  const lines = renderPlanText(plan, { color, printable: showHidden }).trimEnd().split("\n");
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES), `… ${lines.length - MAX_LINES} more lines: see aegis plan`];
}
