// Where the policies that decide are written: beside each decision while there is room, and once for all at the end.
import type { PolicyId } from "#bundle";
import { plural } from "#plan";
import type { Plan, PlanSource } from "#plan";
import { markup, name, visible } from "./markup.ts";
import type { Markup } from "./markup.ts";
import { textBlock } from "./values.ts";

/** UTF-16 units of excerpts that stand beside decisions; beyond it a link leads to the list at the end. */
const MAX_INLINE_EXCERPTS = 600_000;

export interface SourceIndex {
  /** A policy as it stands beside a decision of `side`. */
  readonly inline: (policy: PolicyId, side: "base" | "head") => Markup;
}

/** Looks up places; counts what it has shown, so that ask in the order of the page. */
export function indexSources(plan: Plan): SourceIndex {
  const sources = plan.sources ?? [];
  const byKey = new Map(sources.map((source, index) => [keyOf(source.policy, source.side), index]));
  let left = MAX_INLINE_EXCERPTS;
  return {
    inline: (policy, side) => {
      const index = byKey.get(keyOf(policy, side));
      const source = index === undefined ? undefined : sources[index];
      if (index === undefined || source === undefined)
        return markup`<div class="policy"><code>${visible(policy)}</code></div>`;
      const { excerpt, reason } = source;
      const isShown = excerpt !== undefined && excerpt.length <= left;
      if (isShown) left -= excerpt.length;
      return markup`<div class="policy">
        ${reason !== undefined && markup`<p class="why">“${visible(reason)}”</p>`}
        <p class="where">
          <a href="#p${index}">${name(placeOf(source))}</a>${
            policy !== placeOf(source) && markup` <code>${visible(policy)}</code>`
          }
        </p>
        ${isShown && textBlock(excerpt)}
      </div>`;
    },
  };
}

function keyOf(policy: PolicyId, side: string): string {
  return `${side} ${policy}`;
}

function placeOf({ file, line, column }: PlanSource): string {
  return `${file}:${line}:${column}`;
}

/** Nothing where the plan names no place. */
export function sourcesSection(plan: Plan): Markup | undefined {
  const sources = plan.sources ?? [];
  if (sources.length === 0) return undefined;
  const uses = new Map<string, number>();
  for (const change of plan.changes) {
    if (change.evidence === "structural") continue;
    for (const id of change.before.reasons)
      uses.set(keyOf(id, "base"), (uses.get(keyOf(id, "base")) ?? 0) + 1);
    for (const id of change.after.reasons)
      uses.set(keyOf(id, "head"), (uses.get(keyOf(id, "head")) ?? 0) + 1);
  }
  return markup`<section id="policies" aria-labelledby="policies-h">
    <h2 id="policies-h">Policies that decide</h2>
    <p class="lead">
      Every policy that a changed decision rests on, as it is written in the base or in the head.
    </p>
    ${sources.map(
      (source, index) =>
        markup`<details class="item policy-card">
          <summary>
            <div class="what">
              <div>
                <span class="title">${name(placeOf(source))}</span><span class="pill">${source.side}</span
                ><span class="muted">${plural(uses.get(keyOf(source.policy, source.side)) ?? 0, "row")}</span>
              </div>
              ${source.reason !== undefined && markup`<div class="eg">${visible(source.reason)}</div>`}
            </div>
          </summary>
          <div class="inside" id="p${index}">
            <p><code>${visible(source.policy)}</code></p>
            ${
              source.excerpt === undefined
                ? markup`<p class="muted">The text is not at hand: a bundle holds no source.</p>`
                : textBlock(source.excerpt)
            }
          </div>
        </details>`,
    )}
  </section>`;
}
