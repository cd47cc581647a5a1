// The matrix of callers and definitions: a line for each definition, a column for each caller. Without a box ticked it
// shows what changes; the filters above it also hold for the stories below it.
import type { Plan, PlanMatrix } from "#plan";
import { markup, name, visible } from "./markup.ts";
import type { Content, Markup } from "./markup.ts";
import { actionParts } from "./stories.ts";

const CELL_WORDS: Readonly<Record<string, string>> = {
  d: "denied",
  a: "allowed",
  s: "some calls allowed",
  ".": "not searched",
  A: "newly allowed",
  D: "newly denied",
  B: "some newly allowed, some newly denied",
  r: "other reasons",
};
const NOT_SEARCHED = ".";
const CHANGED = /[ABDr]/u;

interface Grid extends PlanMatrix {
  /** False where the plan names changed pairs alone. */
  readonly isComplete: boolean;
}

/** The filters, the matrix, and what its signs mean; nothing where no decision changes and no matrix is there. */
export function matrixSection(plan: Plan): Markup | undefined {
  const grid = gridOf(plan);
  if (grid.leaves.length === 0 || grid.principals.length === 0) return undefined;
  const changed = grid.leaves.filter(({ cells }) => CHANGED.test(cells)).length;
  const counts = markup`${changed} of ${grid.leaves.length} definitions with a change, ${grid.principals.length}
  callers.`;
  return markup`<section id="matrix" aria-labelledby="matrix-h">
    <h2 id="matrix-h">Who may call what</h2>
    <p class="lead">
      ${grid.isComplete ? counts : "The plan has no full matrix: this one shows the pairs that change."} A
      cell leads to a call that shows its change.
    </p>
    ${filters(plan, grid)}
    ${
      changed === 0
        ? markup`<p class="note">
            No pair of caller and definition changes. Tick “everything searched” to see them all.
          </p>`
        : undefined
    }
    <a class="skip" href="#decisions">Skip the matrix</a>
    <div class="grid card" role="region" aria-labelledby="matrix-h" tabindex="0">${table(grid, plan)}</div>
    ${legend()}
  </section>`;
}

function gridOf(plan: Plan): Grid {
  if (plan.matrix !== undefined) return { ...plan.matrix, isComplete: true };
  const decisions = plan.changes.filter((change) => change.evidence !== "structural");
  const principals = [...new Set(decisions.map(({ principal }) => principal))].sort();
  const byAction = Map.groupBy(decisions, ({ action }) => action);
  const leaves = [...byAction].map(([action, rows]) => ({
    action,
    server: actionParts(action).server,
    cells: principals
      .map((principal) => {
        const kinds = new Set(rows.filter((row) => row.principal === principal).map(({ kind }) => kind));
        if (kinds.has("newly-allowed")) return kinds.has("newly-denied") ? "B" : "A";
        if (kinds.has("newly-denied")) return "D";
        return kinds.has("reasons-changed") ? "r" : NOT_SEARCHED;
      })
      .join(""),
  }));
  return { principals, leaves, isComplete: false };
}

function filters(plan: Plan, grid: Grid): Markup {
  const { newlyAllowed, newlyDenied, reasonsChanged } = plan.summary;
  const isReasonsShown = newlyAllowed + newlyDenied === 0 && reasonsChanged > 0;
  return markup`<div class="filter">
    <fieldset class="chips">
      <legend class="off">Show</legend>
      ${chip("allowed", "allowed", "+", markup`newly allowed <b>${newlyAllowed}</b>`, true)}
      ${chip("denied", "denied", "−", markup`newly denied <b>${newlyDenied}</b>`, true)}
      ${chip("reasons", "reasons", "~", markup`other reasons <b>${reasonsChanged}</b>`, isReasonsShown)}
      ${grid.isComplete && chip("all", "good", "✓", markup`everything searched`, false)}
    </fieldset>
    <label class="find js"
      ><span class="off">Filter by caller, definition or server</span
      ><input
        id="find"
        type="search"
        placeholder="Filter by caller, definition or server"
        autocomplete="off"
        spellcheck="false"
        aria-keyshortcuts="/" /></label
    ><span id="found" class="muted js" role="status"></span>
  </div>`;
}

function chip(kind: string, tone: string, sign: string, words: Markup, isOn: boolean): Markup {
  return markup`<label class="chip t-${tone}"
    ><input
      type="checkbox"
      id="show-${kind}"
      data-sign="${sign}"
      ${isOn && markup` checked`}
      autocomplete="off"
    /><span>${words}</span></label
  >`;
}

function table(grid: Grid, plan: Plan): Markup {
  const columns = grid.principals.map((_, column) => columnClass(grid, column));
  const head = grid.principals.map(
    (principal, column) =>
      markup`<th scope="col" class="${columns[column] ?? ""}"><div>${name(principal, 120)}</div></th>`,
  );
  const servers = [...Map.groupBy(grid.leaves, ({ server }) => server)].sort(([a], [b]) => (a < b ? -1 : 1));
  const targets = targetsOf(plan);
  return markup`<table class="matrix">
    <caption class="off">
      Changes by definition and caller
    </caption>
    <thead>
      <tr>
        <th scope="col">definition</th>
        ${head}
      </tr>
    </thead>
    ${servers.map(([server, leaves]) => {
      const kinds = kindClasses(leaves.map(({ cells }) => cells).join(""));
      const changed = leaves.filter(({ cells }) => CHANGED.test(cells)).length;
      return markup`<tbody>
        <tr class="server${kinds}">
          <th scope="rowgroup" colspan="${grid.principals.length + 1}">
            <span class="stick"
              >${name(server)} <span class="pill">${changed} of ${leaves.length} with a change</span></span
            >
          </th>
        </tr>
        ${leaves.map((leaf) => leafRow(leaf, grid, columns, targets))}
      </tbody>`;
    })}
  </table>`;
}

/** `q` where a column has no change, `p` where only reasons change. */
function columnClass({ leaves }: Grid, column: number): "" | "p" | "q" {
  const letters = new Set(leaves.map(({ cells }) => cells[column]));
  if (["A", "B", "D"].some((letter) => letters.has(letter))) return "";
  return letters.has("r") ? "p" : "q";
}

function kindClasses(cells: string): string {
  return `${/[AB]/u.test(cells) ? " hA" : ""}${/[DB]/u.test(cells) ? " hD" : ""}${cells.includes("r") ? " hr" : ""}`;
}

/** The row that a cell leads to: the first of its caller and leaf. */
function targetsOf(plan: Plan): ReadonlyMap<string, number> {
  const targets = new Map<string, number>();
  plan.changes.forEach((change, index) => {
    if (change.evidence === "structural") return;
    const key = JSON.stringify([change.action, change.principal]);
    const known = targets.get(key);
    const isKnownBetter = known !== undefined && plan.changes[known]?.kind !== "reasons-changed";
    if (known === undefined || (!isKnownBetter && change.kind !== "reasons-changed")) targets.set(key, index);
  });
  return targets;
}

function leafRow(
  leaf: Grid["leaves"][number],
  grid: Grid,
  columns: readonly string[],
  targets: ReadonlyMap<string, number>,
): Markup {
  const { method, target } = actionParts(leaf.action);
  const cells = grid.principals.map((principal, column): Content => {
    const letter = leaf.cells[column] ?? NOT_SEARCHED;
    const index = CHANGED.test(letter) ? targets.get(JSON.stringify([leaf.action, principal])) : undefined;
    const word = CELL_WORDS[letter] ?? "not searched";
    const kind = letter === NOT_SEARCHED ? "n" : letter;
    return markup`<td class="${`${kind} ${columns[column] ?? ""}`.trimEnd()}">
      ${index === undefined ? word : markup`<a href="#c${index}">${word}</a>`}
    </td>`;
  });
  const detail =
    method === target || method === "tools/call"
      ? undefined
      : markup`<span class="m">${visible(method)}</span>`;
  return markup`<tr class="leaf${kindClasses(leaf.cells)}" data-action="${leaf.action}">
    <th scope="row">${name(target)}${detail}</th>
    ${cells}
  </tr> `;
}

function legend(): Markup {
  return markup`<ul class="legend">
    <li>+ newly allowed</li>
    <li>− newly denied</li>
    <li>± both, by arguments</li>
    <li>~ other reasons</li>
    <li>○ allowed</li>
    <li>· denied</li>
    <li>◐ some calls allowed</li>
    <li>blank: not searched</li>
  </ul>`;
}
