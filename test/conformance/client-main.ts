// The command that the suite starts for a client scenario, with the URL of its server as the last argument.
// Usage: node client-main.ts direct|gateway URL
// `gateway` pins the server, releases a policy repository for it, and puts a gateway of its own before it.
import type { TransportEntry } from "#bundle";
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { runConformanceClient } from "./conformance-client.ts";
import { ASKS } from "./conformance-world.ts";

const [mode = "", url = ""] = process.argv.slice(2);
const run = {
  scenario: process.env["MCP_CONFORMANCE_SCENARIO"] ?? "",
  revision: process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? "",
  context: process.env["MCP_CONFORMANCE_CONTEXT"],
};
const SERVER = "subject";

if (mode === "direct") {
  await runConformanceClient({ ...run, url: new URL(url) });
} else {
  // The suite's servers listen on every address of the machine, whatever name they give.
  const transport: TransportEntry = {
    type: "streamable-http",
    url: url.replace("//localhost", "//127.0.0.1"),
  };
  const pinned = await pinLive({ id: SERVER, transport });
  const world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/asks.yaml": ASKS }),
    transports: { [SERVER]: transport },
    gateway: { auditMode: "batch" },
  });
  try {
    const token = await world.token(DEVELOPER, SERVER);
    await runConformanceClient({ ...run, url: world.endpoint(SERVER), token });
  } finally {
    if (process.env["AEGIS_CONFORMANCE_LOG"] !== undefined) process.stderr.write(world.log.join("\n"));
    await world.stop();
  }
}
