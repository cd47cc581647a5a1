// A limit on what nobody may call counts nothing.
import type { CheckRule } from "./context.ts";
import { grantedActions } from "./not-granted.ts";

export const unusedLimit: CheckRule = {
  name: "unused-limit",
  run: (context) => {
    const granted = grantedActions(context, true);
    if (![...context.registry.leaves.keys()].some((action) => granted.has(action))) return;
    const names = new Set(
      [...context.registry.leaves.values()]
        .filter(({ leaf }) => leaf.kind === "tool" && granted.has(leaf.action))
        .flatMap(({ leaf, server }) => [leaf.name, `${server.entry.id}/${leaf.name}`]),
    );
    for (const { shape, source } of context.documents.limits) {
      for (const [index, { id, tools, asks }] of shape.limits.entries()) {
        if (asks !== undefined || tools === undefined || tools.some((name) => names.has(name))) continue;
        const message = `nobody is granted what the limit ${id} counts`;
        context.sink.report("LIMIT_UNUSED", source.at("limits", index, "tools"), message);
      }
    }
  },
};
