// Runs the differential of each tree named on the command line until it sees a difference; prints one JSON list.
import { pathToFileURL } from "node:url";
import type { compareSpecialisation } from "./compare.ts";

interface Compare {
  readonly compareSpecialisation: typeof compareSpecialisation;
}

const [seed = "1", repositories = "1", ...entries] = process.argv.slice(2);
const seen: (string | null)[] = [];
for (const entry of entries) {
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
