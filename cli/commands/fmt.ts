// aegis fmt: one spelling for every document.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { directoryWorkspace, formatDocument, renderText } from "#compiler";
import { EXIT } from "../output/exit-codes.ts";
import { projectDir } from "../output/project.ts";
import { textOptions } from "../output/io.ts";
import type { CommandHost } from "../program.ts";

interface FmtOptions {
  readonly check?: boolean;
  readonly addHeader?: boolean;
}

export function registerFmt(program: Command, host: CommandHost): void {
  program
    .command("fmt")
    .argument("[dir]", "policy repository", ".")
    .summary("Format the documents.")
    .description(
      "Format the documents and print which were written. Nothing is written where one does not parse.",
    )
    .option("--check", "write nothing; exit 7 where a document would change")
    .option("--add-header", "add apiVersion and kind where a document has none")
    .action(host.action((dir: string, options: FmtOptions) => format(dir, options, host)));
}

async function format(dir: string, options: FmtOptions, host: CommandHost): Promise<0 | 3 | 7> {
  const root = await projectDir(dir, host.io);
  const changed: { readonly path: string; readonly text: string }[] = [];
  let failed = false;
  for (const path of directoryWorkspace(root).list()) {
    const text = await readFile(join(root, path), "utf8");
    const outcome = formatDocument(path, text, { header: options.addHeader === true ? "add" : "keep" });
    if (!outcome.ok) {
      failed = true;
      host.io.err(renderText(outcome.diagnostics, { ...textOptions(host.io), sourceOf: () => text }));
    } else if (outcome.text !== text) {
      changed.push({ path, text: outcome.text });
    }
  }
  if (failed) return EXIT.checkFailed;
  for (const { path, text } of changed) {
    if (options.check !== true) await writeFile(join(root, path), text);
    host.io.out(`${path}\n`);
  }
  return options.check === true && changed.length > 0 ? EXIT.drift : EXIT.ok;
}
