// limits.yaml → limits.json.
import type { LimitEntry, LimitsSection } from "#bundle";
import type { DiagnosticSink } from "../diagnostics/index.ts";
import type { Documents } from "../documents/load.ts";
import { parseDurationMs } from "../documents/units.ts";
import type { NameIndex } from "./names.ts";

export function lowerLimits(documents: Documents, names: NameIndex, sink: DiagnosticSink): LimitsSection {
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
      limits.set(limit.id, {
        id: limit.id,
        ...(actions === undefined ? {} : { actions: [...new Set(actions)].sort() }),
        per: [...limit.per].sort(),
        limit: limit.limit,
        windowMs,
      });
    }
  }
  return { limits: [...limits.values()].sort((a, b) => (a.id < b.id ? -1 : 1)) };
}
