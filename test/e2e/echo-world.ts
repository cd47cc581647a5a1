// A gateway in front of the echo server: the cheapest whole Aegis there is.
import type { Workspace } from "#compiler";
import type { PinTarget } from "#registry";
import { startEchoServer } from "../servers/echo.ts";
import type { EchoServer } from "../servers/echo.ts";
import { startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld, GatewayWorldOptions } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import type { GrantedServer } from "./granting-repository.ts";

export interface EchoWorld extends GatewayWorld {
  readonly echo: EchoServer;
  readonly pinned: GrantedServer;
}

export interface EchoWorldOptions extends Partial<Omit<GatewayWorldOptions, "workspace" | "transports">> {
  /** The repository for the pinned server; grants everything to the role Developer where absent. */
  readonly repository?: (pinned: GrantedServer) => Workspace;
}

/** The server captures what reaches it; the gateway does not poll, releases are activated by `release` and `reload`. */
export async function startEchoWorld(options: EchoWorldOptions = {}): Promise<EchoWorld> {
  const { repository, ...rest } = options;
  const echo = await startEchoServer({ capture: true });
  try {
    const target: PinTarget = { id: "echo", transport: { type: "streamable-http", url: echo.url } };
    const pinned = await pinLive(target);
    const world = await startGatewayWorld({
      gateway: { pollIntervalMs: 3_600_000 },
      ...rest,
      workspace: repository?.(pinned) ?? grantingRepository([pinned]),
      transports: { echo: target.transport },
    });
    return {
      ...world,
      get gateway() {
        return world.gateway;
      },
      echo,
      pinned,
      stop: async () => {
        await world.stop();
        await echo.close();
      },
    };
  } catch (fault) {
    await echo.close();
    throw fault;
  }
}
