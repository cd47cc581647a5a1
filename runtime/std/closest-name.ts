// Did-you-mean suggestions for misspelt keys and names.
import { closest, distance } from "fastest-levenshtein";

/** The candidate nearest to `name`, or undefined where none is near enough to be a likely misspelling. */
export function closestName(name: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(name, candidates);
  const tolerance = Math.max(1, Math.floor(Math.min(name.length, best.length) / 3));
  return distance(name, best) <= tolerance ? best : undefined;
}
