// limits.yaml of each layer → limits.json. A tenant's limits count its own callers alone.
import { DEFAULT_TENANT, METHODS_OF_KIND, leafActionOf } from "#bundle";
import type { LeafAction, LimitEntry, LimitsSection, TenantId } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import { parseDurationMs } from "../documents/units.ts";
import type { AskGroup } from "../documents/shapes.ts";
import type { Layer } from "./layers.ts";
import type { NameIndex } from "./names.ts";
import type { LoweredRegistry } from "./registry.ts";

/** `<tenant>/<id>`: what a tenant calls its limit is no limit of another. */
function limitId(tenant: TenantId, id: string): string {
  return tenant === DEFAULT_TENANT ? id : `${tenant}/${id}`;
}

function tenantOf(tenant: TenantId): Pick<LimitEntry, "tenant"> {
  return tenant === DEFAULT_TENANT ? {} : { tenant };
}

/** A kind of ask, of every server that the layer may name. */
function askActions(kind: AskGroup, { servers }: LoweredRegistry): readonly LeafAction[] {
  return [...servers.keys()].flatMap((server) =>
    METHODS_OF_KIND[kind].map((method) => leafActionOf(method, server, "")),
  );
}

/** The limits of one layer; `names` resolves what the layer may name. */
export function lowerLimits(
  { documents, tenant, registry }: Layer,
  names: NameIndex,
  sink: DiagnosticSink,
): LimitsSection {
  const limits = new Map<string, LimitEntry>();
  for (const { source, shape } of documents.limits) {
    for (const [index, limit] of shape.limits.entries()) {
      if (limits.has(limit.id)) {
        sink.report(
          "DOCUMENT_DUPLICATE",
          source.at("limits", index, "id"),
          `two limits are named ${limit.id}`,
        );
        continue;
      }
      const windowMs = parseDurationMs(limit.window);
      if (windowMs === undefined) {
        sink.report("DURATION_INVALID", source.at("limits", index, "window"), "expected a duration, e.g. 1m");
        continue;
      }
      const actions = limit.tools?.flatMap((name, position) => {
        const leaf = names.resolve(
          "tools",
          name,
          undefined,
          source.at("limits", index, "tools", position),
          sink,
        );
        return leaf === undefined ? [] : [leaf.leaf.action];
      });
      const asked = limit.asks?.flatMap((kind) => askActions(kind, registry));
      const counted =
        actions === undefined && asked === undefined ? undefined : [...(actions ?? []), ...(asked ?? [])];
      limits.set(limit.id, {
        id: limitId(tenant, limit.id),
        ...tenantOf(tenant),
        ...(counted === undefined ? {} : { actions: [...new Set(counted)].sort() }),
        per: [...limit.per].sort(),
        limit: limit.limit,
        windowMs,
      });
    }
  }
  return { limits: [...limits.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}
