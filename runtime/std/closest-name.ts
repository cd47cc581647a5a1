// Did-you-mean suggestions for misspelt keys and names.
import { closest, distance } from "fastest-levenshtein";

/** The candidate nearest to `name`, or undefined where none is near enough to be a likely misspelling. */
export function closestName(name: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const swapped = candidates.find((candidate) => isSwap(name, candidate));
  if (swapped !== undefined) return swapped;
  const best = closest(name, candidates);
  const tolerance = Math.max(1, Math.floor(Math.min(name.length, best.length) / 3));
  return distance(name, best) <= tolerance ? best : undefined;
}

/** True where two neighbouring letters changed places: one slip, of which the edit distance makes two. */
function isSwap(name: string, candidate: string): boolean {
  if (name.length !== candidate.length) return false;
  const letters = name.split("");
  const at = letters.findIndex((letter, index) => letter !== candidate[index]);
  const [first, second] = [letters[at], letters[at + 1]];
  if (first === undefined || second === undefined) return false;
  return name.slice(0, at) + second + first + name.slice(at + 2) === candidate;
}
