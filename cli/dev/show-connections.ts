// Writes endpoints, tokens and what to paste into clients, to standard output.
import type { CliIo } from "../output/io.ts";
import { paint } from "../output/io.ts";
import { connectionBlocks } from "./connection-lines.ts";
import type { ConnectionEndpoint } from "./connection-lines.ts";
import type { DevLife } from "./dev-life.ts";
import type { DevServer } from "./dev-server.ts";
import { allowedCall, callersOf } from "./test-callers.ts";
import type { NamedCaller } from "./test-callers.ts";

/** Tokens for every caller at every endpoint; the client lines carry those of the first caller. */
export async function showConnections(server: DevServer, io: CliIo): Promise<void> {
  const { model } = server.active();
  const heading = (text: string): void => io.out(`\n${paint(io.colorOut, "bold", text)}\n`);
  const callers = callersOf(model);
  const endpoints = server.endpoints();
  heading("Endpoints, and a token for each caller (12 hours, one endpoint each)");
  const [first] = callers;
  if (first === undefined) io.out("  no tokens: the tests of the repository name no principal\n");
  const usable: ConnectionEndpoint[] = [];
  for (const route of endpoints) {
    const name = route.servers[0] ?? route.path;
    io.out(`${paint(io.colorOut, "blue", route.resource)}\n`);
    for (const caller of callers) {
      const token = await server.token(caller.facts, route.resource);
      if (caller === first) usable.push({ name, url: route.resource, token });
      io.out(`  ${describe(caller)}\n    ${token}\n`);
    }
  }
  if (first === undefined) return;
  const call = allowedCall(model, first.name, usable[0]?.name ?? "");
  const sample = call === undefined ? undefined : { tool: call.target, arguments: call.arguments };
  heading(
    `Paste one of these to connect as ${first.name}; put another token there to connect as somebody else`,
  );
  for (const { client, place, text } of connectionBlocks(usable, sample)) {
    io.out(
      `\n${paint(io.colorOut, "green", `# ${client}`)} ${paint(io.colorOut, "dim", `(${place})`)}\n${text}\n`,
    );
  }
}

function describe({ name, facts }: NamedCaller): string {
  const attributes = Object.entries(facts.attributes).map(([key, value]) => `${key} ${String(value)}`);
  return [`${name}: ${facts.id}`, `roles ${facts.roles.join(", ") || "none"}`, ...attributes].join("; ");
}

/** The last lines before a development gateway only waits. */
export function showFarewell(
  dir: string,
  server: DevServer,
  { io, runDir }: Pick<DevLife, "io" | "runDir">,
): void {
  const heading = paint(io.colorOut, "bold", "The gateway stays up.");
  io.out(
    `\n${heading} Save a file in ${dir} and see which decisions change.\n` +
      `  status  ${server.gateway.adminUrl}/status\n` +
      `  files   ${runDir} (log, keys, releases, audit)\n` +
      `  Ctrl-C stops.\n`,
  );
}
