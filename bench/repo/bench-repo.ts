// The policy repositories that are measured, made in memory: the echo server in front of which the load runs, with as
// many policies as an arm asks for, and beside it any number of servers, tools and policies that no call touches.
import { definitionDigest } from "#bundle";
import { formatPins } from "#compiler";
import type { PinContent } from "#compiler";
import type { JsonObject } from "#std";

export const ECHO_SERVER = "echo";
export const ECHO_TOOL = "echo";
export const BENCH_ENVIRONMENT = "bench";
/** Policies that can apply to a call of the echo tool, at most. */
export const MAX_OWN_POLICIES = 10;

export interface BenchRepoOptions {
  /** Definitions of the running echo server; absent = the tool alone, for arms without a gateway. */
  readonly echoPins?: PinContent;
  /** Cedar policies that can apply to the echo tool, 1 to 10: a permit, then forbids and permits with conditions. */
  readonly ownPolicies: number;
  /** Limits that never deny, and a redaction path that matches nothing. */
  readonly loaded: boolean;
  /** Tools of other servers, 25 to a server. */
  readonly otherTools?: number;
  /** Cedar policies over those tools. */
  readonly otherPolicies?: number;
}

const TOOLS_PER_SERVER = 25;
const API = "apiVersion: aegis.dev/v1\n";

/** The files of a repository, by path. */
export function benchRepo(options: BenchRepoOptions): ReadonlyMap<string, string> {
  const { otherTools = 0, otherPolicies = 0 } = options;
  const servers = Math.ceil(otherTools / TOOLS_PER_SERVER);
  const names = Array.from({ length: servers }, (_, index) => `server-${String(index)}`);
  const files = new Map<string, string>([
    [
      "aegis.yaml",
      `${API}kind: Project\nmetadata: { name: bench, owner: bench }\nenvironments: [${BENCH_ENVIRONMENT}]\nroles: [Developer, Employee]\n`,
    ],
    [`environments/${BENCH_ENVIRONMENT}.yaml`, `${API}kind: Environment\npublicUrl: http://127.0.0.1:8080\n`],
    ["identity.yaml", IDENTITY],
    ["routes.yaml", routes([ECHO_SERVER, ...names])],
    [`registry/servers/${ECHO_SERVER}.yaml`, serverDocument(ECHO_SERVER)],
    [
      `registry/pins/${ECHO_SERVER}.json`,
      formatPins(options.echoPins ?? syntheticPins(ECHO_SERVER, [ECHO_DEFINITION])),
    ],
    [`policies/${ECHO_SERVER}.cedar`, ownPolicies(options.ownPolicies)],
  ]);
  if (options.loaded) {
    files.set("limits.yaml", LIMITS);
    files.set("policies/redaction.yaml", REDACTION);
  }
  for (const [index, name] of names.entries()) {
    const tools = toolsOf(index, otherTools);
    files.set(`registry/servers/${name}.yaml`, serverDocument(name));
    files.set(`registry/pins/${name}.json`, formatPins(syntheticPins(name, tools.map(syntheticTool))));
  }
  for (const [name, text] of otherCedar(names, otherTools, otherPolicies))
    files.set(`policies/${name}.cedar`, text);
  return files;
}

const IDENTITY = `${API}kind: Identity
issuers:
  - issuer: https://login.example.com/
    jwksUrl: https://login.example.com/jwks.json
    roles: { claim: roles }
    attributes:
      is_external: { claim: is_external, type: Bool, required: true }
`;

const LIMITS = `${API}kind: Limits
limits:
  - { id: per-principal, per: [principal], limit: 100000000, window: 1m }
  - { id: per-principal-and-tool, tools: ["${ECHO_TOOL}"], per: [principal, tool], limit: 100000000, window: 1m }
`;

const REDACTION = `${API}kind: Policy
metadata: { name: redaction, owner: bench, reason: addresses do not leave }
scope: { servers: [${ECHO_SERVER}] }
transforms:
  ${ECHO_TOOL}:
    redact: ["$.response.assignee.email"]
`;

const ECHO_DEFINITION: JsonObject = {
  name: ECHO_TOOL,
  description: "Answers with the text it was given.",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
};

function routes(names: readonly string[]): string {
  const lines = names.map((name) => `  - { path: /${name}/mcp, server: ${name} }\n`);
  return `${API}kind: Routes\nendpoints:\n${lines.join("")}`;
}

export function serverDocument(name: string, url = "http://127.0.0.1:9/mcp"): string {
  return `${API}kind: Server\nmetadata: { name: ${name}, owner: bench }\ntransport: { type: streamable-http, url: "${url}" }\ntier: internal\nlabels: [bench]\npinMaxAge: 60s\n`;
}

export function syntheticPins(name: string, definitions: readonly JsonObject[]): PinContent {
  const serverInfo = { name, version: "1.0.0" };
  return {
    server: name,
    eras: { modern: { protocolVersion: "2026-07-28", capabilities: { tools: {} }, serverInfo } },
    entries: definitions.map((definition) => ({
      kind: "tool",
      name: String(definition["name"]),
      eras: ["modern"],
      digest: definitionDigest(definition),
      definition,
    })),
  };
}

function toolName(index: number): string {
  return `area${String(Math.floor(index / TOOLS_PER_SERVER))}.action_${String(index).padStart(5, "0")}`;
}

function toolsOf(serverIndex: number, otherTools: number): readonly string[] {
  const first = serverIndex * TOOLS_PER_SERVER;
  const count = Math.min(TOOLS_PER_SERVER, otherTools - first);
  return Array.from({ length: count }, (_, offset) => toolName(first + offset));
}

/** About what real servers show: a sentence, a handful of described arguments, an enumeration, a nested object. */
export function syntheticTool(name: string): JsonObject {
  return {
    name,
    description: `Does ${name} and answers with what it found. Several sentences are usual here, so this is another one.`,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    inputSchema: {
      type: "object",
      properties: {
        query: { type: "string", description: "what to look for", maxLength: 4_096 },
        limit: { type: "integer", minimum: 1, maximum: 1_000 },
        order: { type: "string", enum: ["asc", "desc"] },
        dry_run: { type: "boolean" },
        filter: {
          type: "object",
          properties: { project: { type: "string" }, labels: { type: "array", items: { type: "string" } } },
        },
      },
      required: ["query"],
    },
  };
}

const TARGET = `context.target == "${ECHO_TOOL}"`;

function own(kind: "permit" | "forbid", principal: string, condition: string): string {
  return `${kind} (${principal}, action == Action::"tools/call", resource == Server::"${ECHO_SERVER}")\nwhen { ${TARGET} && ${condition} };\n\n`;
}

function ownPolicies(count: number): string {
  const texts = [
    own("permit", 'principal in Role::"Developer"', "principal.is_external == false"),
    own("forbid", "principal", 'principal.is_external == true && context.arguments.text like "*internal*"'),
    own("forbid", "principal", 'context.arguments.text.matches("(?i)drop\\\\s+table")'),
    own("permit", 'principal in Role::"Employee"', 'context.arguments.text like "help*"'),
    ...Array.from({ length: MAX_OWN_POLICIES - 4 }, (_, index) =>
      own("forbid", "principal", `context.arguments.text like "*classified-${String(index)}*"`),
    ),
  ];
  return texts.slice(0, count).join("");
}

/** Policies over other tools, spread evenly; one file for each server. */
function otherCedar(
  names: readonly string[],
  otherTools: number,
  otherPolicies: number,
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (let index = 0; index < otherPolicies && otherTools > 0; index++) {
    const tool = index % otherTools;
    const name = names[Math.floor(tool / TOOLS_PER_SERVER)] ?? "";
    const round = Math.floor(index / otherTools);
    const head = `principal${round % 2 === 0 ? ' in Role::"Developer"' : ""}, action == Action::"tools/call", resource == Server::"${name}"`;
    const condition =
      round % 2 === 0
        ? `context.arguments.query like "team-${String(index)}*"`
        : `context.arguments.query like "*secret-${String(index)}*"`;
    const policy = `${round % 2 === 0 ? "permit" : "forbid"} (${head})\nwhen { context.target == "${toolName(tool)}" && ${condition} };\n\n`;
    texts.set(name, (texts.get(name) ?? "") + policy);
  }
  return texts;
}
