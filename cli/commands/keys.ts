// aegis keys new: a signing key pair.
import { relative } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { createKey } from "#release";
import type { SignatureAlgorithm } from "#bundle";
import { EXIT } from "../output/exit-codes.ts";
import { placeOutput } from "../output/files.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

const ALGORITHMS: readonly SignatureAlgorithm[] = ["Ed25519", "ES256"];

interface NewKeyOptions {
  readonly algorithm: SignatureAlgorithm;
  readonly format: string;
}

export function registerKeys(program: Command, host: CommandHost): void {
  const keys = program.command("keys").description("Make signing keys.").helpCommand(false);
  keys
    .command("new")
    .argument(
      "<file.json>",
      "private key file to write, mode 0600; the public key goes beside it as .pub.json",
    )
    .summary("Make a key pair.")
    .description("Make a key pair. The private key is never printed and no file is overwritten.")
    .addOption(
      new Option("--algorithm <name>", "signature algorithm").choices(ALGORITHMS).default(ALGORITHMS[0]),
    )
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (file: string, options: NewKeyOptions) => {
        const { algorithm } = options;
        const { key, publicPath } = await createKey(await placeOutput(file, host.io.cwd), algorithm);
        if (options.format === "json") {
          host.io.out(jsonDocument({ formatVersion: 1, keyId: key.keyId, algorithm, publicPath }));
        } else {
          host.io.out(`${key.keyId}\n`);
          host.io.err(
            `private key: ${file} (keep it secret)\npublic key:  ${relative(host.io.cwd, publicPath)}\n`,
          );
        }
        return EXIT.ok;
      }),
    );
}
