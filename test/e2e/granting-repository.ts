// A small policy repository, in memory, for servers that are pinned on the spot.
import type { Era } from "#bundle";
import { memoryWorkspace } from "#compiler";
import type { Workspace } from "#compiler";
import { formatPins, pinServers } from "#registry";
import type { PinContent, PinTarget } from "#registry";
import type { ProgramEntry } from "#upstream";

export interface GrantedServer {
  readonly target: PinTarget;
  readonly pins: PinContent;
}

/** Reads what a live server shows. @throws where it cannot be read */
export async function pinLive(
  target: PinTarget,
  programs: Readonly<Record<string, ProgramEntry>> = {},
  credentials: Readonly<Record<string, string>> = {},
  eras: readonly Era[] = ["modern", "legacy"],
): Promise<GrantedServer> {
  const outcomes = await pinServers({
    servers: [target],
    programs: new Map(Object.entries(programs)),
    credentials: new Map(Object.entries(credentials)),
    signal: AbortSignal.timeout(30_000),
    eras,
  });
  const outcome = outcomes.get(target.id);
  if (outcome?.ok !== true) throw new Error(`${target.id} cannot be pinned: ${JSON.stringify(outcome)}`);
  return { target, pins: outcome.value };
}

function names(server: GrantedServer, ...kinds: readonly string[]): string {
  const found = server.pins.entries.filter((entry) => kinds.includes(entry.kind)).map((entry) => entry.name);
  return JSON.stringify(found);
}

function transportYaml({ transport }: PinTarget): string {
  return transport.type === "stdio"
    ? `{ type: stdio, program: ${transport.program}, args: ${JSON.stringify(transport.args)} }`
    : JSON.stringify(transport);
}

/** Grants every tool, resource and prompt of every server to the role Developer. `files` replaces or adds files. */
export function grantingRepository(
  servers: readonly GrantedServer[],
  files: Readonly<Record<string, string>> = {},
): Workspace {
  const texts = new Map<string, string>([
    [
      "aegis.yaml",
      "apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: granting }\nenvironments: [dev]\nroles: [Developer, Employee]\n",
    ],
    ["environments/dev.yaml", "publicUrl: http://127.0.0.1:8080\n"],
    [
      "identity.yaml",
      [
        "issuers:",
        "  - issuer: https://login.example.com/",
        "    jwksUrl: https://login.example.com/jwks.json",
        "    roles: { claim: roles }",
        "    attributes: { is_external: { claim: is_external, type: Bool, required: true } }",
        "",
      ].join("\n"),
    ],
    [
      "routes.yaml",
      `endpoints:\n${servers.map(({ target: { id } }) => `  - { path: /${id}/mcp, server: ${id} }\n`).join("")}`,
    ],
  ]);
  for (const server of servers) {
    const { id } = server.target;
    texts.set(
      `registry/servers/${id}.yaml`,
      `apiVersion: aegis.dev/v1\nkind: Server\nmetadata: { name: ${id}, owner: "@acme/test" }\ntransport: ${transportYaml(server.target)}\ntier: internal\npinMaxAge: 60s\n`,
    );
    texts.set(`registry/pins/${id}.json`, formatPins(server.pins));
    texts.set(
      `policies/${id}.yaml`,
      [
        `metadata: { name: ${id}, reason: developers may use it }`,
        `scope: { servers: [${id}], principals: { in: [Developer] } }`,
        "allow:",
        `  tools: ${names(server, "tool")}`,
        `  resources: ${names(server, "resource", "resource-template")}`,
        `  prompts: ${names(server, "prompt")}`,
        "",
      ].join("\n"),
    );
  }
  for (const [path, text] of Object.entries(files)) texts.set(path, text);
  return memoryWorkspace(texts);
}
