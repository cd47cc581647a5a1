// aegis.yaml, environments/, routes → routes.json.
import { DEFAULT_TENANT } from "#bundle";
import type { EnvironmentEntry, RouteEntry, RoutesSection } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { layerOf } from "../documents/layer.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { EndpointShape, RoutesShape } from "../documents/shapes.ts";
import { parseDurationMs, parseSizeBytes } from "../documents/units.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { DeclaredIssuer, LoweredIdentity } from "./identity.ts";
import type { Layer, Layers } from "./layers.ts";
import type { Overlay } from "./overlay.ts";
import { environmentNameOf } from "./registry.ts";
import { routeServers } from "./route-servers.ts";

const DEFAULT_DEADLINE = "30s";
const DEFAULT_MAX_RESPONSE = "16MB";

/** Environments of the project, sorted, with the overlay's. */
export function environmentNames(
  documents: Documents,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): readonly string[] {
  const declared = documents.project?.shape.environments ?? ["prod"];
  const files = [...documents.environments, ...documents.routes].map((item) => item.source.file);
  for (const file of files.filter((name) => layerOf(name).path.includes("/"))) {
    const name = environmentNameOf(layerOf(file).path);
    if (documents.project === undefined || declared.includes(name)) continue;
    const help = didYouMean(name, declared) ?? "add it to environments in aegis.yaml";
    sink.report(
      "ENVIRONMENT_UNKNOWN",
      startOf(file),
      `the environment ${JSON.stringify(name)} is not declared`,
      help,
    );
  }
  return [...new Set([...declared, ...(overlay === undefined ? [] : [overlay.environment])])].sort();
}

interface EnvironmentWork {
  readonly name: string;
  readonly publicUrl: string;
  readonly identity: LoweredIdentity;
  /** The layer of the endpoints. */
  readonly layer: Layer;
  readonly layers: Layers;
  readonly sink: DiagnosticSink;
}

function publicUrlOf(
  documents: Documents,
  name: string,
  overlay: Overlay | undefined,
  sink: DiagnosticSink,
): string {
  if (overlay?.environment === name && overlay.publicUrl !== undefined)
    return overlay.publicUrl.replace(/\/$/u, "");
  const document = documents.environments.find((item) => environmentNameOf(item.source.file) === name);
  const written = document?.shape.publicUrl;
  const file = `environments/${name}.yaml`;
  if (document === undefined || written === undefined) {
    const help = `write publicUrl in ${file}: tokens are bound to it`;
    sink.report(
      "PUBLIC_URL_MISSING",
      startOf(document?.source.file ?? file),
      `${name} has endpoints but no publicUrl`,
      help,
    );
    return "http://invalid.invalid";
  }
  const url = URL.parse(written);
  if (url === null || !/^https?:$/u.test(url.protocol) || url.origin !== written.replace(/\/$/u, "")) {
    sink.report(
      "DOCUMENT_INVALID",
      document.source.at("publicUrl"),
      "publicUrl must be an origin: scheme, host, port",
    );
  }
  return written.replace(/\/$/u, "");
}

/** Issuers of the environment that vouch for callers of the tenant. */
function acceptableIssuers(work: EnvironmentWork): ReadonlyMap<string, DeclaredIssuer> {
  const { tenant } = work.layer;
  const known = work.identity.issuersOf(work.name);
  return new Map(
    [...known].filter(([, { entry }]) =>
      entry.tenantOf === undefined
        ? entry.tenant === tenant
        : Object.values(entry.tenantOf.map).includes(tenant),
    ),
  );
}

function issuersOf(
  work: EnvironmentWork,
  document: Parsed<RoutesShape>,
  index: number,
  shape: EndpointShape,
): string[] {
  const known = acceptableIssuers(work);
  const laid = [...known].filter(([, issuer]) => issuer.at === undefined).map(([name]) => name);
  if (shape.issuers === undefined) return [...known.keys()].sort();
  for (const [position, name] of shape.issuers.entries()) {
    if (known.has(name)) continue;
    const at = document.source.at("endpoints", index, "issuers", position);
    const elsewhere = work.identity.issuersOf(work.name).has(name);
    const whose = elsewhere ? "vouches for no caller of this tenant in" : "is not declared for";
    const message = `the issuer ${JSON.stringify(name)} ${whose} ${work.name}`;
    work.sink.report("ISSUER_UNKNOWN", at, message, didYouMean(name, [...known.keys()]));
  }
  return [...new Set([...shape.issuers.filter((name) => known.has(name)), ...laid])].sort();
}

/** The first segment of a path belongs to the tenant of that name, so that no layer can take another's endpoint. */
function checkPath(
  work: EnvironmentWork,
  document: Parsed<RoutesShape>,
  index: number,
  { path }: EndpointShape,
): void {
  const { layer, layers, sink } = work;
  const at = document.source.at("endpoints", index, "path");
  const [, first = "", ...rest] = path.split("/");
  if (layer.tenant === DEFAULT_TENANT) {
    if (!layers.tenants.has(first)) return;
    const help = `declare it in tenants/${first}/routes.yaml`;
    sink.report("TENANT_ESCAPE", at, `${path} lies below the endpoints of the tenant ${first}`, help);
    return;
  }
  const isNormal = rest.length > 0 && rest.every((part) => part !== "." && part !== "..");
  if (first === layer.tenant && isNormal) return;
  const help = `e.g. /${layer.tenant}/${layer.registry.section.servers[0]?.id ?? "server"}/mcp`;
  sink.report(
    "TENANT_ESCAPE",
    at,
    `a path of the tenant ${layer.tenant} begins with /${layer.tenant}/`,
    help,
  );
}

function lowerEndpoint(
  work: EnvironmentWork,
  document: Parsed<RoutesShape>,
  index: number,
  shape: EndpointShape,
): RouteEntry {
  const { sink } = work;
  checkPath(work, document, index, shape);
  const deadlineMs = parseDurationMs(shape.deadline ?? DEFAULT_DEADLINE);
  if (deadlineMs === undefined) {
    sink.report(
      "DURATION_INVALID",
      document.source.at("endpoints", index, "deadline"),
      "expected a duration, e.g. 30s",
    );
  }
  const maxResponseBytes = parseSizeBytes(shape.maxResponse ?? DEFAULT_MAX_RESPONSE);
  if (maxResponseBytes === undefined) {
    const at = document.source.at("endpoints", index, "maxResponse");
    sink.report("DURATION_INVALID", at, "expected a size of at most 64MiB, e.g. 16MB");
  }
  return {
    path: shape.path,
    tenant: work.layer.tenant,
    servers: routeServers({ document, index, shape, servers: work.layer.registry.servers, sink }),
    resource: work.publicUrl + shape.path,
    issuers: issuersOf(work, document, index, shape),
    deadlineMs: deadlineMs ?? 1,
    maxResponseBytes: maxResponseBytes ?? 1,
  };
}

function routesOf(work: EnvironmentWork, documents: readonly Parsed<RoutesShape>[]): readonly RouteEntry[] {
  const routes = new Map<string, RouteEntry>();
  for (const document of documents) {
    for (const [index, shape] of document.shape.endpoints.entries()) {
      if (routes.has(shape.path)) {
        const at = document.source.at("endpoints", index, "path");
        work.sink.report("ROUTE_DUPLICATE", at, `${shape.path} is declared twice for ${work.name}`);
        continue;
      }
      routes.set(shape.path, lowerEndpoint(work, document, index, shape));
    }
  }
  return [...routes.values()];
}

/** routes/<environment>.yaml of the layer where there is one, else its routes.yaml. */
function routeDocuments({ documents }: Layer, environment: string): readonly Parsed<RoutesShape>[] {
  const isFor = (item: Parsed<RoutesShape>): boolean => layerOf(item.source.file).path.includes("/");
  const own = documents.routes.filter(
    (item) => isFor(item) && environmentNameOf(layerOf(item.source.file).path) === environment,
  );
  return own.length > 0 ? own : documents.routes.filter((item) => !isFor(item));
}

export function lowerEnvironments(
  layers: Layers,
  names: readonly string[],
  identity: LoweredIdentity,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): RoutesSection {
  const environments: Record<string, EnvironmentEntry> = {};
  const { documents } = layers.platform;
  const read = new Set(documents.routes.map(({ source }) => source.file));
  // What a faulty routes document says is not known: that it says nothing would be a consequence.
  const isFaulty = [...documents.texts.keys()].some(
    (file) => /^routes(?:\.yaml$|\/)/u.test(file) && !read.has(file),
  );
  for (const name of names) {
    const sources = layers.all.map((layer) => ({ layer, routes: routeDocuments(layer, name) }));
    const issuers = [...identity.issuersOf(name).values()].map((issuer) => issuer.entry);
    issuers.sort((a, b) => (a.issuer < b.issuer ? -1 : 1));
    const hasNone = sources.every(({ routes }) => routes.every((item) => item.shape.endpoints.length === 0));
    if (hasNone && !isFaulty) {
      const help = "add routes.yaml";
      sink.report(
        "ENVIRONMENT_WITHOUT_ROUTES",
        startOf("aegis.yaml"),
        `the environment ${name} has no endpoints`,
        help,
      );
      environments[name] = { routes: [], issuers };
      continue;
    }
    const publicUrl = publicUrlOf(documents, name, overlay, sink);
    const routes = sources.flatMap((source) =>
      routesOf({ name, publicUrl, identity, layer: source.layer, layers, sink }, source.routes),
    );
    environments[name] = { routes: routes.sort((a, b) => (a.path < b.path ? -1 : 1)), issuers };
  }
  return { environments };
}
