// Servers and their pins → registry.json.
import { canonicalJson, leafActionOf, METHODS_OF_KIND } from "#bundle";
import type {
  DefinitionEntry,
  LeafAction,
  LeafEntry,
  ParamHeader,
  PinnedKind,
  RegistrySection,
  ServerEntry,
  TransportEntry,
} from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { argumentsType } from "../cedar/schema.ts";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { PinFile, PinnedDefinition } from "../documents/pin-file.ts";
import type { ServerShape } from "../documents/shapes.ts";
import { parseDurationMs } from "../documents/units.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { lowerPromptArguments, lowerSchema, uriArguments } from "../json-schema/index.ts";
import type { LoweredSchema } from "../json-schema/index.ts";
import { methodLeaves } from "./method-leaves.ts";
import { overlaidPinMaxAgeMs } from "./overlay.ts";
import type { Overlay } from "./overlay.ts";
import { ruleLeaves } from "./resource-patterns.ts";
import type { ResourceRule } from "./resource-patterns.ts";
import { transportsOf } from "./transports.ts";

export { environmentNameOf } from "./transports.ts";

const DEFAULT_PIN_MAX_AGE_MS = 60_000;

/** A server with what the compiler needs to know beside the bundle's entry. */
export interface LoweredServer {
  readonly entry: ServerEntry;
  readonly document: Parsed<ServerShape>;
  readonly at: SourceSpan;
}

/** A leaf that a server listed and a pin approved. */
export type PinnedLeafEntry = LeafEntry & { readonly kind: PinnedKind };

export interface PinnedLeaf {
  readonly server: LoweredServer;
  readonly leaf: PinnedLeafEntry;
  readonly at: SourceSpan;
}

export interface LoweredRegistry {
  readonly section: RegistrySection;
  readonly servers: ReadonlyMap<string, LoweredServer>;
  readonly leaves: ReadonlyMap<LeafAction, PinnedLeaf>;
}

// MCP 2026-07-28: x-mcp-header stands only on chains of `properties`, and a name is an HTTP token.
function paramHeadersOf(schema: unknown, path: readonly string[] = []): ParamHeader[] {
  if (!isJsonObject(schema) || !isJsonObject(schema["properties"]) || path.length > 16) return [];
  return Object.entries(schema["properties"]).flatMap(([name, member]) => {
    const inner = [...path, name];
    const header = isJsonObject(member) ? member["x-mcp-header"] : undefined;
    const own = typeof header === "string" && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u.test(header);
    return [...(own ? [{ header, path: inner }] : []), ...paramHeadersOf(member, inner)];
  });
}

function argumentsOf(kind: PinnedKind, definition: JsonObject): LoweredSchema {
  switch (kind) {
    case "resource":
    case "resource-template":
      return { program: uriArguments(), findings: [] };
    case "prompt":
      return lowerPromptArguments(definition);
    case "tool":
      return lowerSchema(definition["inputSchema"] ?? {});
  }
}

function reportSchemaFindings(
  name: string,
  lowered: LoweredSchema,
  at: SourceSpan,
  sink: DiagnosticSink,
): void {
  for (const { code, severity, pointer, message, help } of lowered.findings) {
    const text = `${JSON.stringify(name)}${pointer === "" ? "" : ` at ${pointer}`}: ${message}`;
    sink.add({ code, severity, ...at, message: text, ...(help === undefined ? {} : { help }) });
  }
}

function leafOf(
  server: string,
  group: readonly PinnedDefinition[],
  sink: DiagnosticSink,
): PinnedLeafEntry | undefined {
  const [first, ...others] = group;
  if (first === undefined) return undefined;
  const lowered = argumentsOf(first.kind, first.definition);
  reportSchemaFindings(first.name, lowered, first.at, sink);
  const text = canonicalJson(lowered.program);
  for (const other of others) {
    if (canonicalJson(argumentsOf(other.kind, other.definition).program) === text) continue;
    const help = "pin the server in one era only, or fix the server";
    sink.report(
      "PIN_ERA_CONFLICT",
      other.at,
      `${JSON.stringify(first.name)} takes other arguments in each era`,
      help,
    );
  }
  // What modern clients are shown says what they mirror: the modern definition, or the one that stands in for it.
  const shown = group.find(({ eras }) => eras.includes("modern")) ?? first;
  const definitions = group
    .map(({ eras, digest, definition }): DefinitionEntry => ({ eras: [...eras].sort(), digest, definition }))
    .sort((a, b) => ((a.eras[0] ?? "") < (b.eras[0] ?? "") ? -1 : 1));
  return {
    action: leafActionOf(METHODS_OF_KIND[first.kind][0], server, first.name),
    kind: first.kind,
    name: first.name,
    definitions,
    argumentsProgram: lowered.program,
    paramHeaders: shown.kind === "tool" ? paramHeadersOf(shown.definition["inputSchema"]) : [],
  };
}

function leavesOf(
  pins: PinFile,
  sink: DiagnosticSink,
): { readonly leaf: PinnedLeafEntry; readonly at: SourceSpan }[] {
  const groups = new Map<LeafAction, PinnedDefinition[]>();
  for (const definition of pins.definitions) {
    const action = leafActionOf(METHODS_OF_KIND[definition.kind][0], pins.server, definition.name);
    const group = groups.get(action) ?? [];
    if (group[0] !== undefined && group[0].kind !== definition.kind) {
      sink.report(
        "PIN_DUPLICATE",
        definition.at,
        `${JSON.stringify(definition.name)} is both resource and template`,
      );
      continue;
    }
    group.push(definition);
    groups.set(action, group);
  }
  const leaves = [...groups.values()].flatMap((group) => {
    const leaf = leafOf(pins.server, group, sink);
    return leaf === undefined ? [] : [{ leaf, at: group[0]?.at ?? startOf(pins.file) }];
  });
  return leaves.sort((a, b) => (a.leaf.action < b.leaf.action ? -1 : 1));
}

/** `sql` must name pinned tools and String arguments of them: a fact about nothing would deny every call. */
function checkSqlArguments(
  document: Parsed<ServerShape>,
  leaves: readonly LeafEntry[],
  sink: DiagnosticSink,
): void {
  const tools = leaves.filter((leaf) => leaf.kind === "tool");
  for (const [name, { argument }] of Object.entries(document.shape.sql ?? {})) {
    const tool = tools.find((leaf) => leaf.name === name);
    if (tool === undefined) {
      const known = tools.map((leaf) => leaf.name);
      const message = `no pinned tool is named ${JSON.stringify(name)}`;
      sink.report("NAME_UNKNOWN", document.source.atKey("sql", name), message, didYouMean(name, known));
      continue;
    }
    const members = argumentsType(tool.argumentsProgram)["attributes"];
    const member = isJsonObject(members) && Object.hasOwn(members, argument) ? members[argument] : undefined;
    if (isJsonObject(member) && member["type"] === "String") continue;
    const known = isJsonObject(members) ? Object.keys(members) : [];
    const message = `${name} has no text argument ${JSON.stringify(argument)}`;
    sink.report(
      "ARGUMENT_UNKNOWN",
      document.source.at("sql", name, "argument"),
      message,
      didYouMean(argument, known),
    );
  }
}

function checkPinFiles(documents: Documents, ids: readonly string[], sink: DiagnosticSink): void {
  const seen = new Map<string, string>();
  for (const pins of documents.pins) {
    if (!ids.includes(pins.server)) {
      const message = `no server is named ${JSON.stringify(pins.server)}`;
      sink.report("PIN_SERVER_UNKNOWN", startOf(pins.file), message, didYouMean(pins.server, ids));
    } else if (seen.has(pins.server)) {
      sink.report("PIN_DUPLICATE", startOf(pins.file), `${seen.get(pins.server)} pins the same server`);
    }
    seen.set(pins.server, pins.file);
  }
}

/** An address of a server that does not exist would leave the real one at its own address. */
function checkUpstreams(documents: Documents, ids: readonly string[], sink: DiagnosticSink): void {
  for (const { source, shape } of documents.environments) {
    for (const id of Object.keys(shape.upstreams ?? {})) {
      if (ids.includes(id)) continue;
      const message = `no server is named ${JSON.stringify(id)}`;
      sink.report("SERVER_UNKNOWN", source.atKey("upstreams", id), message, didYouMean(id, ids));
    }
  }
}

function lowerServer(
  document: Parsed<ServerShape>,
  pins: PinFile | undefined,
  transports: Readonly<Record<string, TransportEntry>>,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): {
  readonly server: LoweredServer;
  readonly leaves: readonly { readonly leaf: PinnedLeafEntry; readonly at: SourceSpan }[];
} {
  const { shape, source } = document;
  const pinMaxAgeMs =
    shape.pinMaxAge === undefined ? DEFAULT_PIN_MAX_AGE_MS : parseDurationMs(shape.pinMaxAge);
  if (pinMaxAgeMs === undefined) {
    sink.report("DURATION_INVALID", source.at("pinMaxAge"), "expected a duration of at most a day, e.g. 60s");
  }
  const leaves = pins === undefined ? [] : leavesOf(pins, sink);
  // Before the first `aegis pin` there is nothing that `sql` could name, and PIN_MISSING says so.
  if (pins !== undefined) {
    checkSqlArguments(
      document,
      leaves.map((item) => item.leaf),
      sink,
    );
  }
  const entry: ServerEntry = {
    id: shape.metadata.name,
    tier: shape.tier ?? "",
    labels: [...(shape.labels ?? [])].sort(),
    transports,
    pinMaxAgeMs: overlaidPinMaxAgeMs(overlay, shape.metadata.name) ?? pinMaxAgeMs ?? DEFAULT_PIN_MAX_AGE_MS,
    eras: pins?.eras ?? {},
    leaves: sortedLeaves([...leaves.map((item) => item.leaf), ...methodLeaves(shape.metadata.name)]),
  };
  return { server: { entry, document, at: source.at("metadata", "name") }, leaves };
}

function sortedLeaves(leaves: readonly LeafEntry[]): readonly LeafEntry[] {
  return leaves.toSorted((a, b) => (a.action < b.action ? -1 : a.action > b.action ? 1 : 0));
}

/** The registry with the leaves of resource rules, which stand in policies rather than in pins. */
export function withResourceRules(
  registry: LoweredRegistry,
  rules: readonly ResourceRule[],
): readonly ServerEntry[] {
  return registry.section.servers.map((entry) => {
    const added = ruleLeaves(entry.id, rules);
    return added.length === 0 ? entry : { ...entry, leaves: sortedLeaves([...entry.leaves, ...added]) };
  });
}

export function lowerRegistry(
  documents: Documents,
  environments: readonly string[],
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): LoweredRegistry {
  const servers = new Map<string, LoweredServer>();
  const leaves = new Map<LeafAction, PinnedLeaf>();
  for (const document of documents.servers) {
    const id = document.shape.metadata.name;
    const known = servers.get(id);
    if (known !== undefined) {
      const message = `${known.document.source.file} declares the server ${JSON.stringify(id)} too`;
      sink.report("DOCUMENT_DUPLICATE", document.source.at("metadata", "name"), message);
      continue;
    }
    const pins = documents.pins.find((item) => item.server === id);
    if (pins === undefined) {
      sink.report(
        "PIN_MISSING",
        document.source.at("metadata", "name"),
        `${id} has no pins`,
        `run \`aegis pin . ${id}\``,
      );
    }
    const transports = transportsOf(document, environments, documents, sink, overlay);
    const lowered = lowerServer(document, pins, transports, sink, overlay);
    servers.set(id, lowered.server);
    for (const item of lowered.leaves) leaves.set(item.leaf.action, { server: lowered.server, ...item });
  }
  checkPinFiles(documents, [...servers.keys()], sink);
  checkUpstreams(documents, [...servers.keys()], sink);
  const entries = [...servers.values()].map((item) => item.entry).sort((a, b) => (a.id < b.id ? -1 : 1));
  return { section: { servers: entries }, servers, leaves };
}
