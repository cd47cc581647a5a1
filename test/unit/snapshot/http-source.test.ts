// A channel on a web server: conditional requests, and every way in which a server can fail to give one.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openReleaseSource } from "../../../runtime/snapshot/release-source.ts";
import { createTrustLab } from "./trust-lab.ts";
import type { TrustLab } from "./trust-lab.ts";
import { createUpdaterWorld } from "./updater-world.ts";
import type { UpdaterWorld } from "./updater-world.ts";

let lab: TrustLab;
let world: UpdaterWorld;
let channel: string;

beforeAll(async () => {
  lab = await createTrustLab();
});
afterAll(() => lab.cleanUp());
afterEach(() => world.stopAll());

async function freshWorld(): Promise<void> {
  world = await createUpdaterWorld(lab);
  ({ channel } = world);
}

const publish: UpdaterWorld["publish"] = (...args) => world.publish(...args);
const gateway: UpdaterWorld["gateway"] = (...args) => world.gateway(...args);

describe("a channel on a web server", () => {
  let server: Server;
  let url: string;
  const requests: IncomingMessage[] = [];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/channels/production`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const serveChannel = (request: IncomingMessage, response: ServerResponse): void => {
    const name = (request.url ?? "").replace("/channels/production/", "");
    readFile(join(channel, name)).then(
      (bytes) => {
        const etag = `"${String(bytes.length)}-${name}"`;
        if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
        else response.writeHead(200, { etag }).end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  };

  it("is polled with its entity tag", async () => {
    await freshWorld();
    await publish("a", 1);
    answer = serveChannel;
    const source = openReleaseSource(url, { authorization: "Bearer secret" });
    const { updater } = gateway({ source });
    expect(await updater.start()).toMatchObject({ kind: "activated" });
    requests.length = 0;
    expect(await updater.reload()).toMatchObject({ kind: "unchanged" });
    const polled = requests.find((request) => request.url?.endsWith("release.json"));
    expect(polled?.headers["if-none-match"]).toContain("release.json");
    expect(polled?.headers.authorization).toBe("Bearer secret");
    expect(JSON.stringify(updater.status())).not.toContain("secret");
    await updater.stop();
    await source.close();
  });

  it.each([
    [
      "a redirect",
      "RELEASE_SOURCE_UNAVAILABLE",
      (r: ServerResponse) => r.writeHead(302, { location: "/x" }).end(),
    ],
    ["an error", "RELEASE_SOURCE_UNAVAILABLE", (r: ServerResponse) => r.writeHead(500).end("no")],
    [
      "304 to an unconditional request",
      "RELEASE_SOURCE_UNAVAILABLE",
      (r: ServerResponse) => r.writeHead(304).end(),
    ],
    ["a dropped connection", "RELEASE_SOURCE_UNAVAILABLE", (r: ServerResponse) => r.destroy()],
    [
      "a body without end",
      "RELEASE_INVALID",
      (r: ServerResponse) => r.writeHead(200).end(Buffer.alloc(300_000, 65)),
    ],
    [
      "a body cut short",
      "RELEASE_SOURCE_UNAVAILABLE",
      (r: ServerResponse) => {
        r.writeHead(200, { "content-length": "1000" });
        r.write("{", () => r.destroy());
      },
    ],
    ["silence", "RELEASE_SOURCE_UNAVAILABLE", () => undefined],
  ] as const)("that answers with %s is %s", async (_label, code, reply) => {
    await freshWorld();
    answer = (request, response) => {
      if (request.url?.includes("/roots/") === true) response.writeHead(404).end();
      else reply(response);
    };
    const source = openReleaseSource(url, { idleTimeoutMs: 400 });
    const { updater } = gateway({ source });
    expect(await updater.start()).toMatchObject({ kind: "rejected", code });
    await updater.stop();
    server.closeAllConnections();
    await source.close();
  });
});
