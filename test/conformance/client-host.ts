// Where client scenarios run: each against the suite's server directly, or through one gateway that gets a release for
// every server that the suite starts, pinned on the spot.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Era, TransportEntry } from "#bundle";
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import type { GrantedServer } from "../e2e/granting-repository.ts";
import { runConformanceClient } from "./conformance-client.ts";
import type { ClientRun } from "./conformance-client.ts";
import { ASKS } from "./conformance-world.ts";

const COMMAND = join(import.meta.dirname, "client-command.ts");

export type ClientMode = "direct" | "gateway";

export interface ClientHost {
  /** The command line for the suite, which puts the URL of its server at the end. */
  readonly command: (mode: ClientMode) => string;
  readonly log: () => readonly string[];
  readonly stop: () => Promise<void>;
}

interface Order extends Omit<ClientRun, "url" | "token"> {
  readonly mode: ClientMode;
  readonly url: string;
}

/** One gateway for servers that come and go. */
class Subjects {
  readonly #transports: Record<string, TransportEntry> = {};
  readonly #pinned = new Map<string, GrantedServer>();
  #world: GatewayWorld | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #count = 0;

  get world(): GatewayWorld | undefined {
    return this.#world;
  }

  /** Pins the server, in the era that the scenario is about, and releases a policy repository with it. */
  async add(url: string, era: Era): Promise<{ readonly id: string; readonly world: GatewayWorld }> {
    this.#count += 1;
    const id = `subject-${String(this.#count)}`;
    // The suite's servers listen on every address of the machine, whatever name they give.
    const transport: TransportEntry = {
      type: "streamable-http",
      url: url.replace("//localhost", "//127.0.0.1"),
    };
    const pinned = withoutRemoteSchemas(await pinLive({ id, transport }, {}, {}, [era]));
    const world = await this.#inTurn(() => {
      this.#transports[id] = transport;
      this.#pinned.set(id, pinned);
      return this.#release();
    });
    return { id, world };
  }

  /** The next release is without it. In turn: a release that is under way still needs it. */
  async remove(id: string): Promise<void> {
    await this.#inTurn(() => {
      this.#pinned.delete(id);
      Reflect.deleteProperty(this.#transports, id);
      return Promise.resolve();
    });
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #release(): Promise<GatewayWorld> {
    const workspace = grantingRepository([...this.#pinned.values()], { "policies/asks.yaml": ASKS });
    if (this.#world === undefined)
      this.#world = await startGatewayWorld({
        workspace,
        transports: this.#transports,
        gateway: { auditMode: "batch" },
      });
    else await this.#world.release(workspace);
    return this.#world;
  }
}

/** What an administrator leaves out: a schema that points outside itself does not compile. */
function withoutRemoteSchemas({ target, pins }: GrantedServer): GrantedServer {
  const entries = pins.entries.filter((entry) => !/"\$ref":"https?:/u.test(JSON.stringify(entry)));
  return { target, pins: { ...pins, entries } };
}

async function runOrder(order: Order, subjects: Subjects): Promise<void> {
  const { mode, url, ...run } = order;
  if (mode === "direct") {
    await runConformanceClient({ ...run, url: new URL(url) });
    return;
  }
  const { id, world } = await subjects.add(url, run.revision === "2026-07-28" ? "modern" : "legacy");
  try {
    await runConformanceClient({ ...run, url: world.endpoint(id), token: await world.token(DEVELOPER, id) });
  } finally {
    await subjects.remove(id);
  }
}

async function readOrder(request: IncomingMessage): Promise<Order> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Order;
}

export async function startClientHost(): Promise<ClientHost> {
  const subjects = new Subjects();
  const faults: string[] = [];
  const server = createServer((request, response) => {
    readOrder(request)
      .then((order) => runOrder(order, subjects))
      .then(
        () => response.writeHead(200).end(),
        (fault: unknown) => {
          faults.push(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
          response.writeHead(500).end(faults.at(-1));
        },
      );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    command: (mode) => `${process.execPath} ${COMMAND} http://127.0.0.1:${String(port)} ${mode}`,
    log: () => [...(subjects.world?.log ?? []), ...faults],
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await subjects.world?.stop();
    },
  };
}
