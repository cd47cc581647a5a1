// Rows that tell the same of several callers, put together: one story, with a line for each caller.
import { canonicalJson } from "#bundle";
import type { LeafAction } from "#bundle";
import type { DecisionChange, Plan } from "#plan";

/** A row and its place in `changes`. */
export interface StoryRow {
  readonly index: number;
  readonly change: DecisionChange;
}

/** Callers of one leaf whose decision changes alike, shown by one call. */
export interface Story {
  readonly first: DecisionChange;
  readonly rows: readonly StoryRow[];
}

/** In order of the first row of each. */
export function storiesOf(plan: Plan): readonly Story[] {
  const groups = new Map<string, StoryRow[]>();
  plan.changes.forEach((change, index) => {
    if (change.evidence === "structural") return;
    const key = storyKey(change);
    const rows = groups.get(key);
    if (rows === undefined) groups.set(key, [{ index, change }]);
    else rows.push({ index, change });
  });
  return [...groups.values()].flatMap((rows) => {
    const [head] = rows;
    return head === undefined ? [] : [{ first: head.change, rows }];
  });
}

function storyKey(change: DecisionChange): string {
  const { kind, evidence, action, before, after, witness } = change;
  const { arguments: args, read = null, request } = witness;
  const shownRequest = request === undefined ? null : canonicalJson(request);
  return canonicalJson([kind, evidence, action, before, after, args, read, shownRequest]);
}

/** What an action says to a reader: `tools/call:jira/jira.search` is `jira.search`, called on `jira`. */
export interface ActionParts {
  readonly method: string;
  readonly server: string;
  /** What is called; the method where that is all there is. */
  readonly target: string;
}

/** Splits an action at its first colon, and after it at the first slash. */
export function actionParts(action: LeafAction): ActionParts {
  const colon = action.indexOf(":");
  if (colon < 0) return { method: action, server: "", target: action };
  const method = action.slice(0, colon);
  const rest = action.slice(colon + 1);
  const slash = rest.indexOf("/");
  if (slash < 0) return { method, server: rest, target: method };
  return { method, server: rest.slice(0, slash), target: rest.slice(slash + 1) };
}
