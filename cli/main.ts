// Process entry of `aegis`.
import { processIo } from "./output/io.ts";
import { runCli } from "./program.ts";

// A reader that has seen enough, such as `head`, closes the pipe; that is no fault of the command.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (fault: NodeJS.ErrnoException) => {
    if (fault.code !== "EPIPE") throw fault;
    process.exit();
  });
}
process.exitCode = await runCli(process.argv.slice(2), processIo());
