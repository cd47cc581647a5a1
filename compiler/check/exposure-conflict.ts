// Exposure lists of two documents intersect: what one opens, another may close.
import type { CheckRule } from "./context.ts";

export const exposureConflict: CheckRule = {
  name: "exposure-conflict",
  run: ({ lowered, sink }) => {
    for (const { action, at, file, use } of lowered.uses) {
      if (use !== "expose" && use !== "grant") continue;
      const others = (lowered.closed.get(action) ?? []).filter((other) => other !== file);
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
