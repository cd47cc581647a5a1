// Every story: what callers may newly do or no longer do, one call that shows it, and the policies that decide it.
import { describeDecision, describeWitness, plural } from "#plan";
import type { DecisionChange, DecisionChangeKind, Plan, PlanDecision } from "#plan";
import type { JsonValue } from "#std";
import { clipped, markup, name, visible } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { KIND_SIGNS, mark } from "./signs.ts";
import type { SourceIndex } from "./sources-section.ts";
import { actionParts, storiesOf } from "./stories.ts";
import type { Story, StoryRow } from "./stories.ts";
import { inlineValue, jsonBlock, memberName } from "./values.ts";

/** Stories that the page shows; the JSON plan has every row. */
const MAX_STORIES = 2_000;
/** Callers of one story that the page shows. */
const MAX_CALLERS = 500;
const MAX_EXAMPLE_LENGTH = 240;

const TITLES: readonly (readonly [DecisionChangeKind, string, string])[] = [
  ["newly-allowed", "Newly allowed", "Denied by the base, allowed by the head."],
  ["newly-denied", "Newly denied", "Allowed by the base, denied by the head."],
  ["reasons-changed", "Other reasons", "Decided as before, but by other policies."],
];

/** Nothing where no decision changes. */
export function decisionsSection(plan: Plan, sources: SourceIndex): Markup | undefined {
  const all = storiesOf(plan);
  if (all.length === 0) return undefined;
  const stories = all.slice(0, MAX_STORIES);
  const hidden = all.length - stories.length;
  return markup`<section id="decisions" aria-labelledby="decisions-h">
    <h2 id="decisions-h">Decisions that change</h2>
    <p class="lead">
      One story for callers whose decision changes alike, each with a call that both sides decide as stated.
      <span class="js"
        ><button type="button" data-open="true">Open all</button>
        <button type="button" data-open="false">Close all</button></span
      >
    </p>
    ${TITLES.map(([kind, title, lead]) => kindBlock(kind, title, lead, stories, sources))}
    ${hidden > 0 && markup`<p class="note">${plural(hidden, "more story").replace("storys", "stories")} not shown here: the JSON plan has every row.</p>`}
  </section>`;
}

function kindBlock(
  kind: DecisionChangeKind,
  title: string,
  lead: string,
  all: readonly Story[],
  sources: SourceIndex,
): Content {
  const stories = all.filter(({ first }) => first.kind === kind);
  if (stories.length === 0) return undefined;
  const rows = stories.reduce((sum, story) => sum + story.rows.length, 0);
  return markup`<div class="kind kind-${KIND_SIGNS[kind].tone}" id="${kind}">
    <h3>${title} <span class="muted">${rows}</span></h3>
    <p class="lead">${lead}</p>
    ${stories.map((story) => storyBlock(story, sources))}
  </div>`;
}

function storyBlock(story: Story, sources: SourceIndex): Markup {
  const { first, rows } = story;
  const { method, server, target } = actionParts(first.action);
  const sign = KIND_SIGNS[first.kind];
  const example = clipped(describeWitness(first.witness), MAX_EXAMPLE_LENGTH);
  const callers = rows.map(({ change }) => clipped(change.principal, 300).text);
  return markup`<details
    class="story"
    data-kind="${sign.tone}"
    data-callers="${callers.slice(0, MAX_CALLERS).join(" ")}"
  >
    <summary>
      ${mark(sign)}
      <div class="what">
        <div>
          <span class="title">${name(target)}</span
          ><span class="muted">${visible(method === target ? server : `${method} on ${server}`)}</span
          ><span class="off">${sign.word} for</span><span>${callersText(callers)}</span>${evidencePill(first)}
        </div>
        <div class="eg">e.g. <code>${visible(example.text)}${example.cut > 0 && "…"}</code></div>
      </div>
    </summary>
    <div class="inside">${sidesBlock(first, sources)}${witnessBlock(first)}${callersTable(rows)}</div>
  </details> `;
}

function callersText(callers: readonly string[]): Content {
  const [first = "", ...others] = callers;
  return [
    name(first, 60),
    others.length > 0 && markup` <span class="muted">and ${plural(others.length, "more caller")}</span>`,
  ];
}

function evidencePill({ evidence }: DecisionChange): Markup {
  const words = { matrix: "searched", replay: "recorded", symbolic: "solver" } as const;
  return markup`<span class="pill">${words[evidence]}</span>`;
}

function sidesBlock(change: DecisionChange, sources: SourceIndex): Markup {
  return markup`<div class="sides2">
    ${decisionSide("Before", change.before, "base", sources)}${decisionSide("After", change.after, "head", sources)}
  </div>`;
}

function decisionSide(
  title: string,
  decision: PlanDecision,
  side: "base" | "head",
  sources: SourceIndex,
): Markup {
  const tone = decision.effect === "allow" ? "allowed" : "denied";
  const { reasons } = decision;
  // Where policies decide they are listed below; otherwise the words say why.
  const words =
    reasons.length > 0 && decision.code === undefined ? tone : describeDecision({ ...decision, reasons: [] });
  const why = words.startsWith(`${tone}: `) ? words.slice(tone.length + 2) : "";
  return markup`<div class="side t-${tone}">
    <p>${title}: <b>${tone}</b>${why !== "" && markup` <span class="muted">— ${visible(why)}</span>`}</p>
    ${reasons.map((policy) => sources.inline(policy, side))}
  </div>`;
}

function witnessBlock({ witness }: DecisionChange): Markup {
  const { read = {}, recorded, request } = witness;
  const facts = Object.entries(read);
  return markup`<div class="parts">
    <div>
      <span class="label">Arguments of the call</span>${jsonBlock(witness.arguments)}${
        recorded !== undefined &&
        recorded.withheld.length > 0 &&
        markup`<p class="muted">
          The record does not hold
          ${recorded.withheld.map((fact, index) => [index > 0 && ", ", memberName(fact)])}; neither side
          needed it.
        </p>`
      }
    </div>
    ${
      (facts.length > 0 || request !== undefined) &&
      markup`<div>
        <span class="label">Facts of the request</span>
        <dl class="facts">
          ${facts.map(
            ([fact, value]) =>
              markup`<dt>${memberName(fact)}</dt>
                <dd class="read">${inlineValue(value)} <span class="pill">read by a policy</span></dd>`,
          )}${request !== undefined && requestFacts(request, read)}
        </dl>
      </div>`
    }
  </div>`;
}

function requestFacts(
  request: NonNullable<DecisionChange["witness"]["request"]>,
  read: Readonly<Record<string, string>>,
): Content {
  const { nowMs, sourceIp, client, protocol, auth } = request;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["now", timeText(nowMs)],
    ["sourceIp", sourceIp],
    ["client.id", client.id],
    ["client.name", client.name],
    ["client.version", client.version],
    ["protocol", `${protocol.version} (${protocol.era})`],
    ["auth.issuer", auth.issuer],
    ["auth.amr", auth.amr.join(", ")],
    ["auth.acr", auth.acr],
    ["auth.scopes", auth.scopes.join(", ")],
    ["auth.issuedAt", timeText(auth.issuedAtMs)],
    [
      "auth.authenticatedAt",
      auth.authenticatedAtMs === undefined ? undefined : timeText(auth.authenticatedAtMs),
    ],
  ];
  return rows
    .filter(([fact, value]) => value !== undefined && value !== "" && !Object.hasOwn(read, fact))
    .map(
      ([fact, value]) =>
        markup`<dt>${memberName(fact)}</dt>
          <dd>${inlineValue(value ?? "")}</dd>`,
    );
}

function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function callersTable(rows: readonly StoryRow[]): Markup {
  const shown = rows.slice(0, MAX_CALLERS);
  const isRecorded = rows.some(({ change }) => change.witness.recorded !== undefined);
  return markup`<div>
    <span class="label">Callers</span>
    <div class="scroll">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">caller</th>
            <th scope="col">calls that change</th>
            <th scope="col">principal</th>
            <th scope="col">roles</th>
            <th scope="col">groups</th>
            <th scope="col">attributes</th>
            ${isRecorded && markup`<th scope="col">record</th>`}
          </tr>
        </thead>
        <tbody>
          ${shown.map((row) => callerRow(row, isRecorded))}
        </tbody>
      </table>
    </div>
    ${rows.length > shown.length && markup`<p class="muted">${rows.length - shown.length} more callers: the JSON plan has them.</p>`}
  </div>`;
}

function callerRow({ index, change }: StoryRow, isRecorded: boolean): Markup {
  const { type, id, tenant, roles, groups, attributes } = change.witness.principal;
  const { recorded } = change.witness;
  const facts = Object.entries(attributes);
  return markup`<tr id="c${index}">
    <th scope="row">${name(change.principal)}</th>
    <td>${change.changedCalls} of ${change.searchedCalls}</td>
    <td>${inlineValue(`${type} ${id}`)}<br /><span class="muted">tenant ${inlineValue(tenant)}</span></td>
    <td>${list(roles)}</td>
    <td>${list(groups)}</td>
    <td>
      ${
        facts.length === 0
          ? markup`<span class="muted">none</span>`
          : facts.map(
              ([key, value]) => markup`<div>${memberName(key)} = ${inlineValue(value as JsonValue)}</div>`,
            )
      }
    </td>
    ${isRecorded && markup`<td>${recorded !== undefined && [markup`<code>${visible(recorded.id)}</code>`, markup`<br /><span class="muted">${visible(recorded.at)}</span>`]}</td>`}
  </tr>`;
}

function list(items: readonly string[]): Content {
  if (items.length === 0) return markup`<span class="muted">none</span>`;
  return items.map((item, index) => [index > 0 && ", ", name(item, 120)]);
}
