// Runs one `aegis` command line in this process and keeps what it wrote.
import { runCli } from "#cli";
import type { ExitCode } from "#cli";

export interface CommandRun {
  readonly exitCode: ExitCode;
  readonly out: string;
  readonly err: string;
}

export async function runCommand(cwd: string, ...argv: readonly string[]): Promise<CommandRun> {
  let out = "";
  let err = "";
  const exitCode = await runCli(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    colorOut: false,
    colorErr: false,
    showProgress: false,
    cwd,
    env: {},
  });
  return { exitCode, out, err };
}
