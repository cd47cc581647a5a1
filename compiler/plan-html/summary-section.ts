// The top of the page: the verdict in one sentence, how much changes, and what is compared.
import { nothingFound, plural, violated } from "#plan";
import type { Plan } from "#plan";
import { markup, name } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { KIND_SIGNS } from "./signs.ts";
import type { Sign, Tone } from "./signs.ts";

interface Verdict {
  readonly sign: string;
  readonly tone: Tone;
  readonly sentence: string;
  readonly detail: string;
}

/** What the plan comes to. A violated gate or invariant comes before any change. */
export function verdictOf(plan: Plan): Verdict {
  const { newlyAllowed, newlyDenied } = plan.summary;
  const broken = brokenThings(plan);
  const changes = changeSentence(plan);
  if (broken !== "") {
    return { sign: "✗", tone: "bad", sentence: `Blocked: ${broken}.`, detail: changes };
  }
  const detail =
    newlyAllowed + newlyDenied === 0 && plan.base.digest !== plan.head.digest
      ? "That is a search, not a proof: a call that was not tried may be decided differently."
      : gatesPassed(plan);
  if (newlyAllowed > 0 && newlyDenied > 0) return { sign: "±", tone: "both", sentence: changes, detail };
  if (newlyAllowed > 0) return { sign: "+", tone: "allowed", sentence: changes, detail };
  if (newlyDenied > 0) return { sign: "−", tone: "denied", sentence: changes, detail };
  if (plan.changes.length > 0) return { sign: "~", tone: "reasons", sentence: changes, detail };
  return { sign: "=", tone: "good", sentence: changes, detail };
}

function brokenThings(plan: Plan): string {
  const gates = (plan.gates ?? []).filter(({ result }) => result === "violated").length;
  const invariants = violated(plan.invariants ?? []).length;
  const parts = [
    ...(gates === 0 ? [] : [plural(gates, "gate")]),
    ...(invariants === 0 ? [] : [plural(invariants, "invariant")]),
  ];
  if (parts.length === 0) return "";
  return `${parts.join(" and ")} ${gates + invariants === 1 ? "is" : "are"} violated`;
}

function changeSentence(plan: Plan): string {
  const { newlyAllowed, newlyDenied, transformsChanged, structural, reasonsChanged } = plan.summary;
  const pairs = (amount: number, verb: string): string =>
    `${plural(amount, "pair")} of caller and definition ${amount === 1 ? "is" : "are"} newly ${verb}`;
  const parts = [
    ...(newlyAllowed === 0 ? [] : [pairs(newlyAllowed, "allowed")]),
    ...(newlyDenied === 0
      ? []
      : [newlyAllowed === 0 ? pairs(newlyDenied, "denied") : `${newlyDenied} newly denied`]),
  ];
  if (parts.length > 0) return `${parts.join(", ")}.`;
  if (plan.base.digest === plan.head.digest) return nothingFound(plan);
  const others = transformsChanged + structural;
  if (others > 0) return `No decision was found to change; ${plural(others, "other change")}.`;
  if (reasonsChanged > 0) return "No decision was found to change; some are made by other policies.";
  return "No change was found.";
}

function gatesPassed(plan: Plan): string {
  const gates = plan.gates?.length ?? 0;
  const invariants = plan.invariants?.length ?? 0;
  const parts = [
    ...(gates === 0 ? [] : [plural(gates, "gate")]),
    ...(invariants === 0 ? [] : [plural(invariants, "invariant")]),
  ];
  if (parts.length === 0) return "Neither gates nor invariants are set for this repository.";
  return `${parts.join(" and ")}, none violated.`;
}

/** The verdict and the tiles. */
export function summarySection(plan: Plan): Markup {
  const { sign, tone, sentence, detail } = verdictOf(plan);
  return markup`<div class="verdict t-${tone}">
      <span class="sign" aria-hidden="true">${sign}</span>
      <p>${sentence}</p>
      <p>${detail}</p>
    </div>
    <ul class="tiles">
      ${tilesOf(plan)}
    </ul>`;
}

function tilesOf(plan: Plan): Content {
  const { newlyAllowed, newlyDenied, reasonsChanged, transformsChanged, structural } = plan.summary;
  const shape = (sign: string, tone: Tone): Sign => ({ sign, tone, word: "" });
  return [
    tile(KIND_SIGNS["newly-allowed"], newlyAllowed, "newly allowed", "newly-allowed"),
    tile(KIND_SIGNS["newly-denied"], newlyDenied, "newly denied", "newly-denied"),
    tile(KIND_SIGNS["reasons-changed"], reasonsChanged, "decided by other policies", "reasons-changed"),
    tile(shape("⟳", "both"), transformsChanged, "transforms changed", "structure"),
    tile(shape("△", "warn"), structural, "other changes", "structure"),
  ];
}

function tile(sign: Sign, amount: number, words: string, target: string): Markup {
  const inner = markup`<span class="mark t-${sign.tone}" aria-hidden="true">${sign.sign}</span> <b>${amount}</b>
    <span>${words}</span>`;
  if (amount === 0) return markup`<li><div class="tile zero">${inner}</div></li>`;
  return markup`<li><a class="tile t-${sign.tone}" href="#${target}">${inner}</a></li>`;
}

/** Base and head: references as given, and the beginnings of the digests. */
export function sidesOf({ base, head }: Plan): Markup {
  const ref = base.ref === "" ? markup`base` : markup`base ${name(base.ref, 120)}`;
  return markup`<p class="sides">
    ${ref} <code title="${base.digest}">${base.digest.slice(0, 12)}</code> → head
    <code title="${head.digest}">${head.digest.slice(0, 12)}</code>
  </p>`;
}
