// What a release leaves behind when the next one is active: nothing. Snapshots are watched through weak references in a
// real gateway, with sessions, streams and calls that outlive them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "#compiler";
import { decodeProcessConfig, startGateway } from "#gateway";
import type { Gateway } from "#gateway";
import type { PinTarget } from "#registry";
import { createLogger, createMetrics } from "#telemetry";
import { freePort } from "../../cli/dev/free-port.ts";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { createThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { ThrowawayTrust } from "../../cli/dev/throwaway-trust.ts";
import type { Stages } from "../../runtime/stages/stages.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { LegacySessionClient, modernRequest } from "../e2e/sse-client.ts";
import { startEchoServer } from "../servers/echo.ts";
import type { EchoServer } from "../servers/echo.ts";

const CHANNEL = "dev";
const SWAPS = 12;
/** Full collections until only the active snapshot is left: what is under way holds the one before for a moment. */
const MAX_COLLECTIONS = 200;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const seen = new Map<string, WeakRef<object>>();

/** Every snapshot that decides a call, without keeping it. */
function watchSnapshots(stages: Stages): Stages {
  const { authorize } = stages;
  const run: typeof authorize.run = (exchange, signal) => {
    const { snapshot } = exchange;
    const key = `${String(snapshot.sequence)}`;
    if (!seen.has(key)) seen.set(key, new WeakRef(snapshot));
    return authorize.run(exchange, signal);
  };
  return { ...stages, authorize: { ...authorize, run } };
}

function alive(): readonly string[] {
  return [...seen].filter(([, snapshot]) => snapshot.deref() !== undefined).map(([sequence]) => sequence);
}

describe("memory over swaps", () => {
  let dir: string;
  let echo: EchoServer;
  let gateway: Gateway;
  let trust: ThrowawayTrust;
  let endpoint: URL;
  let token: string;
  let bundles: readonly Uint8Array[];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "aegis-swap-memory-"));
    echo = await startEchoServer();
    const target: PinTarget = { id: "echo", transport: { type: "streamable-http", url: echo.url } };
    const pinned = await pinLive(target);
    const issuer = await createThrowawayIssuer();
    trust = await createThrowawayTrust(dir, CHANNEL);
    const port = await freePort();
    endpoint = new URL(`http://127.0.0.1:${String(port)}/echo/mcp`);
    const compiled = await Promise.all(
      [1, 2].map(async (path) => {
        const { bundle, diagnostics } = await compile({
          dir,
          workspace: grantingRepository([pinned], {
            "environments/dev.yaml": `publicUrl: http://127.0.0.1:${String(8_080 + path)}\n`,
          }),
          overlay: {
            environment: CHANNEL,
            publicUrl: endpoint.origin,
            issuers: [issuer.overlay],
            transports: { echo: target.transport },
            pinMaxAgeMs: 60_000 + path,
          },
        });
        if (bundle === undefined) throw new Error(JSON.stringify(diagnostics));
        return bundle.bytes;
      }),
    );
    bundles = compiled;
    await trust.release(bundles[0] ?? new Uint8Array());
    gateway = await startGateway({
      config: decodeProcessConfig(
        {
          listen: { host: "127.0.0.1", port },
          admin: { host: "127.0.0.1", port: 0 },
          release: {
            source: `dir:${trust.channelDir}`,
            channel: CHANNEL,
            pollIntervalMs: 3_600_000,
          },
          trust: { root: trust.rootPath, rootSha256: trust.rootSha256 },
          stateDir: join(dir, "state"),
          audit: { dir: join(dir, "audit"), mode: "batch" },
        },
        { file: "gateway.json", baseDir: dir, environment: {} },
      ),
      logger: createLogger({ level: "silent" }),
      metrics: createMetrics(),
      wrapStages: watchSnapshots,
    });
    token = await issuer.mint({
      subject: "dana",
      audience: endpoint.href,
      claims: { roles: ["Developer"], is_external: false },
    });
  });

  afterAll(async () => {
    await gateway.stop(1_000);
    await echo.close();
    await rm(dir, { recursive: true, force: true });
  });

  it("keeps no release but the active one", async () => {
    const call = { name: "echo", arguments: { text: "a" } };
    const session = await LegacySessionClient.open(endpoint, token);
    const stream = await session.get();
    const listen = await modernRequest(endpoint, token, {
      id: 1,
      method: "subscriptions/listen",
      params: { notifications: { toolsListChanged: true } },
    });
    for (let swap = 1; swap <= SWAPS; swap += 1) {
      await trust.release(bundles[swap % bundles.length] ?? new Uint8Array());
      expect((await gateway.reload()).kind).toBe("activated");
      await (await session.post("tools/call", call)).text();
      await (await modernRequest(endpoint, token, { id: 2, method: "tools/call", params: call })).text();
    }
    expect(seen.size).toBe(SWAPS + 1);
    for (let tries = 0; alive().length > 1 && tries < MAX_COLLECTIONS; tries += 1) {
      await nextTurn();
      collect();
    }
    expect(alive()).toEqual([[...seen.keys()].at(-1)]);
    for (const { stream: open } of [stream, listen]) {
      open.abort();
      await open.ended;
    }
    await session.end();
  });
});
