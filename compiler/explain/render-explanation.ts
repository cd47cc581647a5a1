// An explanation for people and for machines.
import { DEFAULT_TENANT } from "#bundle";
import { REQUEST_MEMBERS } from "#pdp";
import type { JsonObject, JsonValue } from "#std";
import type { ExplainedClause, ExplainedPolicy, Explanation, Outcome } from "./explanation.ts";

export const EXPLANATION_FORMAT_VERSION = 1;

export interface ExplainTextOptions {
  readonly color: boolean;
  /** Makes text safe for a terminal. */
  readonly printable: (text: string) => string;
}

type Style = "bold" | "dim" | "green" | "red" | "yellow";
const STYLE_CODES: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

interface Pen {
  readonly paint: (style: Style, text: string) => string;
  readonly safe: (text: string) => string;
}

function penOf(options: ExplainTextOptions): Pen {
  return {
    paint: (style, text) => (options.color ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text),
    safe: options.printable,
  };
}

/** The explanation as lines of text, ending with a newline. */
export function renderExplanationText(explanation: Explanation, options: ExplainTextOptions): string {
  const pen = penOf(options);
  const sections = [
    decisionLines(explanation, pen),
    policyLines(explanation, pen),
    factLines(explanation, pen),
    transformLines(explanation, pen),
    whyNotLines(explanation, pen),
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function decisionLines(explanation: Explanation, pen: Pen): readonly string[] {
  const { decision, call, principal } = explanation;
  const verdict = decision === "allow" ? pen.paint("green", "ALLOW") : pen.paint("red", "DENY");
  const lines = [
    `${pen.paint("bold", verdict)}  ${pen.safe(call.action)}`,
    `  caller     ${pen.safe(callerText(principal))}`,
    `  arguments  ${pen.safe(JSON.stringify(call.arguments))}`,
  ];
  return [...lines, ...becauseLines(explanation, pen), ...shadowLines(explanation, pen)];
}

/** What would change were the policies in shadow mode enforced. */
function shadowLines({ shadow, policies, decision }: Explanation, pen: Pen): readonly string[] {
  if (shadow === undefined) return [];
  const verdict = shadow.decision === decision ? "the same" : shadow.decision.toUpperCase();
  const ids = new Set([...shadow.reasons, ...shadow.errors.map(({ policy }) => policy)]);
  const named = [...ids].map((id) => `${id}${place(policies.find((policy) => policy.id === id))}`);
  const by = named.length === 0 ? "" : `, by ${named.join(", ")}`;
  const errors = shadow.errors.map(({ policy, message }) =>
    pen.safe(`             ${policy} cannot be evaluated: ${message}; that would deny`),
  );
  return [pen.safe(`  in shadow  ${verdict}${by}`), ...errors];
}

function callerText(principal: JsonObject): string {
  const { type, id, tenant, roles, groups, attributes } = principal as {
    readonly type: string;
    readonly tenant: string;
    readonly id: string;
    readonly roles: readonly string[];
    readonly groups: readonly string[];
    readonly attributes: JsonObject;
  };
  const parts = [
    ...(type === "Agent" ? ["agent"] : []),
    ...(tenant === DEFAULT_TENANT ? [] : [`tenant ${tenant}`]),
    roles.length === 0 ? "no roles" : `roles ${roles.join(", ")}`,
    ...(groups.length === 0 ? [] : [`groups ${groups.join(", ")}`]),
    ...Object.entries(attributes).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
  ];
  return `${id} (${parts.join("; ")})`;
}

function becauseLines(explanation: Explanation, pen: Pen): readonly string[] {
  const { refusal, errors, reasons, policies } = explanation;
  if (refusal !== undefined) return [`  because    ${pen.safe(refusalText(refusal))}`];
  if (errors.length > 0) {
    return errors.map(({ policy, message }) =>
      pen.safe(`  because    ${policy} cannot be evaluated: ${message}; that denies`),
    );
  }
  if (reasons.length === 0) return ["  because    no permit applies to it"];
  return reasons.map((id, index) => {
    const policy = policies.find((candidate) => candidate.id === id);
    const verb = explanation.decision === "allow" ? "permitted by" : "forbidden by";
    const label = index === 0 ? "because" : "and";
    const stated = policy?.reason === undefined ? "" : `: ${policy.reason}`;
    return pen.safe(`  ${label.padEnd(9)}  ${verb} ${id}${place(policy)}${stated}`);
  });
}

function refusalText({ code, detail }: { readonly code: string; readonly detail: string }): string {
  switch (code) {
    case "ARGUMENTS_INVALID":
      return `the pinned schema refuses the arguments: ${detail}`;
    case "ARGUMENTS_NOT_REPRESENTABLE":
      return `the arguments cannot be represented for the policies: ${detail}`;
    case "PRINCIPAL_ATTRIBUTE_MISSING":
      return `the caller has no value for ${detail}, which identity.yaml requires`;
    default:
      return `${code}: ${detail}`;
  }
}

function place(policy: ExplainedPolicy | undefined): string {
  return policy?.at === undefined ? "" : ` (${policy.at.file}:${policy.at.line}:${policy.at.column})`;
}

function policyLines(explanation: Explanation, pen: Pen): readonly string[] {
  const { policies, otherPolicies, refusal } = explanation;
  if (refusal !== undefined) return [pen.paint("dim", "The policies are not asked.")];
  const others =
    otherPolicies > 0 ? pen.paint("dim", `  (${otherPolicies} more cannot apply to this call)`) : "";
  const title = `${pen.paint("bold", "Policies")}${others}`;
  if (policies.length === 0) return [title, "  none applies: nothing permits this call"];
  return [title, ...policies.flatMap((policy) => onePolicy(policy, pen))];
}

/** The policies with their clauses and terms, as lines of text. */
export function renderPolicies(policies: readonly ExplainedPolicy[], options: ExplainTextOptions): string {
  const pen = penOf(options);
  return policies
    .flatMap((policy) => onePolicy(policy, pen))
    .map((line) => `${line}\n`)
    .join("");
}

const POLICY_STYLE = {
  satisfied: "green",
  "not-satisfied": "dim",
  error: "red",
  unknown: "yellow",
} as const;

function onePolicy(policy: ExplainedPolicy, pen: Pen): readonly string[] {
  const outcome = policy.outcome === "not-satisfied" ? "does not apply" : policyOutcome(policy);
  const style =
    policy.outcome === "satisfied" && policy.effect === "forbid" ? "red" : POLICY_STYLE[policy.outcome];
  const mode = policy.mode === "shadow" ? pen.paint("yellow", "  [shadow, not enforced]") : "";
  const head = `  ${policy.effect.padEnd(6)} ${pen.safe(policy.id)}${pen.paint("dim", place(policy))}${mode}`;
  return [
    `${head}  ${pen.paint(style, outcome)}`,
    ...policy.clauses.flatMap((clause) => clauseLines(clause, pen)),
  ];
}

function policyOutcome(policy: ExplainedPolicy): string {
  if (policy.outcome === "unknown") return "unknown: it reads what the record does not hold";
  return policy.outcome === "error" ? `error: ${policy.error ?? "cannot be evaluated"}` : "applies";
}

const OUTCOME_TEXT: Readonly<Record<Outcome, string>> = {
  true: "true",
  false: "false",
  error: "error",
  unknown: "unknown",
  "not-reached": "not reached",
};

const OUTCOME_STYLE: Readonly<Record<Outcome, Style>> = {
  true: "green",
  false: "yellow",
  error: "red",
  unknown: "yellow",
  "not-reached": "dim",
};

function clauseLines(clause: ExplainedClause, pen: Pen): readonly string[] {
  const joiner = clause.combine === "any" ? "or" : "and";
  const word = clause.kind === "scope" ? "who" : clause.kind;
  return clause.terms.map(({ text, outcome }, index) => {
    const label = (index === 0 ? word : joiner).padStart(10);
    const value = pen.paint(OUTCOME_STYLE[outcome], OUTCOME_TEXT[outcome].padEnd(11));
    return `  ${label}  ${value}  ${pen.safe(text)}`;
  });
}

function factLines(explanation: Explanation, pen: Pen): readonly string[] {
  const { context, facts } = explanation;
  if (context === undefined) return [];
  const projected = cedarText(context["arguments"] ?? {});
  const extra = context["extra"];
  return [
    pen.paint("bold", "Facts the policies read"),
    pen.safe(`  context.arguments = ${projected}`),
    ...(Array.isArray(extra) && extra.length > 0
      ? [
          pen.safe(
            `  context.extra = ${JSON.stringify(extra)} (arguments that the pinned schema does not describe)`,
          ),
        ]
      : []),
    ...REQUEST_MEMBERS.flatMap((name) => {
      const value = context[name];
      return value === undefined ? [] : [pen.safe(`  context.${name} = ${cedarText(value)}`)];
    }),
    ...facts.map(({ name, path, what, value }) =>
      pen.safe(`  ${path} ${what} → ${JSON.stringify(value)}  [${name}]`),
    ),
  ];
}

/** A projected value; extension values as Cedar writes them. */
function cedarText(value: JsonValue): string {
  const extension = /\{"__extn":\{"fn":"(\w+)","arg":("[^"]*")\}\}/gu;
  return JSON.stringify(value).replace(extension, "$1($2)");
}

function transformLines(explanation: Explanation, pen: Pen): readonly string[] {
  const { transforms, decision } = explanation;
  if (transforms.length === 0) return [];
  const title = decision === "allow" ? "Transforms" : "Transforms, were it allowed";
  return [
    pen.paint("bold", title),
    ...transforms.map(({ direction, verb, detail, paths, policy }) =>
      pen.safe(
        `  ${direction}: ${verb} ${paths.join(", ")}${detail === undefined ? "" : ` ${detail}`}  (${policy})`,
      ),
    ),
  ];
}

/** The fewest facts that would turn the decision. */
function whyNotLines({ whyNot, decision }: Explanation, pen: Pen): readonly string[] {
  if (whyNot === undefined) return [];
  const { wanted, answers, hasMore, facts, blockedBy, exhaustedFacts, decisions } = whyNot;
  const title = pen.paint("bold", decision === "deny" ? "What would allow it" : "What would deny it");
  if (blockedBy.length > 0)
    return [title, pen.safe(`  nothing: ${blockedBy.join(", ")} forbids it whatever the facts are`)];
  const searched = `${decisions.toLocaleString("en")} calls were decided to find this`;
  if (answers.length === 0) {
    const tried =
      facts.length === 0
        ? "no fact that the policies read could make a difference"
        : `nothing: no change of ${exhaustedFacts === 1 ? "one" : `up to ${String(exhaustedFacts)}`} of ${facts.join(", ")}`;
    return [title, pen.safe(`  ${tried}`), pen.paint("dim", `  (${searched})`)];
  }
  const count = answers[0]?.changes.length ?? 0;
  const least =
    count === 1
      ? "one fact"
      : `${String(count)} facts at once; fewer ${exhaustedFacts >= count - 1 ? "do not" : "were not found"}`;
  const lines = answers.flatMap(({ changes, reasons }, index) => [
    ...changes.map(({ fact, from, to }, place) => {
      const word = place > 0 ? "and" : index > 0 ? "or" : "";
      return pen.safe(`  ${word.padStart(4)}  ${fact}: ${from} → ${to}`);
    }),
    pen.paint("dim", pen.safe(`        ${verbOf(wanted, reasons)}`)),
  ]);
  return [
    `${title}${pen.paint("dim", `  (${least})`)}`,
    ...lines,
    ...(hasMore ? ["    or  other facts, as many at once"] : []),
    pen.paint("dim", `  (${searched})`),
  ];
}

function verbOf(wanted: "allow" | "deny", reasons: readonly string[]): string {
  if (reasons.length === 0) return "no permit would apply";
  return `${wanted === "allow" ? "permitted" : "forbidden"} by ${reasons.join(", ")}`;
}

/** One JSON document with a `formatVersion`. */
export function renderExplanationJson(explanation: Explanation): string {
  return `${JSON.stringify({ formatVersion: EXPLANATION_FORMAT_VERSION, ...explanation }, null, 2)}\n`;
}
