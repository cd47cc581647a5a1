// Entry of `npm start`. The first line is written before anything heavy is loaded.
process.stdout.write(
  "Aegis: policy as code for MCP traffic. Starting on embedded defaults; Ctrl-C stops everything.\n",
);

const { runStart } = await import("./run-start.ts");
const { processIo } = await import("../output/io.ts");
process.exitCode = await runStart(process.argv.slice(2), processIo());
