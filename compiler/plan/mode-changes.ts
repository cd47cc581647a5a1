// Policies that are enforced on one side and only recorded on the other, by what they say: a policy that moves to another
// file or place is still the same.
import { canonicalJson } from "#bundle";
import type { BundleContent, PolicyId, Slice } from "#bundle";
import { compareTables } from "./compare-tables.ts";
import type { Table } from "./compare-tables.ts";
import type { StructuralChange } from "./plan-types.ts";

const KIND = "policy-mode-changed";
const KINDS = { added: KIND, changed: KIND, removed: KIND } as const;

/** One row for each policy whose mode changed, by its id on the head. */
export function modeChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const named = sameIdChanges(base, head);
  const known = new Set(named.map(({ subject }) => subject));
  const moved = [...shadowedForbids(base, head)].filter((id) => !known.has(id)).sort();
  return [
    ...named,
    ...moved.map((id): StructuralChange => {
      const values = { before: { mode: "enforce" }, after: { mode: "shadow" } };
      return { kind: KIND, evidence: "structural", subject: id, ...values, ...shadowed("forbid") };
    }),
  ];
}

function sameIdChanges(base: BundleContent, head: BundleContent): readonly StructuralChange[] {
  const before = modes(base);
  const after = modes(head);
  const both = (table: Table): Table => new Map([...table].filter(([id]) => before.has(id) && after.has(id)));
  return compareTables(KINDS, both(before), both(after), (_was, is, id) => {
    const effect = head.sources.policies[id]?.effect ?? "forbid";
    return is?.["mode"] === "shadow" ? shadowed(effect) : { details: [`this ${effect} is enforced now`] };
  });
}

function modes(content: BundleContent): Table {
  const { policies } = content.sources;
  return new Map(Object.entries(policies).map(([id, { mode = "enforce" }]) => [id, { mode }]));
}

function shadowed(effect: "permit" | "forbid"): Pick<StructuralChange, "details" | "weakens"> {
  const text = `this ${effect} is recorded only: it ${effect === "forbid" ? "stops" : "allows"} nothing now`;
  return effect === "forbid" ? { details: [text], weakens: true } : { details: [text] };
}

/**
 * Forbids in shadow mode that stand for one that the base enforces: those that say the same of a definition, and where
 * an enforced one is gone altogether, every new one, because a small edit must not hide it.
 */
function shadowedForbids(base: BundleContent, head: BundleContent): ReadonlySet<PolicyId> {
  const before = slicesOf(base);
  const found = new Set<PolicyId>();
  for (const [key, slice] of slicesOf(head)) {
    const old = before.get(key);
    if (old === undefined) continue;
    const was = forbids(base, old.call);
    const wasShadow = forbids(base, old.shadow);
    const is = forbids(head, slice.call);
    const ids = new Set(is.values());
    const gone = [...was].filter(([meaning]) => !is.has(meaning));
    if (gone.length === 0) continue;
    const isWithoutSuccessor = gone.some(([, id]) => !ids.has(id));
    for (const [meaning, id] of forbids(head, slice.shadow)) {
      const isSame = gone.some(([other]) => other === meaning);
      if (isSame || (isWithoutSuccessor && !wasShadow.has(meaning))) found.add(id);
    }
  }
  return found;
}

function slicesOf({ policies }: BundleContent): ReadonlyMap<string, Slice> {
  return new Map(policies.slices.map((slice) => [canonicalJson([slice.tenant, slice.action]), slice]));
}

/** By their residual: equal digests say the same. */
function forbids({ policies }: BundleContent, of: Slice["call"]): ReadonlyMap<string, PolicyId> {
  return new Map(
    of
      .filter(({ residual }) => policies.residuals[residual]?.["effect"] !== "permit")
      .map(({ id, residual }) => [residual, id]),
  );
}
