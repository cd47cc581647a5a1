// One endpoint over hundreds of servers: what a filtered list costs, what idle servers hold, what it takes to read all of
// their definitions again.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { formatPins } from "#compiler";
import { residentBytes } from "../machine.ts";
import { benchRepo, serverDocument, syntheticPins, syntheticTool } from "../repo/bench-repo.ts";
import { startEcho } from "../servers/children.ts";
import { startMeasuredGateway } from "../servers/gateway.ts";
import type { MeasuredGateway } from "../servers/gateway.ts";
import { startManyUpstreams } from "../servers/many-upstreams.ts";
import type { ManyUpstreams } from "../servers/many-upstreams.ts";
import { spreadOf } from "../statistics.ts";
import type { Spread } from "../statistics.ts";
import { modernRequest } from "./call.ts";
import { pinEcho } from "./proxy.ts";

export interface ManyServersSettings {
  readonly servers: number;
  readonly pins: number;
  readonly lists: number;
}

export interface ManyServersResult {
  readonly servers: number;
  readonly pins: number;
  /** Of them what the caller sees. */
  readonly visible: number;
  /** Mean time in the stage that answers a list, for each page of at most 500 items. */
  readonly listStageMs: Spread;
  /** A page over HTTP, on loopback. */
  readonly pageMs: Spread;
  readonly rssBytes: {
    readonly oneServer: number;
    readonly manyServers: number;
    readonly afterCalls: number;
  };
  /** Open to the servers: after the lists, and after the calls once connections were idle. */
  readonly sockets: { readonly afterLists: number; readonly idle: number };
  /** A call to each server in turn, so that its definitions are read again: the whole, and the most requests at once. */
  readonly sweep: { readonly tookMs: number; readonly peakRequests: number; readonly failed: number };
}

const ENDPOINT = "/desk/mcp";
const IDLE_MS = 6_000;
const SWEEP_CONCURRENCY = 32;

export async function measureManyServers(
  dir: string,
  entry: string,
  settings: ManyServersSettings,
  progress: (text: string) => void,
): Promise<ManyServersResult> {
  const [echo, upstreams] = await Promise.all([startEcho(), startManyUpstreams()]);
  try {
    const issuer = await createThrowawayIssuer();
    const small = benchRepo({ echoPins: await pinEcho(echo.url), ownPolicies: 1, loaded: false });
    const gateway = await startMeasuredGateway({
      ...{ entry, files: small, issuer: issuer.overlay, echoUrl: echo.url, audit: { mode: "batch" } },
      dir: join(dir, "many-servers"),
    });
    try {
      await pause(IDLE_MS / 2);
      const oneServer = residentBytes(gateway.pid);
      await gateway.publish(withMany(small, settings, upstreams));
      await gateway.reload();
      await pause(IDLE_MS / 2);
      const manyServers = residentBytes(gateway.pid);
      const url = new URL(ENDPOINT, gateway.url).href;
      const token = await issuer.mint({
        subject: "dana",
        audience: url,
        claims: { roles: ["Developer"], is_external: false },
      });
      const lists = await measureLists(gateway, { url, token, rounds: settings.lists });
      const afterLists = upstreams.openSockets();
      progress(`list of ${String(lists.names.length)}: ${lists.stageMs.median.toFixed(2)} ms a page`);
      const sweep = await callEach(url, token, lists.names, upstreams);
      const afterCalls = residentBytes(gateway.pid);
      await pause(IDLE_MS);
      const idle = upstreams.openSockets();
      progress(`all servers called: ${Math.round(sweep.tookMs)} ms; ${String(idle)} sockets when idle`);
      return {
        servers: settings.servers,
        pins: settings.pins,
        visible: lists.names.length,
        listStageMs: lists.stageMs,
        pageMs: lists.pageMs,
        rssBytes: { oneServer, manyServers, afterCalls },
        sockets: { afterLists, idle },
        sweep,
      };
    } finally {
      await gateway.stop();
    }
  } finally {
    await Promise.all([echo.stop(), upstreams.close()]);
  }
}

/** Half of the servers are granted, half of those with a condition on an argument. */
function withMany(
  base: ReadonlyMap<string, string>,
  { servers, pins }: ManyServersSettings,
  upstreams: ManyUpstreams,
): ReadonlyMap<string, string> {
  const files = new Map(base);
  const names = Array.from({ length: servers }, (_, index) => `upstream-${String(index).padStart(3, "0")}`);
  for (const [index, name] of names.entries()) {
    const count = Math.floor(((index + 1) * pins) / servers) - Math.floor((index * pins) / servers);
    const tools = Array.from({ length: count }, (_, tool) => syntheticTool(`action_${String(tool)}`));
    upstreams.serve(index, tools);
    files.set(`registry/servers/${name}.yaml`, serverDocument(name, upstreams.urlOf(index)));
    files.set(`registry/pins/${name}.json`, formatPins(syntheticPins(name, tools)));
    const condition = index % 4 === 0 ? "" : ' when { context.arguments.query like "team*" }';
    if (index % 2 === 0)
      files.set(
        `policies/${name}.cedar`,
        `permit (principal in Role::"Developer", action == Action::"tools/call", resource == Server::"${name}")${condition};\n`,
      );
  }
  files.set(
    "routes.yaml",
    `${base.get("routes.yaml") ?? ""}  - { path: ${ENDPOINT}, servers: [${names.join(", ")}] }\n`,
  );
  return files;
}

interface ListsInput {
  readonly url: string;
  readonly token: string;
  readonly rounds: number;
}

async function measureLists(
  gateway: MeasuredGateway,
  { url, token, rounds }: ListsInput,
): Promise<{ readonly names: readonly string[]; readonly stageMs: Spread; readonly pageMs: Spread }> {
  let names: string[] = [];
  const pagesMs: number[] = [];
  const stagesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    names = [];
    let cursor: string | undefined;
    const before = await dispatchTime(gateway);
    do {
      const startedMs = performance.now();
      const params: { cursor?: string } = cursor === undefined ? {} : { cursor };
      const result = await modernRequest(url, token, "tools/list", params);
      pagesMs.push(performance.now() - startedMs);
      names.push(...(result["tools"] as { name: string }[]).map(({ name }) => name));
      cursor = result["nextCursor"] as string | undefined;
    } while (cursor !== undefined);
    const after = await dispatchTime(gateway);
    stagesMs.push(((after.seconds - before.seconds) * 1_000) / (after.count - before.count));
  }
  return { names, stageMs: spreadOf(stagesMs), pageMs: spreadOf(pagesMs) };
}

async function dispatchTime(
  gateway: MeasuredGateway,
): Promise<{ readonly seconds: number; readonly count: number }> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const read = (part: string): number =>
    Number(
      new RegExp(`^aegis_stage_duration_seconds_${part}\\{stage="dispatch"\\} (\\S+)$`, "mu").exec(
        text,
      )?.[1] ?? 0,
    );
  return { seconds: read("sum"), count: read("count") };
}

/** One call for each server that the caller sees. */
async function callEach(
  url: string,
  token: string,
  names: readonly string[],
  upstreams: ManyUpstreams,
): Promise<ManyServersResult["sweep"]> {
  const first = new Map(names.map((name) => [name.split("__", 1)[0] ?? "", name]));
  const waiting = [...first.values()];
  let failed = 0;
  upstreams.takePeak();
  const startedMs = performance.now();
  const work = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const params = { name, arguments: { query: "team" } };
      await modernRequest(url, token, "tools/call", params).catch(() => (failed += 1));
    }
  };
  await Promise.all(Array.from({ length: SWEEP_CONCURRENCY }, work));
  return { tookMs: performance.now() - startedMs, peakRequests: upstreams.takePeak(), failed };
}
