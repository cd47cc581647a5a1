// Runs the differential with each planted bug of the command line until it sees a difference; prints one JSON list, whose
// last entry is of the differential without any bug, in the same process and after all of them.
// Usage: node planted-entry.ts <repositories at most> <index of a bug> …
import { compareSpecialisation } from "./compare.ts";
import type * as Comparing from "./compare.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import type { PlantedBug } from "./planted-bugs.ts";
import { plant } from "./planted-modules.ts";

async function firstDifference(
  compare: typeof Comparing.compareSpecialisation,
  seed: number,
  repositories: number,
): Promise<string | null> {
  const { differences } = await compare({ seed, repositories, requestsEach: 20, untilDifferent: true });
  return differences[0] ?? null;
}

const [repositories = "1", ...indexes] = process.argv.slice(2);
const bugs = indexes.flatMap((index): readonly PlantedBug[] => PLANTED_BUGS.slice(Number(index)).slice(0, 1));
const importWith = plant(bugs);
const seen: (string | null)[] = [];
for (const bug of bugs) {
  const { compareSpecialisation: compare } = await importWith(bug);
  seen.push(await firstDifference(compare, bug.seed, Number(repositories)));
}
seen.push(await firstDifference(compareSpecialisation, bugs.at(-1)?.seed ?? 0, 1));
process.stdout.write(JSON.stringify(seen));
process.exit(0);
