// Writes the numbers of the committed result file into the README, between its two marks. Usage:
// node bench/render-readme.ts [--check]   with --check nothing is written, and a README that differs exits with 1
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { format, resolveConfig } from "prettier";
import { renderMarkdown } from "./render.ts";
import { readResults } from "./results.ts";

const README = join(import.meta.dirname, "..", "README.md");
const START = "<!-- bench:start -->";
const END = "<!-- bench:end -->";

/** The README with the block between the marks replaced. Throws where the marks are not there once each, in order. */
export async function withNumbers(readme: string, path: string = README): Promise<string> {
  const start = readme.indexOf(START);
  const end = readme.indexOf(END);
  if (start === -1 || end < start || readme.lastIndexOf(START) !== start || readme.lastIndexOf(END) !== end)
    throw new Error(`${path} must have ${START} and ${END} once each, in this order`);
  const numbers = await format(renderMarkdown(readResults()), {
    ...(await resolveConfig(path)),
    parser: "markdown",
  });
  return `${readme.slice(0, start)}${START}\n\n${numbers}\n${readme.slice(end)}`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
  const before = readFileSync(README, "utf8");
  const after = await withNumbers(before);
  if (!values.check) writeFileSync(README, after);
  else if (after !== before) {
    process.stderr.write(
      "README.md does not show bench/results/latest.json; run node bench/render-readme.ts\n",
    );
    process.exitCode = 1;
  }
}
