// Runs the differential of each tree of the command line until it sees a difference; prints one JSON list.
// Usage: node planted-entry.ts <repositories at most> <seed> <entry> [<seed> <entry> …]
import { pathToFileURL } from "node:url";
import type { compareSpecialisation } from "./compare.ts";

interface Compare {
  readonly compareSpecialisation: typeof compareSpecialisation;
}

const [repositories = "1", ...pairs] = process.argv.slice(2);
const seen: (string | null)[] = [];
for (let index = 0; index + 1 < pairs.length; index += 2) {
  const [seed = "", entry = ""] = pairs.slice(index, index + 2);
  const { compareSpecialisation: compare } = (await import(pathToFileURL(entry).href)) as Compare;
  const report = await compare({
    seed: Number(seed),
    repositories: Number(repositories),
    requestsEach: 20,
    untilDifferent: true,
  });
  seen.push(report.differences[0] ?? null);
}
process.stdout.write(JSON.stringify(seen));
process.exit(0);
