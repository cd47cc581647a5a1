// Gates of the repository and invariants of the head, and what breaks them.
import { actionParts } from "./stories.ts";
import { describeEvidence } from "../invariants/render-invariants.ts";
import type { GateResult, InvariantResult, Plan } from "#plan";
import { markup, name, visible } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { jsonBlock, memberName } from "./values.ts";
import { GATE_SIGNS, INVARIANT_SIGNS, mark } from "./signs.ts";

const MAX_LINKS = 12;

/** Nothing where the repository has neither. */
export function gatesSection(plan: Plan): Markup | undefined {
  const { gates = [], invariants = [] } = plan;
  if (gates.length + invariants.length === 0) return undefined;
  return markup`<section id="gates" aria-labelledby="gates-h">
    <h2 id="gates-h">Gates and invariants</h2>
    <p class="lead">Gates speak of the change, invariants of the head, whatever changes.</p>
    <ul class="list">
      ${worstFirst(plan)}
    </ul>
  </section>`;
}

/** What is violated first, then what needs a look; gates before invariants. */
function worstFirst(plan: Plan): Content {
  const { gates = [], invariants = [] } = plan;
  const rank = {
    ...{ violated: 0, warning: 1, "not-checked": 1, unsearched: 1 },
    ...{ passed: 2, held: 2, proved: 2 },
  } as const;
  const items = [
    ...gates.map((gate) => ({ rank: rank[gate.result], item: gateItem(gate, plan) })),
    ...invariants.map((result) => ({ rank: rank[result.status], item: invariantItem(result) })),
  ];
  return items.sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}

function gateItem(gate: GateResult, plan: Plan): Markup {
  const { at, label, side } = gate;
  const sign = GATE_SIGNS[gate.result];
  const links = gate.rows.slice(0, MAX_LINKS).map((row) => rowLink(row, plan));
  const more = gate.rows.length - MAX_LINKS;
  return markup`<li class="check t-${sign.tone}">${mark(sign)}
    <div><b>${name(gate.name)}</b><span class="word">${sign.word}</span></div>
    <p>${visible(gate.message)}${label !== undefined && markup` <span class="pill">label ${name(label, 100)}</span>`}${
      at !== undefined &&
      markup` <code>${visible(`${at.file}:${at.line}:${at.column}`)}</code> <span class="pill">rule of the ${side}</span>`
    }</p>
    ${gate.rows.length > 0 && markup`<p>${joined(links)}${more > 0 && markup` and ${more} more`}</p>`}
  </li>`;
}

function rowLink(row: number, plan: Plan): Content {
  const change = plan.changes[row];
  if (change === undefined) return undefined;
  const text =
    change.evidence === "structural"
      ? change.subject
      : `${change.principal}: ${actionParts(change.action).target}`;
  return markup`<a href="#c${row}">${name(text, 100)}</a>`;
}

function joined(items: readonly Content[]): Content {
  return items.map((item, index) => [index > 0 && markup`<span aria-hidden="true"> · </span>`, item]);
}

function invariantItem(result: InvariantResult): Markup {
  const sign = INVARIANT_SIGNS[result.status];
  const { at } = result;
  return markup`<li class="check t-${sign.tone}">
    ${mark(sign)}
    <div><b>${name(result.name)}</b><span class="word">${sign.word}</span></div>
    <p>
      ${visible(describeEvidence(result))}${result.reason !== undefined && markup` — ${visible(result.reason)}`}
      <code>${visible(`${at.file}:${at.line}:${at.column}`)}</code>
    </p>
    ${result.status === "violated" && violations(result)}
  </li>`;
}

function violations(result: InvariantResult): Markup {
  const { violations: broken, calls, expect, witnesses } = result;
  return markup`<details>
    <summary class="check-more">
      <span
        >${broken} of ${calls} calls are not ${expect}: show
        ${witnesses.length === broken ? "them" : `${witnesses.length} of them`}</span
      >
    </summary>
    ${witnesses.map((witness) => {
      const by = witness.policies.map(
        ({ id, file, line, column }) =>
          markup`<li>
            <code>${visible(id)}</code
            >${file !== undefined && markup` <span class="muted">${visible(`${file}:${line ?? 1}:${column ?? 1}`)}</span>`}
          </li>`,
      );
      const facts = Object.entries(witness.read);
      return markup`<div class="broken">
        <p>
          <b>${name(witness.caller)}</b> calls <code>${visible(witness.action)}</code>:
          ${
            witness.effect === "allow" ? "allowed" : "denied"
          }${witness.code !== undefined && markup` (${visible(witness.code)})`}
        </p>
        ${jsonBlock(witness.arguments)}${
          facts.length > 0 &&
          markup`<dl class="facts">
            ${facts.map(
              ([fact, value]) =>
                markup`<dt>${memberName(fact)}</dt>
                  <dd class="read">${visible(value)}</dd>`,
            )}
          </dl>`
        }${
          by.length > 0 &&
          markup`<ul class="plain">
            ${by}
          </ul>`
        }
      </div>`;
    })}
  </details>`;
}
