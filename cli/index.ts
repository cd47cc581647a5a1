// Door #cli: the commands without their process, for the GitHub Action and the tests.
export { runCli } from "./program.ts";
export { EXIT } from "./output/exit-codes.ts";
export type { ExitCode } from "./output/exit-codes.ts";
export type { CliIo } from "./output/io.ts";
