// The options that say what signs: private key files, keys in the environment, or a program that reaches a KMS or an HSM.
import { resolve } from "node:path";
import type { Command } from "commander";
import { DEFAULT_SIGNER_TIMEOUT_MS, loadSigner, splitCommand } from "#release";
import type { Signer } from "#release";
import { CliError } from "./cli-error.ts";
import type { CliIo } from "./io.ts";
import { requiredRepeatableOption } from "./options.ts";

export interface SignerOptions {
  readonly key: readonly string[];
  readonly signer?: string;
  readonly signerTimeout: string;
}

/** Adds `--key`, `--signer` and `--signer-timeout`; `role` says what the keys are for. */
export function withSignerOptions(command: Command, role: "release" | "root"): Command {
  return command
    .addOption(
      requiredRepeatableOption("--key <file>", `private ${role} key, env:NAME, or a public key for --signer`),
    )
    .option("--signer <command>", "program that signs for the public keys among --key; run without a shell")
    .option(
      "--signer-timeout <seconds>",
      "how long the program may take",
      String(DEFAULT_SIGNER_TIMEOUT_MS / 1_000),
    );
}

/** Opens everything `--key` names, in that order. @throws {CliError | ReleaseToolError} */
export async function openSigners(options: SignerOptions, io: CliIo): Promise<readonly Signer[]> {
  const program =
    options.signer === undefined
      ? undefined
      : {
          command: splitCommand(options.signer),
          cwd: io.cwd,
          env: io.env,
          timeoutMs: parseTimeout(options.signerTimeout),
        };
  return Promise.all(
    options.key.map((reference) =>
      // `env:NAME` stays as it is: CI keeps keys in its secrets.
      loadSigner(reference.startsWith("env:") ? reference : resolve(io.cwd, reference), {
        environment: io.env,
        ...(program === undefined ? {} : { program }),
      }),
    ),
  );
}

function parseTimeout(text: string): number {
  if (!/^[1-9]\d{0,2}$/u.test(text))
    throw new CliError(`--signer-timeout is a number of seconds from 1 to 999, not ${JSON.stringify(text)}`);
  return Number(text) * 1_000;
}
