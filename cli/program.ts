// The command tree. Each command file registers itself and returns an exit code; nothing here does work.
import { Command, CommanderError } from "commander";
import { COMPILER_VERSION } from "#compiler";
import { registerAudit } from "./commands/audit.ts";
import { registerBuild } from "./commands/build.ts";
import { registerCheck } from "./commands/check.ts";
import { registerConnect } from "./commands/connect.ts";
import { registerDev } from "./commands/dev.ts";
import { registerDiff } from "./commands/diff.ts";
import { registerExplain } from "./commands/explain.ts";
import { registerFmt } from "./commands/fmt.ts";
import { registerGateway } from "./commands/gateway.ts";
import { registerInit } from "./commands/init.ts";
import { registerInspect } from "./commands/inspect.ts";
import { registerKeys } from "./commands/keys.ts";
import { registerPin } from "./commands/pin.ts";
import { registerPlan } from "./commands/plan.ts";
import { registerRelease } from "./commands/release.ts";
import { registerRoot } from "./commands/root.ts";
import { registerSchema } from "./commands/schema.ts";
import { registerTest } from "./commands/test.ts";
import { registerVerify } from "./commands/verify.ts";
import { EXIT } from "./output/exit-codes.ts";
import type { ExitCode } from "./output/exit-codes.ts";
import type { CliIo } from "./output/io.ts";
import { reportFault } from "./output/report-fault.ts";

/** What a command file needs to register itself. */
export interface CommandHost {
  readonly io: CliIo;
  /** Wraps an action: its exit code becomes the program's, what it throws is reported. */
  readonly action: <Arguments extends readonly unknown[]>(
    run: (...args: Arguments) => Promise<ExitCode> | ExitCode,
  ) => (...args: Arguments) => Promise<void>;
}

/** In the order of `aegis --help`. */
const GROUPS = [
  [
    "Write policy:",
    [
      registerInit,
      registerCheck,
      registerFmt,
      registerSchema,
      registerTest,
      registerPlan,
      registerExplain,
      registerPin,
      registerDev,
    ],
  ],
  [
    "Release it:",
    [
      registerBuild,
      registerKeys,
      registerRoot,
      registerRelease,
      registerVerify,
      registerInspect,
      registerDiff,
    ],
  ],
  ["Run it:", [registerGateway, registerConnect, registerAudit]],
] as const;

const EXIT_HELP = `
Exit codes: 0 ok, 1 error or usage, 2 plan has changes (--detailed-exitcode), 3 check failed, 4 tests failed,
5 gate violated, 6 trust failure, 7 drift found, 8 audit incomplete.
`;

/** Runs one command line; never throws. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const host: CommandHost = {
    io,
    action:
      (run) =>
      async (...args) => {
        exitCode = await run(...args);
      },
  };
  const program = createProgram(io);
  for (const [heading, registers] of GROUPS) {
    program.commandsGroup(heading);
    for (const register of registers) register(program, host);
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? EXIT.ok : EXIT.error;
    return reportFault(fault, io);
  }
}

function createProgram(io: CliIo): Command {
  return new Command("aegis")
    .description("Policy as code for Model Context Protocol traffic: check, test, release and serve.")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .configureHelp({ subcommandTerm })
    .version(COMPILER_VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .showHelpAfterError("(add --help for usage)")
    .addHelpText("after", EXIT_HELP);
}

/** `verify <channel dir | file.aegis>`: the options are in the help of the command. */
function subcommandTerm(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...args].join(" ");
}
