// One document that both allows and denies a target contradicts itself.
import type { CheckRule } from "./context.ts";

export const grantDenied: CheckRule = {
  name: "grant-denied",
  run: ({ lowered, sink }) => {
    const denied = new Set(
      lowered.uses.filter((item) => item.use === "deny").map((item) => `${item.file} ${item.action}`),
    );
    for (const { file, action, at, use } of lowered.uses) {
      if ((use !== "grant" && use !== "expose") || !denied.has(`${file} ${action}`)) continue;
      sink.report(
        "GRANT_DENIED",
        at,
        `this document also denies ${action}`,
        "deny wins; remove one of the two",
      );
    }
  },
};
