// One gateway before the server of six primitives on each of the four transports, and what reached each of them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TransportEntry } from "#bundle";
import { DEVELOPER, createWorldDir, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { startHttpSix, startSseSix, startWebSocketSix } from "../servers/six-primitives/hosts.ts";
import type { Era, Leg, TransportName } from "./leg.ts";
import { openLeg, stdioLeg } from "./open-leg.ts";
import { stdioGateway } from "./stdio-gateway.ts";

export interface MatrixWorld {
  readonly world: GatewayWorld;
  /** What reached the server behind a transport, in order. */
  readonly reached: (upstream: TransportName) => readonly string[];
  /** A client connection to the server behind `upstream`. */
  readonly open: (downstream: TransportName, era: Era, upstream: TransportName) => Promise<Leg>;
  readonly stop: () => Promise<void>;
}

const UPSTREAMS: readonly TransportName[] = ["http", "sse", "websocket", "stdio"];

/** Rules beside the grants: what is denied, asked within bounds, and transformed on every server alike. */
function rules(server: string): string {
  const detect = "{ detect: [{ path: $.response, detectors: [email] }] }";
  const transformed = ["tool", "sampling", "elicitation", "roots"].map((name) => `${name}_transformed`);
  return [
    `metadata: { name: ${server}-rules, reason: the matrix says so }`,
    `scope: { servers: [${server}], principals: { in: [Developer] } }`,
    `allow: { sampling: [${server}], elicitation: [${server}], roots: [${server}] }`,
    `sampling: { ${server}: { maxTokens: 100 } }`,
    `elicitation: { ${server}: { forbiddenFields: ["*password*"] } }`,
    `roots: { ${server}: { within: ["file:///srv/**"] } }`,
    "transforms:",
    ...transformed.map((name) => `  ${name}: ${detect}`),
    `  "prompt:prompt_transformed": ${detect}`,
    `  "resource:six://resource/transformed": ${detect}`,
    "",
  ].join("\n");
}

function forbids(server: string): string {
  return [
    `metadata: { name: ${server}-forbids, reason: the matrix says no }`,
    `scope: { servers: [${server}] }`,
    "deny:",
    "  tools: [tool_denied]",
    '  resources: ["six://resource/denied"]',
    "  prompts: [prompt_denied]",
    "",
  ].join("\n");
}

export async function startMatrixWorld(): Promise<MatrixWorld> {
  const dir = await createWorldDir();
  const reachedFile = join(dir, "reached.txt");
  writeFileSync(reachedFile, "");
  const seen = new Map<TransportName, string[]>(UPSTREAMS.map((name) => [name, []]));
  const onReached = (name: TransportName) => ({
    onReached: (what: string): void => void seen.get(name)?.push(what),
  });
  const hosts = await Promise.all([
    startHttpSix(onReached("http")),
    startSseSix(onReached("sse")),
    startWebSocketSix(onReached("websocket")),
  ]);
  const [http, sse, websocket] = hosts;
  const program = {
    command: process.execPath,
    args: [join(import.meta.dirname, "..", "servers", "six-primitives", "main.ts"), "--reached", reachedFile],
  };
  const transports: Readonly<Record<TransportName, TransportEntry>> = {
    http: { type: "streamable-http", url: http.url },
    sse: { type: "sse", url: sse.url },
    websocket: { type: "websocket", url: websocket.url },
    stdio: { type: "stdio", program: "six", args: [] },
  };
  const servers = await Promise.all(
    UPSTREAMS.map((id) => pinLive({ id, transport: transports[id] }, { six: program })),
  );
  const files = Object.fromEntries(
    UPSTREAMS.flatMap((id) => [
      [`policies/${id}-rules.yaml`, rules(id)],
      [`policies/${id}-forbids.yaml`, forbids(id)],
    ]),
  );
  const world = await startGatewayWorld({
    dir,
    workspace: grantingRepository(servers, files),
    transports,
    programs: { six: program },
  });
  return {
    world,
    reached: (upstream) =>
      upstream === "stdio"
        ? readFileSync(reachedFile, "utf8").split("\n").slice(0, -1)
        : [...(seen.get(upstream) ?? [])],
    open: async (downstream, era, upstream) => {
      const token = await world.token(DEVELOPER, upstream);
      if (downstream === "stdio") return stdioLeg(await stdioGateway(world, upstream, token), era);
      return openLeg(downstream, era, world.endpoint(upstream), token);
    },
    stop: async () => {
      await world.stop();
      await Promise.all(hosts.map((host) => host.close()));
    },
  };
}
