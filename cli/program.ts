// The command tree. Each command file registers itself and returns an exit code; nothing here does work.
import { Command, CommanderError } from "commander";
import { EXIT } from "./output/exit-codes.ts";
import type { ExitCode } from "./output/exit-codes.ts";
import type { CliIo } from "./output/io.ts";

/** What a command file needs to register itself. */
export interface CommandHost {
  readonly io: CliIo;
  /** Wraps an action: its exit code becomes the program's, what it throws is reported. */
  readonly action: <Arguments extends readonly unknown[]>(
    run: (...args: Arguments) => Promise<ExitCode> | ExitCode,
  ) => (...args: Arguments) => Promise<void>;
}

type Register = (program: Command, host: CommandHost) => void;

/**
 * In the order of `aegis --help`. A command's file is read only where the command is asked for: most of them bring the
 * compiler, and `connect` is started by clients that wait for it.
 */
const GROUPS: readonly (readonly [heading: string, Readonly<Record<string, () => Promise<Register>>>])[] = [
  [
    "Write policy:",
    {
      init: async () => (await import("./commands/init.ts")).registerInit,
      check: async () => (await import("./commands/check.ts")).registerCheck,
      fmt: async () => (await import("./commands/fmt.ts")).registerFmt,
      schema: async () => (await import("./commands/schema.ts")).registerSchema,
      test: async () => (await import("./commands/test.ts")).registerTest,
      plan: async () => (await import("./commands/plan.ts")).registerPlan,
      explain: async () => (await import("./commands/explain.ts")).registerExplain,
      pin: async () => (await import("./commands/pin.ts")).registerPin,
      dev: async () => (await import("./commands/dev.ts")).registerDev,
    },
  ],
  [
    "Release it:",
    {
      build: async () => (await import("./commands/build.ts")).registerBuild,
      keys: async () => (await import("./commands/keys.ts")).registerKeys,
      root: async () => (await import("./commands/root.ts")).registerRoot,
      release: async () => (await import("./commands/release.ts")).registerRelease,
      verify: async () => (await import("./commands/verify.ts")).registerVerify,
      inspect: async () => (await import("./commands/inspect.ts")).registerInspect,
      diff: async () => (await import("./commands/diff.ts")).registerDiff,
    },
  ],
  [
    "Run it:",
    {
      gateway: async () => (await import("./commands/gateway.ts")).registerGateway,
      connect: async () => (await import("./commands/connect.ts")).registerConnect,
      audit: async () => (await import("./commands/audit.ts")).registerAudit,
    },
  ],
];

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
  const program = createProgram(io, await versionFor(argv));
  const [asked = ""] = argv;
  const isKnown = GROUPS.some(([, commands]) => Object.hasOwn(commands, asked));
  for (const [heading, commands] of GROUPS) {
    program.commandsGroup(heading);
    // Whatever is no command is answered with the list of all.
    for (const [name, load] of Object.entries(commands))
      if (!isKnown || name === asked) (await load())(program, host);
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? EXIT.ok : EXIT.error;
    const { reportFault } = await import("./output/report-fault.ts");
    return reportFault(fault, io);
  }
}

async function versionFor(argv: readonly string[]): Promise<string> {
  const isAsked = argv.includes("-V") || argv.includes("--version");
  return isAsked ? (await import("#compiler")).COMPILER_VERSION : "";
}

function createProgram(io: CliIo, version: string): Command {
  return new Command("aegis")
    .description("Policy as code for Model Context Protocol traffic: check, test, release and serve.")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .configureHelp({ subcommandTerm })
    .version(version, "-V, --version", "print the version")
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
