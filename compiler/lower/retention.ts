// retention.yaml → retention.json.
import { DEFAULT_TENANT } from "#bundle";
import type { FactsEntry, RetentionSection, TenantId } from "#bundle";
import type { DiagnosticSink, SourceSpan } from "../diagnostics/index.ts";
import type { Parsed } from "../documents/load.ts";
import type { RetentionShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import type { Layers } from "./layers.ts";

const MAX_DAYS = 3_650;

function daysOf(text: string, at: SourceSpan, sink: DiagnosticSink): number {
  const days = Number(text.slice(0, -1));
  if (days > MAX_DAYS) sink.report("DURATION_INVALID", at, "records can be kept for 1d to 3650d");
  return days;
}

type ByTenant<T> = (text: string, at: SourceSpan) => T;

/** What stands under `tenants` of one member, in order of tenant. */
function byTenant<T>(
  { source, shape }: Parsed<RetentionShape>,
  member: "facts" | "retention",
  known: readonly TenantId[],
  read: ByTenant<T>,
  sink: DiagnosticSink,
): Readonly<Record<TenantId, T>> {
  const entries = Object.entries<string>(shape[member]?.tenants ?? {}).map(([tenant, text]) => {
    const at = source.at(member, "tenants", tenant);
    if (!known.includes(tenant)) {
      const message = `the tenant ${JSON.stringify(tenant)} is not declared`;
      sink.report("TENANT_UNKNOWN", at, message, didYouMean(tenant, known));
    }
    return [tenant, read(text, at)] as const;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Undefined where the repository has no retention.yaml. */
export function lowerRetention(layers: Layers, sink: DiagnosticSink): RetentionSection | undefined {
  const document = layers.platform.documents.retention;
  if (document === undefined) return undefined;
  const { source, shape } = document;
  const { retention, facts } = shape;
  if (retention === undefined && facts === undefined)
    sink.report("DOCUMENT_INVALID", source.at(), 'the document has neither "retention" nor "facts"');
  const known = [DEFAULT_TENANT, ...layers.tenants.keys()];
  const general = retention?.default;
  const days: ByTenant<number> = (text, at) => daysOf(text, at, sink);
  return {
    ...(general === undefined ? {} : { defaultDays: days(general, source.at("retention", "default")) }),
    tenants: byTenant(document, "retention", known, days, sink),
    ...(facts === undefined
      ? {}
      : {
          facts: {
            ...(facts.default === undefined ? {} : { default: facts.default }),
            tenants: byTenant<FactsEntry["tenants"][string]>(
              document,
              "facts",
              known,
              (text) => text as FactsEntry["tenants"][string],
              sink,
            ),
          },
        }),
  };
}
