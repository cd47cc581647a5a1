// SQL judged by `like` or a prefix: the same false security as a regular expression, which CEDAR_REGEX_SQL reports.
import type { Slice } from "#bundle";
import { bodyOf, open, operand, pathOf, visitExprs } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import { DIAGNOSTIC_CODES } from "../diagnostics/index.ts";
import { sqlArguments } from "../lower/sql-arguments.ts";
import type { CheckRule } from "./context.ts";
import { placeOf } from "./policy-place.ts";

const SQL_KEYWORD = /\b(?:select|insert|update|delete|drop|alter|truncate|create|grant|merge)\b/iu;

export const sqlByText: CheckRule = {
  name: "sql-by-text",
  run: ({ parsed, policies, registry, sink }) => {
    const declared = sqlArguments(registry);
    const suspects = new Map(
      parsed.flatMap((policy) => {
        const names = argumentsLikeSql(policy);
        return names.size === 0 ? [] : [[policy.id, { policy, names }] as const];
      }),
    );
    if (suspects.size === 0) return;
    for (const slice of policies.slices) {
      const argument = declared.get(slice.action)?.argument;
      if (argument === undefined || isJudged(slice, argument)) continue;
      for (const { id } of slice.call) {
        const suspect = suspects.get(id);
        if (suspect?.names.has(argument) !== true) continue;
        const code = "CEDAR_REGEX_SQL";
        const message = `text that SQL begins with or contains is not a security boundary: "select 1; drop table t" begins with select`;
        sink.add({ code, severity: DIAGNOSTIC_CODES[code].severity, ...placeOf(suspect.policy), message });
      }
    }
  },
};

/** True where an SQL parser judges the argument as well. */
function isJudged({ derivations }: Slice, argument: string): boolean {
  return derivations.some(
    (derivation) =>
      (derivation.kind === "sql" || derivation.kind === "sqlNames") &&
      derivation.path.join("\n") === `arguments\n${argument}`,
  );
}

/** Names of top-level arguments that the policy compares with SQL by `like`. */
function argumentsLikeSql({ est }: ParsedPolicy): ReadonlySet<string> {
  const names = new Set<string>();
  visitExprs(est, (expr) => {
    if (open(expr)[0] !== "like") return;
    const body = bodyOf(expr);
    const [root, group, name, ...deeper] = pathOf(operand(body, "left")) ?? [];
    if (root !== "context" || group !== "arguments" || name === undefined || deeper.length > 0) return;
    if (SQL_KEYWORD.test(literalText(body["pattern"]))) names.add(name);
  });
  return names;
}

/** The pattern of a `like`, its wildcards as stars. */
function literalText(pattern: unknown): string {
  if (!Array.isArray(pattern)) return "";
  return (pattern as readonly unknown[])
    .map((element) =>
      element === "Wildcard" ? "*" : String((element as { readonly Literal?: unknown }).Literal ?? ""),
    )
    .join("");
}
