// A permit without any condition, for everyone and everything: every later restriction has to remember to forbid.
import type { ParsedPolicy } from "../cedar/index.ts";
import { isAlwaysTrue } from "./condition-truth.ts";
import type { CheckRule } from "./context.ts";
import { placeOf } from "./policy-place.ts";

/** Methods by which a client reaches what servers offer. */
const REACHING_METHODS: readonly string[] = ["prompts/get", "resources/read", "tools/call"];

export const permitEverything: CheckRule = {
  name: "permit-everything",
  run: ({ parsed, sink }) => {
    for (const policy of parsed) {
      const what = policy.authored && policy.est.effect === "permit" ? everything(policy) : undefined;
      if (what === undefined) continue;
      const message = `every authenticated caller may ${what}`;
      sink.report("PERMIT_EVERYTHING", placeOf(policy), message);
    }
  },
};

/** What a policy permits to everyone, where that is too much to be meant. */
function everything({ est, scoped }: ParsedPolicy): string | undefined {
  const { op, in: group } = est.principal;
  const isForAll = op === "All" || (op === "is" && group === undefined);
  if (!isForAll || !est.conditions.every(isAlwaysTrue)) return undefined;
  const { actions, servers } = scoped;
  if (actions === undefined) {
    return servers === undefined ? "do everything on every server" : `do everything on ${list(servers)}`;
  }
  const methods = REACHING_METHODS.filter((method) => actions.has(method));
  return servers === undefined && methods.length > 0
    ? `use ${methods.join(", ")} on every server`
    : undefined;
}

function list(names: ReadonlySet<string>): string {
  return [...names].sort().join(", ");
}
