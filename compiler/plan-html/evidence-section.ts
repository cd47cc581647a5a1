// What stands behind the plan: the search, the replay of an audit log, and a solver.
import { PROVED_SCOPE, isAllProved, plural, searchLine } from "#plan";
import type { DecisionEvidence, Plan, PlanReplay, PlanSymbolic } from "#plan";
import { markup, visible } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { memberName } from "./values.ts";

const MAX_LINES = 200;

const EVIDENCE: readonly (readonly [DecisionEvidence | "structural", string, string])[] = [
  ["matrix", "searched", "Calls made up from both versions, decided by both. Finding none is not a proof."],
  [
    "replay",
    "recorded",
    "Calls of an audit log, decided again by both. Facts that the log lacks are never guessed.",
  ],
  ["symbolic", "solver", "Found by a solver, and then decided by both."],
  ["structural", "structural", "Read off both versions: true whoever calls."],
];

/** Always there: a plan says how it was made. */
export function searchSection(plan: Plan): Markup {
  const { principals, leaves, identicalLeaves, calls, decisions, truncated } = plan.searched;
  const kinds = EVIDENCE.map(([evidence, word, meaning]) => {
    const rows = plan.changes.filter((change) => change.evidence === evidence).length;
    return markup`<tr>
      <th scope="row">${word}</th>
      <td>${plural(rows, "row")}</td>
      <td>${meaning}</td>
    </tr>`;
  });
  return markup`<section id="search" aria-labelledby="search-h">
    <h2 id="search-h">What was searched</h2>
    <p class="lead">${visible(searchLine(plan))}</p>
    <div class="card">
      <div class="bars">
        ${[
          number(calls, "calls on each side"),
          number(decisions, "decisions"),
          number(principals, "callers"),
          number(leaves, "definitions searched"),
          number(identicalLeaves, "definitions left out, as all that decides them is equal"),
        ]}
      </div>
    </div>
    ${truncated && markup`<p class="note"><b>Cut short:</b> some definitions have more combinations of values than were tried.</p>`}
    <div class="scroll">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">evidence</th>
            <th scope="col">in this plan</th>
            <th scope="col">what it means</th>
          </tr>
        </thead>
        <tbody>
          ${kinds}
        </tbody>
      </table>
    </div>
  </section>`;
}

function number(amount: number, words: string): Markup {
  return markup`<div><b>${grouped(amount)}</b><span>${words}</span></div>`;
}

/** Digits in groups of three, whatever the locale. */
function grouped(amount: number): string {
  return String(amount).replace(/\B(?=(?:\d{3})+$)/gu, ",");
}

/** What replaying came to; a sentence where no log was given. */
export function replaySection({ replay }: Plan): Markup {
  return markup`<section id="replay" aria-labelledby="replay-h">
    <h2 id="replay-h">Replay of recorded calls</h2>
    ${
      replay === undefined
        ? markup`<p class="lead">No audit log was replayed for this plan.</p>`
        : replayBlock(replay)
    }
  </section>`;
}

function replayBlock(replay: PlanReplay): Content {
  const { records, unchanged, changed, indeterminate, skipped, missingFacts, from, to } = replay;
  const missing = missingFacts.slice(0, MAX_LINES);
  return [
    markup`<p class="lead">
      ${plural(records, "decision record")}${from !== undefined && to !== undefined && markup`, ${visible(from)} to ${visible(to)}`},
      decided again by both sides.
    </p>`,
    markup`<div class="card">
      <div class="bars">
        ${[
          number(changed, "decided differently"),
          number(unchanged, "decided alike"),
          number(indeterminate, "indeterminate: the record lacks a fact that a side reads"),
          number(skipped, "skipped: refused before any policy, or without a definition"),
        ]}
      </div>
    </div>`,
    missing.length > 0 &&
      markup`<details class="item">
        <summary>
          <div class="what"><span class="title">Facts that were missing</span></div>
        </summary>
        <div class="inside">
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">fact</th>
                <th scope="col">records</th>
              </tr>
            </thead>
            <tbody>
              ${missing.map(
                ({ fact, records: amount }) =>
                  markup`<tr>
                    <th scope="row">${memberName(fact)}</th>
                    <td>${amount}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>`,
  ];
}

/** What a solver says; a sentence where none was asked. */
export function symbolicSection({ symbolic }: Plan): Markup {
  return markup`<section id="symbolic" aria-labelledby="symbolic-h">
    <h2 id="symbolic-h">Proof of no new permits</h2>
    ${
      symbolic === undefined
        ? markup`<p class="lead">No solver was asked for this plan.</p>`
        : symbolicBlock(symbolic)
    }
  </section>`;
}

function symbolicBlock(symbolic: PlanSymbolic): Content {
  const { asked, proved, found, notAnalysed } = symbolic;
  const lines = notAnalysed.slice(0, MAX_LINES);
  const verdict = symbolicVerdict(symbolic);
  return [
    markup`<p class="lead">${verdict}</p>`,
    markup`<div class="card">
      <div class="bars">
        ${[
          number(asked, "pairs of principal type and definition asked"),
          number(proved, "proved without new permits"),
          number(found, "newly allowed, with a call"),
          number(notAnalysed.length, "not analysed"),
        ]}
      </div>
    </div>`,
    lines.length > 0 &&
      markup`<details class="item">
        <summary>
          <div class="what"><span class="title">Not analysed</span></div>
        </summary>
        <div class="inside">
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">definition</th>
                <th scope="col">why</th>
              </tr>
            </thead>
            <tbody>
              ${lines.map(
                ({ action, reason }) =>
                  markup`<tr>
                    <th scope="row"><code>${visible(action)}</code></th>
                    <td>${visible(reason)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>`,
  ];
}

function symbolicVerdict(symbolic: PlanSymbolic): string {
  const { asked, found, notAnalysed } = symbolic;
  if (asked === 0) return "Nothing was asked: of no definition do the policies differ, or the callers.";
  if (isAllProved(symbolic)) return `Proved: no policy newly allows a call, ${PROVED_SCOPE}.`;
  if (notAnalysed.length === 0 && found === asked) return "Every pair is newly allowed: a row shows a call.";
  if (notAnalysed.length === 0)
    return `Every pair was decided: where it found a call, a row shows it; the others are proved, ${PROVED_SCOPE}.`;
  return `Proved for a part, ${PROVED_SCOPE}: what is not analysed, or got no answer in time, was only searched.`;
}
