// Writes endpoints, tokens and what to paste into clients, to standard output.
import type { RouteEntry } from "#bundle";
import type { CliIo } from "../output/io.ts";
import { paint } from "../output/io.ts";
import { namespaced } from "#naming";
import { connectionBlocks } from "./connection-lines.ts";
import type { ConnectionEndpoint, SampleCall } from "./connection-lines.ts";
import type { DevLife } from "./dev-life.ts";
import type { DevServer } from "./dev-server.ts";
import { allowedCall, callersOf } from "./test-callers.ts";
import type { NamedCaller } from "./test-callers.ts";

const AT_START = "Endpoints, and a token for each caller (12 hours; a token is good for its endpoint only)";
const ADDED = "Endpoints new with this release, and a token for each caller";

/** A suite that names a caller; what is in angle brackets is to be filled in. */
const SAMPLE_SUITE = `name: callers
principals:
  dana: { id: dana, roles: [<role>] }
calls:
  first: { server: <server>, tool: <tool>, arguments: {} }
tests:
  - name: who may call
    matrix: { principals: [dana], calls: [first] }
    allow:
      - [dana, first]
`;

const NO_CALLERS = `no tokens: the tests of the repository name no principal, and those are the callers that get one. Write
  a suite such as this to tests/callers_test.yaml, give what identity.yaml requires of a token as attrs, and start again
  (docs/policy-language.md, Tests):

${SAMPLE_SUITE.replaceAll(/^/gmu, "    ").trimEnd()}
`;

/** Tokens for every caller at every endpoint, and the client lines for one that the first caller may use. */
export function showConnections(server: DevServer, io: CliIo): Promise<void> {
  return show(server, server.endpoints(), AT_START, io);
}

/** The same for the endpoints that were not there `before`; nothing where there are none. */
export async function showNewConnections(
  server: DevServer,
  before: readonly RouteEntry[],
  io: CliIo,
): Promise<void> {
  const known = new Set(before.map(({ resource }) => resource));
  const added = server.endpoints().filter(({ resource }) => !known.has(resource));
  if (added.length > 0) await show(server, added, ADDED, io);
}

async function show(
  server: DevServer,
  endpoints: readonly RouteEntry[],
  title: string,
  io: CliIo,
): Promise<void> {
  const { model } = server.active();
  const heading = (text: string): void => io.out(`\n${paint(io.colorOut, "bold", text)}\n`);
  const callers = callersOf(model);
  heading(title);
  for (const { resource } of endpoints) {
    io.out(`${paint(io.colorOut, "blue", resource)}\n`);
    for (const caller of callers) {
      io.out(`  ${describe(caller)}\n    ${await server.token(caller.facts, resource)}\n`);
    }
  }
  const [first] = callers;
  if (first === undefined) io.out(`  ${NO_CALLERS}`);
  const shown = first === undefined ? undefined : await exampleEndpoint(server, endpoints, first);
  if (first === undefined || shown === undefined) return;
  heading(
    `To connect as ${first.name} to ${shown.endpoint.name}, paste one of these (exchange URL and token for others)`,
  );
  for (const { client, place, text } of connectionBlocks(shown.endpoint, shown.sample)) {
    io.out(
      `\n${paint(io.colorOut, "green", `# ${client}`)} ${paint(io.colorOut, "dim", `(${place})`)}\n${text}\n`,
    );
  }
}

interface ExampleEndpoint {
  readonly endpoint: ConnectionEndpoint;
  readonly sample: SampleCall | undefined;
}

/** One where the tests allow the caller something, so that the pasted lines show an answer. */
async function exampleEndpoint(
  server: DevServer,
  endpoints: readonly RouteEntry[],
  caller: NamedCaller,
): Promise<ExampleEndpoint | undefined> {
  const { model } = server.active();
  const candidates = endpoints.flatMap((route) =>
    route.servers.map((id) => ({ route, id, call: allowedCall(model, caller.name, id) })),
  );
  const best = candidates.findLast((candidate) => candidate.call !== undefined) ?? candidates[0];
  if (best === undefined) return undefined;
  const { route, id, call } = best;
  const isShared = route.servers.length > 1;
  const name = isShared ? (route.path.split("/")[1] ?? id) : id;
  return {
    endpoint: { name, url: route.resource, token: await server.token(caller.facts, route.resource) },
    sample:
      call === undefined
        ? undefined
        : { tool: isShared ? namespaced(id, call.target) : call.target, arguments: call.arguments },
  };
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
