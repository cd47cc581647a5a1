// aegis build: the deterministic bundle and its digest.
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { EXIT } from "../output/exit-codes.ts";
import { placeOutput } from "../output/files.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

interface BuildOptions {
  readonly output: string;
  readonly format: string;
}

export function registerBuild(program: Command, host: CommandHost): void {
  program
    .command("build")
    .argument("[dir]", "policy repository", ".")
    .summary("Compile to a bundle and print its digest.")
    .description(
      "Compile to a bundle and print its digest, which is the sha256sum of the file.\n" +
        "Equal documents and an equal compiler give equal bytes.",
    )
    .requiredOption("-o, --output <file.aegis>", "file to write")
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (dir: string, options: BuildOptions) => {
        const result = await compileProject(dir, host.io);
        if (result.diagnostics.length > 0) showDiagnostics(result, host.io);
        const { bundle } = result;
        if (bundle === undefined) return EXIT.checkFailed;
        const file = await placeOutput(options.output, host.io.cwd);
        await writeFile(file, bundle.bytes);
        const { digest, bytes, content } = bundle;
        const vectors = content.vectors.vectors.length;
        if (options.format === "json") {
          host.io.out(jsonDocument({ formatVersion: 1, file, digest, sizeBytes: bytes.length, vectors }));
        } else {
          host.io.out(`${digest}  ${options.output}\n`);
          host.io.err(
            `${bytes.length} bytes, ${content.policies.slices.length} slices, ${vectors} golden vectors\n`,
          );
        }
        return EXIT.ok;
      }),
    );
}
