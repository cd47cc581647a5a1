// Writes a plan to standard output and to a file.
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { showHidden } from "#compiler";
import { planDigest, renderPlanHtml, renderPlanJson, renderPlanMarkdown, renderPlanText } from "#plan";
import type { Plan } from "#plan";
import type { CliIo } from "../output/io.ts";
import type { PlanFormat } from "./options.ts";

/**
 * Writes the plan to standard output, and to `out` as well; a file named .json gets JSON, one named .html HTML. Where a
 * file gets the page that was asked for, standard output gets text: nobody reads a page in a log.
 */
export async function writePlan(
  plan: Plan,
  format: PlanFormat,
  out: string | undefined,
  io: CliIo,
): Promise<void> {
  io.out(render(plan, format === "html" && out !== undefined ? "text" : format, io.colorOut));
  if (out === undefined) return;
  const written = /\.json$/iu.test(out) ? "json" : /\.html?$/iu.test(out) ? "html" : format;
  await writeFile(resolve(io.cwd, out), render(plan, written, false));
  // A release records this digest: it is the sha-256 of the JSON form.
  io.err(`wrote ${out}${written === "json" ? ` (sha256 ${planDigest(plan)})` : ""}\n`);
}

function render(plan: Plan, format: PlanFormat, color: boolean): string {
  switch (format) {
    case "text":
      return renderPlanText(plan, { color, printable: showHidden });
    case "json":
      return renderPlanJson(plan);
    case "markdown":
      return renderPlanMarkdown(plan);
    case "html":
      return renderPlanHtml(plan);
  }
}
