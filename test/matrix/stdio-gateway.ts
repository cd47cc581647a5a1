// A second gateway process on the same channel, as a local MCP server: `aegis-gateway --stdio --route …`.
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GATEWAY_FLAGS, gatewayEntry } from "../../cli/dev/gateway-process.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import type { StdioCommand } from "./open-leg.ts";

/** Its directories lie below the world's, which removes them. */
export async function stdioGateway(
  world: GatewayWorld,
  server: string,
  token: string,
): Promise<StdioCommand> {
  const dir = await mkdtemp(join(world.dir, "stdio-"));
  const shared = JSON.parse(await readFile(world.gateway.configPath, "utf8")) as Record<string, unknown>;
  const config = {
    ...shared,
    stateDir: join(dir, "state"),
    audit: { dir: join(dir, "audit"), mode: "batch" },
    admin: { host: "127.0.0.1", port: 0 },
    stdio: { token: "env:MATRIX_TOKEN" },
  };
  const path = join(dir, "gateway.json");
  await writeFile(path, JSON.stringify(config));
  const route = world.endpoint(server).pathname;
  return {
    command: process.execPath,
    args: [...GATEWAY_FLAGS, gatewayEntry(), ...["--config", path, "--stdio", "--route", route]],
    env: { MATRIX_TOKEN: token },
  };
}
