// aegis keys new: a signing key pair.
import { resolve } from "node:path";
import type { Command } from "commander";
import { createKey } from "#release";
import type { SignatureAlgorithm } from "#bundle";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { jsonDocument } from "../output/io.ts";
import type { CommandHost } from "../program.ts";

const ALGORITHMS: readonly SignatureAlgorithm[] = ["Ed25519", "ES256"];

interface NewKeyOptions {
  readonly algorithm: string;
  readonly format: string;
}

export function registerKeys(program: Command, host: CommandHost): void {
  const keys = program.command("keys").description("Signing keys.");
  keys
    .command("new")
    .argument(
      "<file.json>",
      "private key file to write, mode 0600; the public key goes beside it as .pub.json",
    )
    .description("Make a key pair. The private key is never printed and no file is overwritten.")
    .option("--algorithm <name>", `signature algorithm: ${ALGORITHMS.join(", ")}`, "Ed25519")
    .option("--format <format>", "output format: text, json", "text")
    .action(
      host.action(async (file: string, options: NewKeyOptions) => {
        const algorithm = ALGORITHMS.find((name) => name === options.algorithm);
        if (algorithm === undefined) {
          throw new CliError(`unknown algorithm ${JSON.stringify(options.algorithm)}`, {
            help: `one of ${ALGORITHMS.join(", ")}`,
          });
        }
        const { key, publicPath } = await createKey(resolve(host.io.cwd, file), algorithm);
        if (options.format === "json") {
          host.io.out(jsonDocument({ formatVersion: 1, keyId: key.keyId, algorithm, publicPath }));
        } else {
          host.io.out(`${key.keyId}\n`);
          host.io.err(`private key: ${file} (keep it secret)\npublic key:  ${publicPath}\n`);
        }
        return EXIT.ok;
      }),
    );
}
