// A gateway before the server of the conformance suite, whose tools ask the client for something in both eras.
import type { Workspace } from "#compiler";
import { startFixtureHost } from "../servers/conformance-fixture/http-host.ts";
import { startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";

export const SERVER = "asking";

/** A policy file by which developers may be asked everything, within `bounds`. */
export const asksOf = (...bounds: readonly string[]): string =>
  [
    "metadata: { name: asks, reason: developers may be asked }",
    "scope: { principals: { in: [Developer] } }",
    'allow: { sampling: ["*"], elicitation: ["*"], roots: ["*"] }',
    ...bounds,
    "",
  ].join("\n");

export const ASK_ANYTHING = asksOf();
/** Roots that are files, and no others. */
export const FILE_ROOTS = `roots: { ${SERVER}: { schemes: [file] } }`;

export interface AskingWorld extends GatewayWorld {
  /** The same server under other policies on what may be asked. */
  readonly repository: (asks: string, files?: Readonly<Record<string, string>>) => Workspace;
}

export async function startAskingWorld(asks: string = ASK_ANYTHING): Promise<AskingWorld> {
  const host = await startFixtureHost("dual", 0);
  try {
    const transport = { type: "streamable-http", url: host.url } as const;
    const pinned = await pinLive({ id: SERVER, transport });
    const repository: AskingWorld["repository"] = (text, files = {}) =>
      grantingRepository([pinned], { "policies/asks.yaml": text, ...files });
    const world = await startGatewayWorld({
      workspace: repository(asks),
      transports: { [SERVER]: transport },
      gateway: { pollIntervalMs: 3_600_000 },
    });
    return {
      ...world,
      get gateway() {
        return world.gateway;
      },
      repository,
      stop: async () => {
        await world.stop();
        await host.close();
      },
    };
  } catch (fault) {
    await host.close();
    throw fault;
  }
}
