// The phases of a compilation, in order. Findings are collected; content is emitted only where none is an error.
import { DEFAULT_TENANT, encodeBundleFile } from "#bundle";
import type { AttributeMapping, BundleContent, BundleManifest, Digest, TenantId } from "#bundle";
import { isTrustError } from "#errors";
import { compileCedar } from "./cedar/index.ts";
import type { CedarOutput, ParsedPolicy } from "./cedar/index.ts";
import type { CheckContext } from "./check/context.ts";
import { RULES, TEXT_RULES } from "./check/rules.ts";
import { DiagnosticSink, startOf } from "./diagnostics/index.ts";
import type { Diagnostic } from "./diagnostics/index.ts";
import { loadDocuments } from "./documents/load.ts";
import type { Documents } from "./documents/load.ts";
import { lowerGates } from "./gates/lower-gates.ts";
import { lowerInvariants } from "./invariants/lower-invariants.ts";
import { environmentNames, lowerEnvironments } from "./lower/environments.ts";
import { lowerIdentity } from "./lower/identity.ts";
import type { LoweredIdentity, PrincipalAttribute } from "./lower/identity.ts";
import { layersOf } from "./lower/layers.ts";
import type { Layers } from "./lower/layers.ts";
import type { Overlay } from "./lower/overlay.ts";
import type { LoweredPolicies } from "./lower/policies.ts";
import { lowerRegistry, withResourceRules } from "./lower/registry.ts";
import type { LoweredRegistry } from "./lower/registry.ts";
import { sqlArguments } from "./lower/sql-arguments.ts";
import { lowerRetention } from "./lower/retention.ts";
import { lowerLayers } from "./lower/tenant-layers.ts";
import { buildVectors } from "./lower/vectors.ts";
import type { Gate } from "./model/gate.ts";
import type { Invariant } from "./model/invariant.ts";
import type { TestSuite } from "./model/test-suite.ts";
import { withoutPinConsequences } from "./check/pin-consequences.ts";
import { WorkspaceError, directoryWorkspace } from "./workspace/index.ts";
import type { Workspace } from "./workspace/index.ts";

/** Version of the compiler, recorded in every manifest. Equal version and documents give equal bytes. */
export const COMPILER_VERSION = "0.1.0";

export interface CompileOptions {
  /** The directory of the repository. Not read where `workspace` is given. */
  readonly dir: string;
  /** Files from elsewhere: `gitWorkspace`, `memoryWorkspace`. */
  readonly workspace?: Workspace;
  readonly overlay?: Overlay;
}

/** What the documents say, for commands that need more than the bundle. */
export interface ProjectModel {
  readonly name: string;
  readonly environments: readonly string[];
  readonly attributes: readonly PrincipalAttribute[];
  /** Roles that policies may name; undefined where there is no project. */
  readonly roles: readonly string[] | undefined;
  readonly suites: readonly TestSuite[];
  readonly invariants: readonly Invariant[];
  readonly gates: readonly Gate[];
  /** Every policy that parsed, written or generated, as it is before it is specialised for a leaf. */
  readonly policies: readonly ParsedPolicy[];
  /** Text of a source file, for code frames. */
  readonly textOf: (file: string) => string | undefined;
}

export interface CompiledBundle {
  readonly bytes: Uint8Array;
  /** Lower-case hex sha-256 of `bytes`. */
  readonly digest: Digest;
  readonly content: BundleContent;
  readonly manifest: BundleManifest;
}

export interface CompileResult {
  /** Sorted; errors and warnings. */
  readonly diagnostics: readonly Diagnostic[];
  readonly model: ProjectModel;
  /** Undefined where a diagnostic is an error. */
  readonly content: BundleContent | undefined;
  readonly bundle: CompiledBundle | undefined;
}

interface Lowered {
  readonly environments: readonly string[];
  readonly registry: LoweredRegistry;
  readonly identity: LoweredIdentity;
  readonly policies: LoweredPolicies;
  readonly cedar: CedarOutput;
  readonly suites: readonly TestSuite[];
  readonly invariants: readonly Invariant[];
  readonly gates: readonly Gate[];
  readonly content: BundleContent;
}

function openWorkspace(options: CompileOptions, sink: DiagnosticSink): Workspace | undefined {
  if (options.workspace !== undefined) return options.workspace;
  try {
    return directoryWorkspace(options.dir);
  } catch (error) {
    if (!(error instanceof WorkspaceError)) throw error;
    sink.report(error.code, startOf(error.path === "" ? "aegis.yaml" : error.path), error.message);
    return undefined;
  }
}

/** Findings on what a principal has. */
const ATTRIBUTE_CODES: ReadonlySet<string> = new Set(["CEDAR_UNKNOWN_ATTRIBUTE", "CEDAR_OPTIONAL_ATTRIBUTE"]);

function compilePolicies(
  layers: Layers,
  registry: LoweredRegistry,
  identity: LoweredIdentity,
  lowered: LoweredPolicies,
  sink: DiagnosticSink,
): CedarOutput {
  const attributesOf = (tenant: TenantId): readonly AttributeMapping[] =>
    identity
      .attributesOf(tenant)
      .map(({ name, type, required }) => ({ attribute: name, claim: name, type, required }));
  const cedar = compileCedar({
    sources: layers.all.flatMap(({ documents, tenant }) =>
      documents.cedar.map((source) => ({ ...source, tenant })),
    ),
    generated: lowered.generated,
    model: {
      attributes: attributesOf(DEFAULT_TENANT),
      servers: withResourceRules(registry, lowered.rules),
      knownRoles: layers.platform.documents.project?.shape.roles ?? [],
      tenant: DEFAULT_TENANT,
      sql: sqlArguments(registry),
      tenants: [...layers.tenants.values()].map(({ id, servers, roles }) => ({
        ...{ id, servers, knownRoles: roles ?? [] },
        attributes: attributesOf(id),
      })),
    },
  });
  for (const finding of cedar.findings) {
    // What identity.yaml declares is not known where it has errors of its own.
    if (!identity.isKnown && ATTRIBUTE_CODES.has(finding.code)) continue;
    sink.add(finding);
  }
  return cedar;
}

function lower(
  documents: Documents,
  workspace: Workspace,
  sink: DiagnosticSink,
  overlay: Overlay | undefined,
): Lowered {
  const environments = environmentNames(documents, sink, overlay);
  const registry = lowerRegistry(documents, environments, sink, overlay);
  const layers = layersOf(documents, registry, sink);
  const identity = lowerIdentity(layers, environments, workspace, sink, overlay);
  const routes = lowerEnvironments(layers, environments, identity, sink, overlay);
  const { policies, limits, transforms, suites } = lowerLayers(layers, identity, sink);
  const retention = lowerRetention(layers, sink);
  const cedar = compilePolicies(layers, registry, identity, policies, sink);
  const known = identity.isKnown ? identity.attributesOf(DEFAULT_TENANT) : undefined;
  const invariants = lowerInvariants(layers, cedar.servers, known, sink);
  const gates = lowerGates(layers.platform.documents.project, cedar.servers, sink);
  const content: BundleContent = {
    name: documents.project?.shape.metadata.name ?? "",
    registry: { servers: cedar.servers },
    policies: cedar.policies,
    routes,
    limits,
    transforms,
    sources: cedar.sources,
    vectors: { vectors: [] },
    ...(retention === undefined ? {} : { retention }),
  };
  return { environments, registry, identity, policies, cedar, suites, invariants, gates, content };
}

function check(documents: Documents, lowered: Lowered, sink: DiagnosticSink): void {
  const { registry, identity, policies, cedar, suites, content } = lowered;
  const context: CheckContext = {
    documents,
    registry,
    identity,
    lowered: policies,
    policies: cedar.policies,
    sources: cedar.sources,
    parsed: cedar.parsed,
    routes: content.routes,
    transforms: content.transforms,
    suites,
    sink,
  };
  for (const rule of RULES) rule.run(context);
}

function emptyModel(): ProjectModel {
  return {
    name: "",
    environments: [],
    attributes: [],
    roles: undefined,
    suites: [],
    invariants: [],
    gates: [],
    policies: [],
    textOf: () => undefined,
  };
}

async function emit(
  lowered: Lowered,
  sink: DiagnosticSink,
): Promise<Pick<CompileResult, "content" | "bundle">> {
  try {
    const vectors = await buildVectors(lowered.content, lowered.suites);
    const content: BundleContent = { ...lowered.content, vectors };
    const encoded = encodeBundleFile(content, { compilerVersion: COMPILER_VERSION });
    return { content, bundle: { ...encoded, content } };
  } catch (error) {
    // The bundle is read back as a gateway reads it; what it would refuse is a finding, not a crash.
    if (!isTrustError(error)) throw error;
    sink.report("BUNDLE_REFUSED", startOf("aegis.yaml"), `${error.code}: ${error.detail}`);
    return { content: undefined, bundle: undefined };
  }
}

/**
 * Every role that a policy may name: those of aegis.yaml, else those that identity.yaml maps claims to. What is declared
 * nowhere is unknown: a misspelt role must not reach a gateway.
 */
export function withDeclaredRoles(documents: Documents): Documents {
  const { project, identity } = documents;
  if (project === undefined || project.shape.roles !== undefined) return documents;
  const mapped = identity
    .filter(({ source }) => source.file === "identity.yaml")
    .flatMap(({ shape }) => shape.issuers.flatMap((issuer) => Object.values(issuer.roles?.map ?? {})));
  return { ...documents, project: { ...project, shape: { ...project.shape, roles: [...new Set(mapped)] } } };
}

/**
 * Compiles a policy repository. Never rejects for what an author wrote: every finding is a diagnostic, and the bundle
 * is undefined where one is an error. Rejects where the source cannot be read at all.
 */
export async function compile(options: CompileOptions): Promise<CompileResult> {
  const sink = new DiagnosticSink();
  const workspace = openWorkspace(options, sink);
  if (workspace === undefined) {
    return { diagnostics: sink.sorted(), model: emptyModel(), content: undefined, bundle: undefined };
  }
  const documents = withDeclaredRoles(loadDocuments(workspace, sink));
  for (const [file, text] of documents.texts) for (const rule of TEXT_RULES) rule.run(file, text, sink);
  const lowered = lower(documents, workspace, sink, options.overlay);
  // Checks of meaning on documents with errors would report their consequences again.
  if (!sink.hasErrors) check(documents, lowered, sink);
  const model: ProjectModel = {
    name: lowered.content.name,
    environments: lowered.environments,
    attributes: lowered.identity.attributes,
    roles: documents.project?.shape.roles,
    suites: lowered.suites,
    invariants: lowered.invariants,
    gates: lowered.gates,
    policies: lowered.cedar.parsed,
    textOf: (file) => documents.texts.get(file),
  };
  const emitted = sink.hasErrors ? { content: undefined, bundle: undefined } : await emit(lowered, sink);
  return { diagnostics: withoutPinConsequences(sink.sorted(), documents), model, ...emitted };
}
