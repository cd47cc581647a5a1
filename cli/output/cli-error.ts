// A command that cannot do what was asked: message, what to do about it, exit code.
import { EXIT } from "./exit-codes.ts";
import type { ExitCode } from "./exit-codes.ts";

export class CliError extends Error {
  readonly help: string | undefined;
  readonly exitCode: ExitCode;
  constructor(
    message: string,
    options: { readonly help?: string; readonly exitCode?: ExitCode; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "CliError";
    this.help = options.help;
    this.exitCode = options.exitCode ?? EXIT.error;
  }
}
