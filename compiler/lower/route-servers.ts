// The servers behind one endpoint: known to the layer, each once, and with names that clients can use where several
// servers share the endpoint and every name carries its server's.
import { namespaced } from "#naming";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { EndpointShape, RoutesShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { LoweredServer } from "./registry.ts";

/** MCP 2026-07-28, tools: the longest name of a tool, in characters. */
const MAX_NAME_CHARS = 128;
/** What many model APIs take for a tool. */
const COMMON_NAME_CHARS = 64;

export interface RouteServersInput {
  readonly document: Parsed<RoutesShape>;
  /** Position among the endpoints of the document. */
  readonly index: number;
  readonly shape: EndpointShape;
  /** Those of the endpoint's layer: a tenant has no others. */
  readonly servers: ReadonlyMap<string, LoweredServer>;
  readonly sink: DiagnosticSink;
}

/** Ids in the order in which they are written; what is reported is left out. */
export function routeServers(input: RouteServersInput): readonly string[] {
  const { document, index, shape, sink } = input;
  if ((shape.server === undefined) === (shape.servers === undefined)) {
    const at = document.source.at("endpoints", index, shape.servers === undefined ? "path" : "servers");
    sink.report("DOCUMENT_INVALID", at, "an endpoint has either server or servers");
  }
  const named = shape.servers ?? (shape.server === undefined ? [] : [shape.server]);
  const known = new Set<string>();
  for (const [position, name] of named.entries()) {
    const at =
      shape.servers === undefined
        ? document.source.at("endpoints", index, "server")
        : document.source.at("endpoints", index, "servers", position);
    if (known.has(name)) {
      sink.report("ROUTE_SERVER_DUPLICATE", at, `${name} is named twice for ${shape.path}`);
      continue;
    }
    const server = input.servers.get(name);
    if (server === undefined) {
      const help = didYouMean(name, [...input.servers.keys()]);
      sink.report("SERVER_UNKNOWN", at, `no server is named ${JSON.stringify(name)}`, help);
      continue;
    }
    if (named.length > 1) checkShared(server, shape.path, at, sink);
    known.add(name);
  }
  return [...known];
}

/** What only matters where servers share an endpoint. */
function checkShared({ entry }: LoweredServer, path: string, at: SourceSpan, sink: DiagnosticSink): void {
  if (entry.leaves.every((leaf) => leaf.definitions.length === 0)) {
    const help = `run \`aegis pin . ${entry.id}\``;
    sink.report("ROUTE_SERVER_UNPINNED", at, `${entry.id} has no pins and adds nothing to ${path}`, help);
    return;
  }
  const names = entry.leaves
    .filter(({ kind }) => kind === "tool" || kind === "prompt")
    .map(({ name }) => namespaced(entry.id, name));
  reportLong("ROUTE_NAME_TOO_LONG", names.filter(isTooLong), MAX_NAME_CHARS, at, sink);
  const long = names.filter((name) => name.length > COMMON_NAME_CHARS && !isTooLong(name));
  reportLong("ROUTE_NAME_LONG", long, COMMON_NAME_CHARS, at, sink);
}

function isTooLong(name: string): boolean {
  return name.length > MAX_NAME_CHARS;
}

function reportLong(
  code: "ROUTE_NAME_LONG" | "ROUTE_NAME_TOO_LONG",
  names: readonly string[],
  max: number,
  at: SourceSpan,
  sink: DiagnosticSink,
): void {
  const [first] = [...names].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  if (first === undefined) return;
  const others = names.length === 1 ? "" : `, and ${names.length - 1} more`;
  sink.report(code, at, `${first} has ${first.length} characters, more than ${max}${others}`);
}
