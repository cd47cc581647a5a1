// aegis schema: the JSON Schemas of the documents, for editors.
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { closestName } from "#std";
import { DOCUMENT_SCHEMAS } from "#compiler";
import type { DocumentKind } from "#compiler";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { CommandHost } from "../program.ts";

interface SchemaOptions {
  readonly out?: string;
}

export function registerSchema(program: Command, host: CommandHost): void {
  program
    .command("schema")
    .argument("[kind]", "document kind, e.g. policy or test-suite")
    .summary("Print the JSON Schemas of the documents.")
    .description(
      "Print the JSON Schema of one kind of document, or the kinds there are. `aegis init` puts all of them into\n" +
        ".schema, where its editor settings look; write them again after an update of aegis.",
    )
    .option("--out <dir>", "write the schema, or all of them, into this directory")
    .action(
      host.action(async (kind: string | undefined, options: SchemaOptions) => {
        const kinds = kind === undefined ? KINDS : [kindNamed(kind)];
        if (options.out !== undefined) {
          const dir = resolve(host.io.cwd, options.out);
          await mkdir(dir, { recursive: true });
          for (const item of kinds) await writeFile(join(dir, schemaFileName(item)), schemaText(item));
          host.io.out(`${kinds.map((item) => join(dir, schemaFileName(item))).join("\n")}\n`);
        } else if (kind === undefined) host.io.out(`${KINDS.map(writtenName).sort().join("\n")}\n`);
        else host.io.out(kinds.map(schemaText).join(""));
        return EXIT.ok;
      }),
    );
}

const KINDS = Object.keys(DOCUMENT_SCHEMAS) as readonly DocumentKind[];

/** `test-suite` of `TestSuite`. */
function writtenName(kind: DocumentKind): string {
  return kind.replaceAll(/(?<=[a-z])[A-Z]/gu, (letter) => `-${letter}`).toLowerCase();
}

function schemaFileName(kind: DocumentKind): string {
  return `${writtenName(kind)}.schema.json`;
}

function schemaText(kind: DocumentKind): string {
  return `${JSON.stringify(DOCUMENT_SCHEMAS[kind], undefined, 2)}\n`;
}

function kindNamed(text: string): DocumentKind {
  const found = KINDS.find((kind) => writtenName(kind) === text.toLowerCase() || kind === text);
  if (found !== undefined) return found;
  const names = KINDS.map(writtenName).sort();
  const near = closestName(text, names);
  throw new CliError(`there is no document kind ${JSON.stringify(text)}`, {
    help: near === undefined ? `kinds: ${names.join(", ")}` : `did you mean ${near}?`,
  });
}
