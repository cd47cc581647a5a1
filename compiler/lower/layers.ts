// The layers of a repository: the platform and its tenants. What one layer is lowered from holds nothing of another
// tenant, so that a name outside it does not resolve: a tenant's documents cannot reach further than their layer.
import { DEFAULT_TENANT } from "#bundle";
import type { ServerId, TenantId } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import { layerOf, RESERVED_TENANTS, TENANT_ID } from "../documents/layer.ts";
import type { Documents } from "../documents/load.ts";
import type { TenantShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { LoweredRegistry } from "./registry.ts";

/** What one layer is lowered from. */
export interface Layer {
  /** `DEFAULT_TENANT` for the platform. */
  readonly tenant: TenantId;
  /** The documents of the layer alone. The roles of its project are those that the layer may name. */
  readonly documents: Documents;
  /** The servers that the layer may name, and what is pinned on them. */
  readonly registry: LoweredRegistry;
}

/** A declared tenant. */
export interface Tenant {
  readonly id: TenantId;
  readonly servers: ReadonlySet<ServerId>;
  /** Unqualified names; undefined = any. */
  readonly roles: readonly string[] | undefined;
}

export interface Layers {
  /** Declared tenants in order of id, without the default one. */
  readonly tenants: ReadonlyMap<TenantId, Tenant>;
  readonly platform: Layer;
  /** The platform, then one for each tenant. */
  readonly all: readonly Layer[];
}

function isTenantId(id: string): boolean {
  return TENANT_ID.test(id) && !RESERVED_TENANTS.includes(id);
}

function tenantsOf(
  documents: Documents,
  registry: LoweredRegistry,
  sink: DiagnosticSink,
): ReadonlyMap<TenantId, Tenant> {
  const { project } = documents;
  const known = [...registry.servers.keys()];
  const tenants = new Map<TenantId, Tenant>();
  const declared: readonly [string, TenantShape][] = Object.entries(project?.shape.tenants ?? {});
  for (const [id, { servers, roles }] of declared.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (project === undefined) continue;
    if (!isTenantId(id)) {
      const reserved = RESERVED_TENANTS.includes(id) ? "is reserved" : "is no id of a tenant";
      sink.report("TENANT_INVALID", project.source.atKey("tenants", id), `${JSON.stringify(id)} ${reserved}`);
      continue;
    }
    for (const [index, name] of servers.entries()) {
      if (known.includes(name)) continue;
      const at = project.source.at("tenants", id, "servers", index);
      const message = `no server is named ${JSON.stringify(name)}`;
      sink.report("SERVER_UNKNOWN", at, message, didYouMean(name, known));
    }
    tenants.set(id, { id, servers: new Set(servers), roles: roles ?? project.shape.roles });
  }
  return tenants;
}

/** Every document with where it lies. */
function filesOf(documents: Documents): readonly string[] {
  const { policies, routes, identity, limits, testData, testSuites, cedar } = documents;
  const yaml = [...policies, ...routes, ...identity, ...limits, ...testData, ...testSuites];
  return [...yaml.map((item) => item.source.file), ...cedar.map((item) => item.file)];
}

function reportUndeclared(
  documents: Documents,
  tenants: ReadonlyMap<TenantId, Tenant>,
  sink: DiagnosticSink,
): void {
  // Without a readable aegis.yaml nothing is known about tenants, and that is reported already.
  if (documents.project === undefined) return;
  const reported = new Set<string>();
  for (const file of filesOf(documents)) {
    const { tenant } = layerOf(file);
    if (tenant === DEFAULT_TENANT || tenants.has(tenant) || reported.has(tenant)) continue;
    reported.add(tenant);
    const written = file.split("/")[1] ?? "";
    const help = didYouMean(written, [...tenants.keys()]);
    sink.report(
      "TENANT_UNKNOWN",
      startOf(file),
      `the tenant ${JSON.stringify(written)} is not declared`,
      help,
    );
  }
}

function documentsOf(
  documents: Documents,
  tenant: TenantId,
  roles: readonly string[] | undefined,
): Documents {
  const isOwn = (item: { readonly source: { readonly file: string } }): boolean =>
    layerOf(item.source.file).tenant === tenant;
  const { project } = documents;
  const { roles: _roles, ...shape } = project?.shape ?? { metadata: { name: "" } };
  return {
    ...documents,
    project:
      project === undefined
        ? undefined
        : { ...project, shape: { ...shape, ...(roles === undefined ? {} : { roles }) } },
    policies: documents.policies.filter(isOwn),
    cedar: documents.cedar.filter((item) => layerOf(item.file).tenant === tenant),
    routes: documents.routes.filter(isOwn),
    identity: documents.identity.filter(isOwn),
    limits: documents.limits.filter(isOwn),
    testData: documents.testData.filter(isOwn),
    testSuites: documents.testSuites.filter(isOwn),
  };
}

/** The part of the registry that a tenant may name. */
function registryOf(registry: LoweredRegistry, servers: ReadonlySet<ServerId>): LoweredRegistry {
  return {
    ...registry,
    section: { servers: registry.section.servers.filter((server) => servers.has(server.id)) },
    servers: new Map([...registry.servers].filter(([id]) => servers.has(id))),
    leaves: new Map([...registry.leaves].filter(([, leaf]) => servers.has(leaf.server.entry.id))),
  };
}

/** The platform names the roles of a tenant as `<tenant>/<role>`. */
function platformRoles(
  documents: Documents,
  tenants: ReadonlyMap<TenantId, Tenant>,
): readonly string[] | undefined {
  const roles = documents.project?.shape.roles;
  if (roles === undefined) return undefined;
  return [
    ...roles,
    ...[...tenants.values()].flatMap(({ id, roles: own = [] }) => own.map((role) => `${id}/${role}`)),
  ];
}

/** Splits the documents by layer. Those of a tenant that is not declared belong to none, after a finding. */
export function layersOf(documents: Documents, registry: LoweredRegistry, sink: DiagnosticSink): Layers {
  const tenants = tenantsOf(documents, registry, sink);
  reportUndeclared(documents, tenants, sink);
  const platform: Layer = {
    tenant: DEFAULT_TENANT,
    documents: documentsOf(documents, DEFAULT_TENANT, platformRoles(documents, tenants)),
    registry,
  };
  const own = [...tenants.values()].map(({ id, servers, roles }): Layer => ({
    tenant: id,
    documents: documentsOf(documents, id, roles),
    registry: registryOf(registry, servers),
  }));
  return { tenants, platform, all: [platform, ...own] };
}
