// A whole Aegis for one test: the demo MCP servers and the template repository behind a gateway process.
import { join } from "node:path";
import { directoryWorkspace } from "#compiler";
import type { Workspace } from "#compiler";
import { startDemoServers } from "../../cli/demo/demo-servers.ts";
import type { DemoServers } from "../../cli/demo/demo-servers.ts";
import type { GatewayProcessOptions } from "../../cli/dev/gateway-process.ts";
import { createWorldDir, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";

export { CHANNEL, DEVELOPER, EMPLOYEE, EXTERNAL } from "./gateway-world.ts";
export type { Caller } from "./gateway-world.ts";

export const TEMPLATE_DIR = join(import.meta.dirname, "..", "..", "policy-repo-template");

export interface World extends GatewayWorld {
  readonly servers: DemoServers;
}

export interface WorldOptions {
  readonly templateDir?: string;
  /** Instead of a directory. */
  readonly workspace?: Workspace;
  readonly pinMaxAgeMs?: number;
  readonly gateway?: Partial<GatewayProcessOptions>;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const dir = await createWorldDir();
  const servers = await startDemoServers(dir);
  const world = await startGatewayWorld({
    dir,
    workspace: options.workspace ?? directoryWorkspace(options.templateDir ?? TEMPLATE_DIR),
    transports: servers.transports,
    programs: servers.programs,
    ...(options.pinMaxAgeMs === undefined ? {} : { pinMaxAgeMs: options.pinMaxAgeMs }),
    ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
  }).catch(async (fault: unknown) => {
    await servers.stop();
    throw fault;
  });
  return {
    ...world,
    get gateway() {
      return world.gateway;
    },
    servers,
    stop: async () => {
      await world.stop();
      await servers.stop();
    },
  };
}
