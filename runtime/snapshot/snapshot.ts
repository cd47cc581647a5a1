// A verified bundle in the form the pipeline reads: everything that can be computed once is computed here.
import type {
  DefinitionEntry,
  Digest,
  Era,
  LeafAction,
  LeafEntry,
  LimitEntry,
  PolicyId,
  PolicySource,
  RetentionSection,
  RouteEntry,
  ServerEntry,
  TenantId,
} from "#bundle";
import type { RouteNames } from "#naming";
import type { Evaluator } from "#pdp";
import type { ResourceIndex } from "#resources";
import type { CompiledTransform } from "#transform";
import type { JsonObject } from "#std";
import type { TokenVerifier } from "../authn/jwt-verifier.ts";
import type { DecisionFactsRecorder } from "../pipeline/recorded-facts.ts";
import type { UpstreamBinding } from "./bindings.ts";

/** One item of a list the gateway serves from its pins. */
export interface ListedItem {
  readonly leaf: LeafEntry;
  readonly definition: JsonObject;
}

/** A server as one endpoint sees it. */
export interface RoutedServer {
  readonly entry: ServerEntry;
  readonly binding: UpstreamBinding;
  readonly tools: ReadonlyMap<string, LeafEntry>;
  readonly prompts: ReadonlyMap<string, LeafEntry>;
  readonly resources: ResourceIndex;
  /** Leaves that stand for a method of the server, by method. */
  readonly methods: ReadonlyMap<string, LeafEntry>;
  /** List items of each era, by list name, in a fixed order. */
  readonly lists: Readonly<Record<Era, Readonly<Record<ListName, readonly ListedItem[]>>>>;
}

export type ListName = "tools" | "prompts" | "resources" | "resourceTemplates";

export interface Route {
  readonly entry: RouteEntry;
  /** At least one. With several, clients see the names that `#naming` makes. */
  readonly servers: readonly RoutedServer[];
  readonly names: RouteNames<RoutedServer>;
  /** What clients are shown, before it is filtered for the caller. */
  readonly lists: RouteLists;
  readonly verifier: TokenVerifier;
}

/** An item of an endpoint's list. Its definition has the names that clients of the endpoint know. */
export interface RouteItem extends ListedItem {
  readonly server: RoutedServer;
}

export type RouteLists = Readonly<Record<Era, Readonly<Record<ListName, readonly RouteItem[]>>>>;

export interface Snapshot {
  readonly digest: Digest;
  readonly sequence: number;
  readonly channel: string;
  /** Milliseconds since the epoch after which every exchange is denied: expiry plus grace. */
  readonly hardExpiryMs: number;
  readonly routes: ReadonlyMap<string, Route>;
  readonly evaluator: Evaluator;
  /** What is changed in the exchanges of one tenant's callers; undefined = nothing. */
  readonly transformFor: (tenant: TenantId, action: LeafAction) => CompiledTransform | undefined;
  /** Limits that count a tenant's calls of a leaf; of an unknown leaf those that apply to all. */
  readonly limitsFor: (tenant: TenantId, action: LeafAction | undefined) => readonly LimitEntry[];
  readonly sources: ReadonlyMap<PolicyId, PolicySource>;
  /** How long the release asks audit records to be kept. */
  readonly retention?: RetentionSection;
  /** Puts facts into decision records; absent where the release asks for none. */
  readonly facts?: DecisionFactsRecorder;
  readonly dispose: () => void;
}

/** The definition of a leaf as one era lists it. */
export function definitionFor(leaf: LeafEntry, era: Era): DefinitionEntry | undefined {
  return leaf.definitions.find((entry) => entry.eras.includes(era));
}
