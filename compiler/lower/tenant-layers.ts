// Lowers each layer by itself and joins the results. A tenant's transforms come after the platform's, which every
// tenant has; its documents change results only, because a request is changed after it was decided.
import { DEFAULT_TENANT } from "#bundle";
import type {
  LeafAction,
  LimitsSection,
  PolicyId,
  TransformEntry,
  TransformOperation,
  TransformsSection,
} from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { startOf } from "../diagnostics/index.ts";
import type { TestSuite } from "../model/test-suite.ts";
import type { LoweredIdentity } from "./identity.ts";
import type { Layer, Layers } from "./layers.ts";
import { impliedPermit } from "./implied-permits.ts";
import { lowerLimits } from "./limits.ts";
import { NameIndex } from "./names.ts";
import { lowerPolicies } from "./policies.ts";
import type { LoweredPolicies } from "./policies.ts";
import type { ResourceRule } from "./resource-patterns.ts";
import { lowerSuites } from "./suites.ts";
import { lowerTransforms } from "./transforms.ts";

/** What the documents of all layers were lowered to. */
export interface LoweredLayers {
  readonly policies: LoweredPolicies;
  readonly limits: LimitsSection;
  readonly transforms: TransformsSection;
  readonly suites: readonly TestSuite[];
}

interface LoweredLayer extends LoweredLayers {
  readonly layer: Layer;
}

function lowerLayer(
  layer: Layer,
  tenants: Layers["tenants"],
  identity: LoweredIdentity,
  platformRules: readonly ResourceRule[],
  sink: DiagnosticSink,
): LoweredLayer {
  const { documents, registry, tenant } = layer;
  const names = new NameIndex(registry);
  const policies = lowerPolicies(documents, registry, names, sink, tenant);
  return {
    layer,
    policies,
    limits: lowerLimits(layer, names, sink),
    transforms: lowerTransforms(documents, registry, names, sink),
    suites: lowerSuites(layer, tenants, identity, [...platformRules, ...policies.rules], sink),
  };
}

/** Lowers every layer. Limits, transforms and suites are in a fixed order. */
export function lowerLayers(layers: Layers, identity: LoweredIdentity, sink: DiagnosticSink): LoweredLayers {
  const lowered: LoweredLayer[] = [];
  for (const layer of layers.all) {
    // The platform is the first layer.
    const platformRules = lowered[0]?.policies.rules ?? [];
    lowered.push(lowerLayer(layer, layers.tenants, identity, platformRules, sink));
  }
  return {
    policies: joinPolicies(lowered.map((item) => item.policies)),
    limits: { limits: lowered.flatMap((item) => item.limits.limits).sort((a, b) => compare(a.id, b.id)) },
    transforms: joinTransforms(lowered, sink),
    suites: lowered.flatMap((item) => item.suites),
  };
}

function joinPolicies(lowered: readonly LoweredPolicies[]): LoweredPolicies {
  const closed = new Map<LeafAction, readonly string[]>();
  for (const [action, files] of lowered.flatMap((item) => [...item.closed])) {
    closed.set(action, [...(closed.get(action) ?? []), ...files]);
  }
  return {
    generated: [impliedPermit(DEFAULT_TENANT), ...lowered.flatMap((item) => item.generated)],
    uses: lowered.flatMap((item) => item.uses),
    rules: lowered.flatMap((item) => item.rules),
    closed,
  };
}

/** One entry for each tenant and action that something is transformed for. */
function joinTransforms(lowered: readonly LoweredLayer[], sink: DiagnosticSink): TransformsSection {
  const [platform] = lowered;
  const general = entriesOf(platform);
  const transforms = lowered.flatMap((item): readonly TransformEntry[] => {
    const { tenant, registry } = item.layer;
    if (tenant === DEFAULT_TENANT) return [...general.values()];
    const own = entriesOf(item);
    refuseRequestTransforms([...own.values()], item.layer, sink);
    return [...new Set([...general.keys(), ...own.keys()])].flatMap((action) => {
      const entry = joined(general.get(action), own.get(action));
      return entry === undefined || !registry.leaves.has(action) ? [] : [{ ...entry, tenant }];
    });
  });
  return {
    transforms: transforms.sort((a, b) => compare(a.tenant, b.tenant) || compare(a.action, b.action)),
  };
}

function entriesOf(lowered: LoweredLayer | undefined): ReadonlyMap<LeafAction, TransformEntry> {
  return new Map((lowered?.transforms.transforms ?? []).map((entry) => [entry.action, entry]));
}

/** The platform's operations first: they see the values that the server sent. */
function joined(
  general: TransformEntry | undefined,
  own: TransformEntry | undefined,
): TransformEntry | undefined {
  if (general === undefined || own === undefined) return general ?? own;
  const publicNames = new Set([...(general.publicNames ?? []), ...(own.publicNames ?? [])]);
  return {
    ...general,
    request: [...general.request, ...own.request],
    response: [...general.response, ...own.response],
    publicNames: [...publicNames].sort(),
  };
}

function refuseRequestTransforms(
  entries: readonly TransformEntry[],
  { documents, tenant }: Layer,
  sink: DiagnosticSink,
): void {
  const places = new Map(documents.policies.map((item) => [item.source.file, item.source]));
  for (const { policy } of entries.flatMap((entry): readonly TransformOperation[] => entry.request)) {
    const { file, path } = placeOf(policy);
    const at = places.get(file)?.at(...path) ?? startOf(file);
    const message = `a document of ${tenant} changes a request after the policies decided it`;
    const help = "a tenant transforms results ($.response…); only the platform transforms requests";
    sink.report("TENANT_ESCAPE", at, message, help);
  }
}

/** The line of a document that a policy id stands for: the inverse of `policyIdOf`. */
function placeOf(policy: PolicyId): { readonly file: string; readonly path: readonly (string | number)[] } {
  const hash = policy.lastIndexOf("#");
  const parts = policy
    .slice(hash + 1)
    .split("/")
    .slice(1);
  const path = parts.map((part) => {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    return /^\d+$/u.test(name) ? Number(name) : name;
  });
  return { file: policy.slice(0, hash), path };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
