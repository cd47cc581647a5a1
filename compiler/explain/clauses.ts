// Takes the conditions of a compiled policy apart into the terms an author thinks in.
import type { Derivation } from "#bundle";
import type { CedarInstance } from "#pdp";
import { ALL } from "../cedar/est.ts";
import type { Clause, Expr, PolicyEst } from "../cedar/est.ts";
import { conditionTerms, contextPath } from "../cedar/terms.ts";
import type { ExplainedClause } from "./explanation.ts";

/** A clause with the expressions of its terms, in order of evaluation. */
export interface ClauseParts {
  readonly kind: ExplainedClause["kind"];
  readonly combine: ExplainedClause["combine"];
  /** The policy that is satisfied exactly where the term is true. */
  readonly probes: readonly PolicyEst[];
  readonly texts: readonly string[];
}

/** The parts of a policy: its principal scope where it has one, then its conditions. */
export function clausesOf(
  policy: PolicyEst,
  derivations: readonly Derivation[],
  cedar: Pick<CedarInstance, "policyToText">,
): readonly ClauseParts[] {
  const scope: readonly ClauseParts[] =
    policy.principal["op"] === "All"
      ? []
      : [
          {
            kind: "scope",
            combine: "all",
            probes: [probe({ ...policy, conditions: [] })],
            texts: [scopeText(policy, cedar)],
          },
        ];
  return [...scope, ...policy.conditions.map((clause) => partsOf(clause, derivations, cedar))];
}

function partsOf(
  clause: Clause,
  derivations: readonly Derivation[],
  cedar: Pick<CedarInstance, "policyToText">,
): ClauseParts {
  const { combine, terms } = conditionTerms(clause, derivations);
  return {
    kind: clause.kind,
    combine,
    probes: terms.map(({ expr }) => termProbe(expr)),
    texts: terms.map(({ expr, text }) => text ?? termText(expr, derivations, cedar)),
  };
}

function probe(policy: PolicyEst): PolicyEst {
  // A satisfied forbid is named whatever else holds, so that one decision answers for all probes.
  return {
    effect: "forbid",
    principal: policy.principal,
    action: ALL,
    resource: ALL,
    conditions: policy.conditions,
  };
}

/** The policy alone, satisfied exactly where it applies. */
export function wholeProbe(policy: PolicyEst): PolicyEst {
  return probe(policy);
}

function termProbe(expr: Expr): PolicyEst {
  return {
    effect: "forbid",
    principal: ALL,
    action: ALL,
    resource: ALL,
    conditions: [{ kind: "when", body: expr }],
  };
}

function textOf(policy: PolicyEst, cedar: Pick<CedarInstance, "policyToText">): string | undefined {
  try {
    const answer = cedar.policyToText(policy as never);
    return answer.type === "success" ? answer.text : undefined;
  } catch {
    return undefined;
  }
}

function termText(
  expr: Expr,
  derivations: readonly Derivation[],
  cedar: Pick<CedarInstance, "policyToText">,
): string {
  const text = textOf(termProbe(expr), cedar);
  const body = text === undefined ? undefined : /\bwhen \{([\s\S]*)\};?\s*$/u.exec(text)?.[1]?.trim();
  const plain = body === undefined ? JSON.stringify(expr) : withoutOuterParentheses(body);
  return derivations.reduce(withMethod, plain);
}

/** A derived fact as the method that asks for it, also where it is written as both branches of its guard. */
function withMethod(text: string, derivation: Derivation): string {
  if (derivation.kind === "matches") return text;
  const fact = `context\\._d\\.${derivation.name}`;
  const guarded = new RegExp(
    `\\(?if (?:(?!\\bif\\b|\\bthen\\b)[^])*? then \\(?${fact}\\)? else \\(?${fact}\\b\\)?\\)?`,
    "gu",
  );
  const call = `${contextPath(derivation.path)}.${methodOf(derivation)}`;
  return text.replaceAll(guarded, () => call).replaceAll(`context._d.${derivation.name}`, () => call);
}

function methodOf(derivation: Exclude<Derivation, { readonly kind: "matches" }>): string {
  switch (derivation.kind) {
    case "every":
      return `every(${derivation.part} matches ${JSON.stringify(derivation.pattern)})`;
    case "range":
      return derivation.of === "length" ? "rangeOfLengths()" : "range()";
    case "sqlNames":
      return `sql().${derivation.member}.allIn(${JSON.stringify(derivation.patterns)})`;
    default:
      return `${derivation.kind}()`;
  }
}

function scopeText(policy: PolicyEst, cedar: Pick<CedarInstance, "policyToText">): string {
  const text = textOf({ ...probe(policy), conditions: [] }, cedar);
  const scope = text === undefined ? undefined : /\(([\s\S]*?), action, resource\)/u.exec(text)?.[1];
  return scope?.trim() ?? JSON.stringify(policy.principal);
}

/** `(a == b)` as `a == b`, where the first parenthesis closes at the end. */
function withoutOuterParentheses(text: string): string {
  if (!text.startsWith("(") || !text.endsWith(")")) return text;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index += 1;
      else if (character === '"') inString = false;
      continue;
    }
    if (character === '"') inString = true;
    else if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    if (depth === 0 && index < text.length - 1) return text;
  }
  return text.slice(1, -1);
}
