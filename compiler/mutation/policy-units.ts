// Every policy of a repository by itself, so that a mutant compiles the few that stand beside it and no others.
import { DEFAULT_TENANT } from "#bundle";
import type { AttributeMapping, TenantId } from "#bundle";
import { directoryWorkspace } from "#compiler";
import type { CompileOptions } from "#compiler";
import { withDeclaredRoles } from "../compile.ts";
import type { CedarModel, ParsedPolicy } from "../cedar/index.ts";
import { parseSource } from "../cedar/parse.ts";
import { DiagnosticSink } from "../diagnostics/index.ts";
import { loadDocuments } from "../documents/load.ts";
import type { Documents, Parsed } from "../documents/load.ts";
import type { PolicyShape } from "../documents/shapes.ts";
import { environmentNames } from "../lower/environments.ts";
import { lowerIdentity } from "../lower/identity.ts";
import type { LoweredIdentity } from "../lower/identity.ts";
import { impliedPermit } from "../lower/implied-permits.ts";
import { layersOf } from "../lower/layers.ts";
import type { Layer, Layers } from "../lower/layers.ts";
import { NameIndex } from "../lower/names.ts";
import { lowerPolicies } from "../lower/policies.ts";
import type { GeneratedPolicy } from "../lower/policies.ts";
import { lowerRegistry } from "../lower/registry.ts";
import type { LoweredRegistry } from "../lower/registry.ts";
import type { ResourceRule } from "../lower/resource-patterns.ts";
import { sqlArguments } from "../lower/sql-arguments.ts";

/** What one YAML document means. */
export interface LoweredDocument {
  readonly units: readonly GeneratedPolicy[];
  readonly rules: readonly ResourceRule[];
  /** False where the document, as it is changed, has an error. */
  readonly isValid: boolean;
}

/** A repository that compiles, taken apart. */
export interface PolicyUnits {
  readonly documents: Documents;
  readonly layers: Layers;
  readonly registry: LoweredRegistry;
  readonly identity: LoweredIdentity;
  /** All, in the order in which the compiler takes them. */
  readonly units: readonly GeneratedPolicy[];
  readonly rules: readonly ResourceRule[];
  /** The policies that people wrote in Cedar, for operators. */
  readonly authored: readonly ParsedPolicy[];
  /** The YAML documents of all layers, each with what it means. */
  readonly yaml: ReadonlyMap<string, { readonly layer: Layer; readonly document: Parsed<PolicyShape> }>;
  readonly lowerDocument: (file: string, shape: PolicyShape) => LoweredDocument;
  readonly model: (servers: CedarModel["servers"]) => CedarModel;
}

/** Reads a repository again. It is one that compiles: findings are not collected. */
export function policyUnits(options: CompileOptions): PolicyUnits {
  const sink = new DiagnosticSink();
  const workspace = options.workspace ?? directoryWorkspace(options.dir);
  const documents = withDeclaredRoles(loadDocuments(workspace, sink));
  const environments = environmentNames(documents, sink, options.overlay);
  const registry = lowerRegistry(documents, environments, sink, options.overlay);
  const layers = layersOf(documents, registry, sink);
  const identity = lowerIdentity(layers, environments, workspace, sink, options.overlay);
  const indexes = new Map(layers.all.map((layer) => [layer.tenant, new NameIndex(layer.registry)]));
  const yaml = new Map(
    layers.all.flatMap((layer) =>
      layer.documents.policies.map((document) => [document.source.file, { layer, document }] as const),
    ),
  );
  const lowerDocument = (file: string, shape: PolicyShape): LoweredDocument => {
    const entry = yaml.get(file);
    const names = entry === undefined ? undefined : indexes.get(entry.layer.tenant);
    if (entry === undefined || names === undefined) return { units: [], rules: [], isValid: false };
    const { layer, document } = entry;
    const own = new DiagnosticSink();
    const one = { ...layer.documents, policies: [{ ...document, shape }] };
    const { generated, rules } = lowerPolicies(one, layer.registry, names, own, layer.tenant);
    return { units: generated, rules, isValid: !own.hasErrors };
  };
  const lowered = [...yaml].map(([file, { document }]) => lowerDocument(file, document.shape));
  const authored = layers.all.flatMap(({ documents: { cedar }, tenant }) =>
    cedar.flatMap((source) => parseSource(source, tenant).policies),
  );
  return {
    ...{ documents, layers, registry, identity, authored, yaml, lowerDocument },
    units: [...authored.map(unitOf), impliedPermit(DEFAULT_TENANT), ...lowered.flatMap(({ units }) => units)],
    rules: lowered.flatMap(({ rules }) => rules),
    model: (servers) => cedarModel(layers, registry, identity, servers),
  };
}

/** A policy that a person wrote, as one of the compiler: its names are known to be right, wherever it is compiled. */
function unitOf(policy: ParsedPolicy): GeneratedPolicy {
  const { id, tenant, text, source, shadow } = policy;
  const { file, line, column, reason } = source;
  return {
    ...{ id, tenant, text: text.text, source: { file, line, column }, derivations: [] },
    ...(reason === undefined ? {} : { reason }),
    ...(shadow ? { shadow } : {}),
  };
}

function cedarModel(
  layers: Layers,
  registry: LoweredRegistry,
  identity: LoweredIdentity,
  servers: CedarModel["servers"],
): CedarModel {
  const attributesOf = (tenant: TenantId): readonly AttributeMapping[] =>
    identity
      .attributesOf(tenant)
      .map(({ name, type, required }) => ({ attribute: name, claim: name, type, required }));
  return {
    attributes: attributesOf(DEFAULT_TENANT),
    servers,
    knownRoles: layers.platform.documents.project?.shape.roles ?? [],
    tenant: DEFAULT_TENANT,
    sql: sqlArguments(registry),
    tenants: [...layers.tenants.values()].map(({ id, servers: own, roles }) => ({
      ...{ id, servers: own, knownRoles: roles ?? [] },
      attributes: attributesOf(id),
    })),
  };
}
