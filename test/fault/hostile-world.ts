// A gateway before the server that does what it is told, and its callers of both eras.
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { modernHeaders, modernMeta, postMessage } from "../e2e/raw-call.ts";
import { LegacySessionClient } from "../e2e/sse-client.ts";
import { startHostileServer } from "./hostile-server.ts";
import type { HostileServer, Misbehaviour } from "./hostile-server.ts";

export const ERAS = ["modern", "legacy"] as const;
export type Era = (typeof ERAS)[number];

export interface HostileWorld extends GatewayWorld {
  readonly server: HostileServer;
  readonly url: URL;
  /** Of a developer, as whom `call` calls. */
  readonly bearer: string;
  /** Calls `tool` with `text`, with id 7 and the progress token `mine`; what came back, as it came. */
  readonly call: (era: Era, tool: string, text: string) => Promise<string>;
}

/** `files` stand in the repository beside what grants developers everything. */
export async function startHostileWorld(
  misbehaviours: Readonly<Record<string, Misbehaviour>>,
  files: Readonly<Record<string, string>> = {},
): Promise<HostileWorld> {
  const server = await startHostileServer(misbehaviours);
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: "hostile", transport });
  const world = await startGatewayWorld({
    workspace: grantingRepository([pinned], files),
    transports: { hostile: transport },
  });
  const url = world.endpoint("hostile");
  const bearer = await world.token(DEVELOPER, "hostile");
  const headersOf = async (era: Era, tool: string): Promise<Readonly<Record<string, string>>> =>
    era === "legacy"
      ? (await LegacySessionClient.open(url, bearer)).headers()
      : { authorization: `Bearer ${bearer}`, ...modernHeaders("tools/call", tool) };
  return {
    ...world,
    get gateway() {
      return world.gateway;
    },
    server,
    url,
    bearer,
    call: async (era, tool, text) => {
      const _meta = { ...(era === "modern" ? modernMeta() : {}), progressToken: "mine" };
      const params = { name: tool, arguments: { text }, _meta };
      const request = { jsonrpc: "2.0", id: 7, method: "tools/call", params };
      return (await postMessage(url, request, await headersOf(era, tool))).text();
    },
    stop: async () => {
      await world.stop();
      await server.close();
    },
  };
}
