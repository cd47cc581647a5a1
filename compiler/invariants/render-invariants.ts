// Results of invariants as lines of text, for test reports and plans.
import { showHidden } from "../registry/index.ts";
import type { InvariantResult, InvariantWitness } from "../model/invariant.ts";

type Style = "bold" | "dim" | "green" | "red" | "yellow";
type Paint = (style: Style, text: string) => string;

const MAX_SHOWN = 3;
const MAX_ARGUMENTS_LENGTH = 240;

/** One line for each invariant, and under a violated one the calls that break it. */
export function invariantLines(results: readonly InvariantResult[], paint: Paint): readonly string[] {
  return results.flatMap((result) => {
    const name = showHidden(result.name);
    switch (result.status) {
      case "violated":
        return [`  ${paint("red", "✗")} ${name}`, ...violationLines(result)];
      case "unsearched":
        return [`  ${paint("yellow", "-")} ${name} ${paint("dim", `(${describeEvidence(result)})`)}`];
      default:
        return [`  ${paint("green", "✓")} ${name} ${paint("dim", `(${describeEvidence(result)})`)}`];
    }
  });
}

/** What stands behind the status: a proof, or how many calls were searched. */
export function describeEvidence({ status, calls, leaves, provedLeaves }: InvariantResult): string {
  const searched = `${calls} ${calls === 1 ? "call" : "calls"}`;
  switch (status) {
    case "proved":
      return `proved for ${leaves} ${leaves === 1 ? "definition" : "definitions"}`;
    case "unsearched":
      return "not checked: no known caller or call is one it is about";
    case "held":
    case "violated":
      return provedLeaves === 0
        ? `searched ${searched}; a search is no proof`
        : `proved for ${provedLeaves} of ${leaves} definitions, searched ${searched} on the others`;
  }
}

/** What breaks a violated invariant. */
export function violationLines(result: InvariantResult): readonly string[] {
  const { at, reason, expect, violations, calls, witnesses } = result;
  const more = witnesses.length - MAX_SHOWN;
  return [
    `    ${showHidden(at.file)}:${at.line}:${at.column}: ${violations} of ${calls} calls are not ${expect}`,
    ...(reason === undefined ? [] : [`      reason:   ${showHidden(reason)}`]),
    ...witnesses.slice(0, MAX_SHOWN).flatMap(witnessLines),
    ...(more <= 0 ? [] : [`      and ${more} more callers and definitions`]),
  ];
}

function witnessLines(witness: InvariantWitness): readonly string[] {
  const { caller, action, effect, code, policies, read } = witness;
  const args = JSON.stringify(witness.arguments);
  const short = args.length <= MAX_ARGUMENTS_LENGTH ? args : `${args.slice(0, MAX_ARGUMENTS_LENGTH)}…`;
  const facts = Object.entries(read).map(([name, value]) => `${name} = ${value}`);
  const decided = effect === "allow" ? "allowed" : `denied${code === undefined ? "" : `: ${code}`}`;
  const by = policies.map(({ id, file, line, column }) =>
    file === undefined ? id : `${id} (${file}:${line ?? 1}:${column ?? 1})`,
  );
  return [
    `      caller:   ${showHidden(caller)}`,
    `      call:     ${showHidden(`${action} ${short}${facts.length === 0 ? "" : ` with ${facts.join(", ")}`}`)}`,
    `      decided:  ${decided}${effect === "deny" && by.length === 0 && code === undefined ? ", as no policy permits it" : ""}`,
    ...by.map((policy) => `      by:       ${showHidden(policy)}`),
  ];
}

/** Invariants that do not hold. */
export function violated(results: readonly InvariantResult[]): readonly InvariantResult[] {
  return results.filter(({ status }) => status === "violated");
}
