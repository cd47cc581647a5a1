// aegis keys new | show: signing key pairs, and public keys of pairs that are kept elsewhere.
import { relative, resolve } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { createKey, loadPublicKey, registerPublicKey } from "#release";
import type { PublicKey } from "#release";
import type { SignatureAlgorithm } from "#bundle";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { placeOutput } from "../output/files.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

const ALGORITHMS: readonly SignatureAlgorithm[] = ["Ed25519", "ES256"];

interface NewKeyOptions {
  readonly algorithm?: SignatureAlgorithm;
  readonly publicKey?: string;
  readonly format: string;
}

export function registerKeys(program: Command, host: CommandHost): void {
  const keys = program.command("keys").description("Make and show signing keys.").helpCommand(false);
  keys
    .command("new")
    .argument(
      "<file.json>",
      "private key file to write, mode 0600; the public key goes beside it as .pub.json",
    )
    .summary("Make a key pair, or register a public key.")
    .description(
      "Make a key pair. The private key is never printed and no file is overwritten.\n" +
        "With --public-key no key is made: the public half of a key in a KMS or HSM is registered.",
    )
    .addOption(
      new Option("--algorithm <name>", `signature algorithm (default: ${ALGORITHMS[0]})`).choices(ALGORITHMS),
    )
    .option("--public-key <file>", "public key, PEM or JWK, of a pair that is kept elsewhere")
    .addOption(formatOption("text", "json"))
    .action(host.action((file: string, options: NewKeyOptions) => makeKey(file, options, host)));
  keys
    .command("show")
    .argument("<file>", "key file, public or private, JWK or public PEM")
    .summary("Show the public half of a key.")
    .description("Show id, algorithm and public JWK of a key. Of a private key nothing else is printed.")
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (file: string, options: { readonly format: string }) => {
        const key = await loadPublicKey(resolve(host.io.cwd, file));
        host.io.out(options.format === "json" ? jsonDocument({ formatVersion: 1, ...key }) : describe(key));
        return EXIT.ok;
      }),
    );
}

async function makeKey(file: string, options: NewKeyOptions, host: CommandHost): Promise<0> {
  const { publicKey: source } = options;
  const { cwd } = host.io;
  if (source !== undefined && options.algorithm !== undefined) {
    throw new CliError("--algorithm is for a new pair: that of a registered key is its own");
  }
  const path = await placeOutput(file, cwd);
  const { key, publicPath } =
    source === undefined
      ? await createKey(path, options.algorithm)
      : await registerPublicKey(path, resolve(cwd, source));
  if (options.format === "json") {
    const { keyId, alg } = key;
    host.io.out(jsonDocument({ formatVersion: 1, keyId, algorithm: alg, publicPath }));
    return EXIT.ok;
  }
  host.io.out(`${key.keyId}\n`);
  if (source === undefined) host.io.err(`private key: ${file} (keep it secret)\n`);
  host.io.err(`public key:  ${relative(cwd, publicPath)}\n`);
  return EXIT.ok;
}

function describe({ keyId, alg, jwk }: PublicKey): string {
  return `id         ${keyId}\nalgorithm  ${alg}\npublic     ${JSON.stringify(jwk)}\n`;
}
