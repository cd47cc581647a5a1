// retention.yaml → retention.json.
import { DEFAULT_TENANT } from "#bundle";
import type { RetentionSection, TenantId } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { Layers } from "./layers.ts";

const MAX_DAYS = 3_650;

function daysOf(text: string, at: SourceSpan, sink: DiagnosticSink): number {
  const days = Number(text.slice(0, -1));
  if (days > MAX_DAYS) sink.report("DURATION_INVALID", at, "records can be kept for 1d to 3650d");
  return days;
}

/** Undefined where the repository has no retention.yaml. */
export function lowerRetention(layers: Layers, sink: DiagnosticSink): RetentionSection | undefined {
  const document = layers.platform.documents.retention;
  if (document === undefined) return undefined;
  const { source, shape } = document;
  const { default: general, tenants = {} } = shape.retention;
  const known = [DEFAULT_TENANT, ...layers.tenants.keys()];
  const days: [TenantId, number][] = [];
  for (const [tenant, text] of Object.entries(tenants)) {
    const at = source.at("retention", "tenants", tenant);
    if (!known.includes(tenant)) {
      const message = `the tenant ${JSON.stringify(tenant)} is not declared`;
      sink.report("TENANT_UNKNOWN", at, message, didYouMean(tenant, known));
    }
    days.push([tenant, daysOf(text, at, sink)]);
  }
  return {
    ...(general === undefined
      ? {}
      : { defaultDays: daysOf(general, source.at("retention", "default"), sink) }),
    tenants: Object.fromEntries(days.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
