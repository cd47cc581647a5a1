// Exposure lists of two documents intersect: what one opens, another may close.
import { DEFAULT_TENANT } from "#bundle";
import { layerOf } from "../documents/layer.ts";
import type { CheckRule } from "./context.ts";

/** What one tenant closes is closed to its own callers; what the platform closes, to all. */
function isDecidedBy(file: string, closer: string): boolean {
  const { tenant } = layerOf(closer);
  return tenant === DEFAULT_TENANT || tenant === layerOf(file).tenant;
}

export const exposureConflict: CheckRule = {
  name: "exposure-conflict",
  run: ({ lowered, sink }) => {
    for (const { action, at, file, use } of lowered.uses) {
      if (use !== "expose" && use !== "grant") continue;
      const others = (lowered.closed.get(action) ?? []).filter(
        (other) => other !== file && isDecidedBy(file, other),
      );
      const [closer] = others;
      if (closer === undefined) continue;
      const help = `name it in ${closer} too, or give that document scope.principals`;
      sink.report(
        "EXPOSURE_CONFLICT",
        at,
        `${closer} exposes other targets of this server, which closes ${action}`,
        help,
      );
    }
  },
};
