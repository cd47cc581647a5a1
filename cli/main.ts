// Process entry of `aegis`.
import { processIo } from "./output/io.ts";
import { runCli } from "./program.ts";

process.exitCode = await runCli(process.argv.slice(2), processIo());
