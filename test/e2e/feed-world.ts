// A gateway in front of servers that tell of changes: one of both eras, one of each.
import type { Workspace } from "#compiler";
import type { TransportEntry } from "#bundle";
import { startFeedServer } from "../servers/feed.ts";
import type { FeedEra, FeedServer } from "../servers/feed.ts";
import { startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import type { GrantedServer } from "./granting-repository.ts";

const ERAS: Readonly<Record<string, readonly FeedEra[]>> = {
  feed: ["legacy", "modern"],
  old: ["legacy"],
  new: ["modern"],
};

export interface FeedWorld {
  readonly world: GatewayWorld;
  readonly feeds: Readonly<Record<string, FeedServer>>;
  /** The repository with other files. */
  readonly withFiles: (files: Readonly<Record<string, string>>) => Workspace;
  readonly stop: () => Promise<void>;
}

/** @param limits of gateway.json @param members of gateway.json beside them */
export async function startFeedWorld(
  limits: Readonly<Record<string, number>> = {},
  members: Readonly<Record<string, unknown>> = {},
): Promise<FeedWorld> {
  const feeds: Record<string, FeedServer> = {};
  const pinned: GrantedServer[] = [];
  const transports: Record<string, TransportEntry> = {};
  for (const [id, eras] of Object.entries(ERAS)) {
    const feed = await startFeedServer(eras);
    feeds[id] = feed;
    const transport = { type: "streamable-http", url: feed.url } as const;
    transports[id] = transport;
    pinned.push(await pinLive({ id, transport }));
  }
  const closeAll = async (): Promise<void> => {
    await Promise.all(Object.values(feeds).map((feed) => feed.close()));
  };
  try {
    const world = await startGatewayWorld({
      workspace: grantingRepository(pinned),
      transports,
      gateway: { pollIntervalMs: 3_600_000, overrides: { ...members, limits } },
    });
    return {
      world,
      feeds,
      withFiles: (files) => grantingRepository(pinned, files),
      stop: async () => {
        await world.stop();
        await closeAll();
      },
    };
  } catch (fault) {
    await closeAll();
    throw fault;
  }
}
