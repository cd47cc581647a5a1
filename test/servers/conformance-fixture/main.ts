// The server that the conformance suite is run against, as a program.
// Usage: node main.ts [--eras dual|legacy|modern] [--transport http|stdio] [--port 0]
// Over HTTP it prints one JSON line when it is ready: {"ready":true,"url":…,"pid":…}
import { parseArgs } from "node:util";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { createFixtureServer } from "./fixture-server.ts";
import { startFixtureHost } from "./http-host.ts";
import type { Eras } from "./http-host.ts";

const { values } = parseArgs({
  options: {
    eras: { type: "string", default: "dual" },
    transport: { type: "string", default: "http" },
    port: { type: "string", default: "0" },
  },
});
const ERAS: readonly Eras[] = ["dual", "legacy", "modern"];
const eras = ERAS.find((name) => name === values.eras);
if (eras === undefined) throw new Error(`--eras is one of ${ERAS.join(", ")}`);

if (values.transport === "stdio") {
  serveStdio(() => createFixtureServer(), { legacy: eras === "modern" ? "reject" : "serve" });
} else {
  const { url } = await startFixtureHost(eras, Number(values.port));
  process.stdout.write(`${JSON.stringify({ ready: true, url, pid: process.pid })}\n`);
  process.once("SIGTERM", () => process.exit(0));
}
