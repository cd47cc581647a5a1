// From a verified bundle to a snapshot. All costly work happens here, off the message path; the pipeline only reads.
import { isMethodKind, methodOfAction } from "#bundle";
import type {
  BundleContent,
  EnvironmentEntry,
  Era,
  IssuerEntry,
  LeafAction,
  LeafEntry,
  LeafKind,
  LimitEntry,
  PinnedKind,
  RouteEntry,
  ServerEntry,
  TenantId,
  TransformEntry,
} from "#bundle";
import type { DecisionEngine } from "#config";
import { TrustError } from "#errors";
import { createRouteNames } from "#naming";
import { createCedarPdp, createEvaluator, createInterpretedPdp } from "#pdp";
import type { DecisionDifference } from "#pdp";
import { createResourceIndex } from "#resources";
import type { ResourceIndex } from "#resources";
import { compileTransform } from "#transform";
import type { JsonObject } from "#std";
import type { CompiledTransform } from "#transform";
import type { TokenVerifier } from "../authn/jwt-verifier.ts";
import { bridgedDefinition, upstreamEra } from "../bridge/index.ts";
import { createFactsRecorder } from "../pipeline/recorded-facts.ts";
import type { UpstreamBinding, UpstreamBindings } from "./bindings.ts";
import { routeLists } from "./route-lists.ts";
import { definitionFor } from "./snapshot.ts";
import type { ListName, ListedItem, Route, RoutedServer, Snapshot } from "./snapshot.ts";

export interface SnapshotRelease {
  readonly digest: string;
  readonly sequence: number;
  readonly channel: string;
  readonly hardExpiryMs: number;
}

export interface SnapshotOptions {
  readonly engine: DecisionEngine;
  /** The two decision engines disagreed on a live call, which was denied. Must not throw. */
  readonly onDifference: (difference: DecisionDifference) => void;
  readonly bindings: UpstreamBindings;
  /** One verifier for all issuers of the environment; each route accepts only its own. */
  readonly createVerifier: (issuers: readonly IssuerEntry[]) => TokenVerifier;
}

/** @throws {TrustError} SNAPSHOT_FAULT where the bundle lacks the channel's environment or names something it does not have */
export async function buildSnapshot(
  content: BundleContent,
  release: SnapshotRelease,
  options: SnapshotOptions,
): Promise<Snapshot> {
  const environment = content.routes.environments[release.channel];
  if (environment === undefined) {
    throw new TrustError(
      "SNAPSHOT_FAULT",
      `the bundle has no environment ${JSON.stringify(release.channel)}`,
    );
  }
  const evaluator = await createEvaluator(content, {
    createPdp: (policies, registry, pdpOptions) =>
      options.engine === "cedar-wasm"
        ? createCedarPdp(policies, registry, pdpOptions)
        : createInterpretedPdp(policies, registry, { ...pdpOptions, onDifference: options.onDifference }),
  });
  const held: UpstreamBinding[] = [];
  const dispose = (): void => {
    for (const binding of held.splice(0)) binding.release();
    evaluator.dispose();
  };
  try {
    const routes = buildRoutes(content, environment, release.channel, options, held);
    const facts = createFactsRecorder(content);
    return {
      ...release,
      routes,
      evaluator,
      transformFor: indexTransforms(content.transforms.transforms),
      limitsFor: indexLimits(content.limits.limits),
      sources: new Map(Object.entries(content.sources.policies)),
      ...(content.retention === undefined ? {} : { retention: content.retention }),
      ...(facts === undefined ? {} : { facts }),
      dispose,
    };
  } catch (fault) {
    dispose();
    throw fault;
  }
}

function buildRoutes(
  content: BundleContent,
  environment: EnvironmentEntry,
  channel: string,
  options: SnapshotOptions,
  held: UpstreamBinding[],
): ReadonlyMap<string, Route> {
  const servers = new Map<string, RoutedServer>();
  const verifier = options.createVerifier(environment.issuers);
  const routes = new Map<string, Route>();
  for (const entry of environment.routes) {
    const served = serverIds(entry).map((id) => {
      const server = servers.get(id) ?? bindServer(findServer(content, id), channel, options, held);
      servers.set(id, server);
      return server;
    });
    const named = { servers: served, names: createRouteNames(served) };
    routes.set(entry.path, { entry, ...named, lists: routeLists(named), verifier });
  }
  return routes;
}

function serverIds(entry: RouteEntry): readonly string[] {
  if (entry.servers.length === 0 || new Set(entry.servers).size < entry.servers.length) {
    throw new TrustError("SNAPSHOT_FAULT", `route ${entry.path} must name servers, each once`);
  }
  return entry.servers;
}

function findServer(content: BundleContent, id: string): ServerEntry {
  const server = content.registry.servers.find((candidate) => candidate.id === id);
  if (server === undefined)
    throw new TrustError("SNAPSHOT_FAULT", `no server ${JSON.stringify(id)} in the registry`);
  return server;
}

function bindServer(
  entry: ServerEntry,
  channel: string,
  options: SnapshotOptions,
  held: UpstreamBinding[],
): RoutedServer {
  const transport = entry.transports[channel];
  if (transport === undefined)
    throw new TrustError("SNAPSHOT_FAULT", `server ${entry.id} has no transport for ${channel}`);
  const binding = options.bindings.acquire(entry, transport);
  held.push(binding);
  return {
    entry,
    binding,
    tools: leavesByName(entry, "tool"),
    prompts: leavesByName(entry, "prompt"),
    resources: resourceIndexOf(entry),
    methods: new Map(
      entry.leaves
        .filter((leaf) => isMethodKind(leaf.kind))
        .map((leaf) => [methodOfAction(leaf.action), leaf]),
    ),
    lists: { legacy: listsOf(entry, "legacy"), modern: listsOf(entry, "modern") },
  };
}

function resourceIndexOf(entry: ServerEntry): ResourceIndex {
  try {
    return createResourceIndex(entry.leaves);
  } catch (cause) {
    throw new TrustError("BUNDLE_INVALID", `a resource rule of ${entry.id} is no pattern`, { cause });
  }
}

function leavesByName(entry: ServerEntry, kind: LeafKind): ReadonlyMap<string, LeafEntry> {
  return new Map(entry.leaves.filter((leaf) => leaf.kind === kind).map((leaf) => [leaf.name, leaf]));
}

/** As the server gave it, or, where it is spoken to in the other era, as that of the caller lists it. */
function listedDefinition(
  entry: ServerEntry,
  leaf: LeafEntry,
  kind: PinnedKind,
  era: Era,
): JsonObject | undefined {
  const pinnedEra = upstreamEra(entry, era);
  const definition = definitionFor(leaf, pinnedEra)?.definition;
  return definition === undefined || pinnedEra === era
    ? definition
    : bridgedDefinition(kind, definition, era);
}

function listsOf(entry: ServerEntry, era: Era): Readonly<Record<ListName, readonly ListedItem[]>> {
  const listed = (kind: PinnedKind): readonly ListedItem[] =>
    entry.leaves.flatMap((leaf) => {
      const definition = leaf.kind === kind ? listedDefinition(entry, leaf, kind, era) : undefined;
      return definition === undefined ? [] : [{ leaf, definition }];
    });
  return {
    tools: listed("tool"),
    prompts: listed("prompt"),
    resources: listed("resource"),
    resourceTemplates: listed("resource-template"),
  };
}

/** A caller is transformed for by its own tenant's entry alone: that holds the platform's operations too. */
function indexTransforms(entries: readonly TransformEntry[]): Snapshot["transformFor"] {
  const byTenant = new Map<TenantId, Map<LeafAction, CompiledTransform>>();
  for (const entry of entries) {
    const own = byTenant.get(entry.tenant) ?? new Map<LeafAction, CompiledTransform>();
    byTenant.set(entry.tenant, own.set(entry.action, compileTransform(entry)));
  }
  return (tenant, action) => byTenant.get(tenant)?.get(action);
}

/** Limits without a tenant count the callers of every tenant, each tenant's by themselves. */
function indexLimits(limits: readonly LimitEntry[]): Snapshot["limitsFor"] {
  const known = new Map<TenantId, (action: LeafAction | undefined) => readonly LimitEntry[]>();
  const general = byAction(limits.filter((limit) => limit.tenant === undefined));
  for (const tenant of new Set(limits.flatMap((limit) => limit.tenant ?? []))) {
    known.set(tenant, byAction(limits.filter((limit) => (limit.tenant ?? tenant) === tenant)));
  }
  return (tenant, action) => (known.get(tenant) ?? general)(action);
}

function byAction(limits: readonly LimitEntry[]): (action: LeafAction | undefined) => readonly LimitEntry[] {
  const general = limits.filter((limit) => limit.actions === undefined);
  const named = new Map<LeafAction, readonly LimitEntry[]>();
  for (const action of new Set(limits.flatMap((limit) => limit.actions ?? []))) {
    named.set(
      action,
      limits.filter((limit) => limit.actions === undefined || limit.actions.includes(action)),
    );
  }
  return (action) => (action === undefined ? general : (named.get(action) ?? general));
}
