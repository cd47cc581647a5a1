// `@id` names one policy in reviews and exports; two with one name cannot be told apart.
import type { ParsedPolicy } from "../cedar/index.ts";
import type { CheckRule } from "./context.ts";
import { lineOf, placeOf } from "./policy-place.ts";

export const duplicateId: CheckRule = {
  name: "duplicate-id",
  run: ({ parsed, sink }) => {
    const known = new Map<string, ParsedPolicy>();
    for (const policy of parsed.filter(({ authored }) => authored)) {
      const id = policy.est.annotations?.["id"];
      if (typeof id !== "string") continue;
      const key = `${policy.tenant}\n${id}`;
      const earlier = known.get(key);
      if (earlier === undefined) known.set(key, policy);
      else {
        const message = `@id(${JSON.stringify(id)}) is that of ${lineOf(earlier)}`;
        sink.report("POLICY_ID_DUPLICATE", placeOf(policy), message);
      }
    }
  },
};
