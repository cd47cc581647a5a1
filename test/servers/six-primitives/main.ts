// The server of six primitives over standard input and output. What reaches it is appended to the file of `--reached`.
import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createSixServer } from "./six-server.ts";

const { values } = parseArgs({ options: { reached: { type: "string" } } });
const { reached } = values;
if (reached === undefined) throw new Error("--reached <file> is required");

serveStdio(() => createSixServer({ onReached: (what) => appendFileSync(reached, `${what}\n`) }));
