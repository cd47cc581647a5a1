// What became of each policy between two bundles: its text in the source, and what is left of it in the slices.
import type { BundleContent, Digest, PolicySource, Slice } from "#bundle";
import { changedMembers, tableOf, compareTables, unionOf, without } from "./diff-tables.ts";
import type { BundleChange, ResidualChange, Row } from "./diff-tables.ts";

/** One use of a policy: a list of one slice. */
interface Use {
  readonly tenant: string;
  readonly action: string;
  readonly list: string;
  readonly residual: Digest;
}

type Uses = ReadonlyMap<string, ReadonlyMap<string, Use>>;

/** Changes of policies, by id. */
export function policyChanges(before: BundleContent, after: BundleContent): readonly BundleChange[] {
  const oldUses = usesOf(before);
  const newUses = usesOf(after);
  const old = new Map(Object.entries(before.sources.policies));
  const now = new Map(Object.entries(after.sources.policies));
  const ids = unionOf([...old.keys(), ...oldUses.keys()], [...now.keys(), ...newUses.keys()]);
  return ids.flatMap((id): readonly BundleChange[] => {
    const was = old.get(id);
    const is = now.get(id);
    const residuals = residualChanges(oldUses.get(id), newUses.get(id));
    const members = changedMembers(meaning(was), meaning(is));
    const what = whatHappened(was, is, residuals.length + members.length > 0);
    if (what === undefined) return [];
    const shown = is ?? was;
    return [
      {
        section: "policies",
        what,
        subject: id,
        members: what === "changed" ? members : [],
        ...(shown === undefined
          ? {}
          : {
              source: { file: shown.file, line: shown.line, column: shown.column },
              effect: shown.effect,
            }),
        residuals,
      },
    ];
  });
}

/** What else decides a definition: its Cedar schema and the facts derived for it. */
export function sliceChanges(before: BundleContent, after: BundleContent): readonly BundleChange[] {
  const table = ({ policies }: BundleContent) =>
    new Map(
      [...tableOf(policies.slices, sliceName)].map(([name, slice]): [string, Row] => [
        name,
        without(slice, "tenant", "action", ...Object.keys(slice).filter((list) => isPolicyList(slice[list]))),
      ]),
    );
  return compareTables("slices", table(before), table(after));
}

/** `<action>`, and the tenant before it where it is not the only one. */
export function sliceName({ tenant, action }: Pick<Slice, "tenant" | "action">): string {
  return tenant === "default" ? action : `${tenant}: ${action}`;
}

function meaning(source: PolicySource | undefined): Row {
  return source === undefined ? {} : without(source, "file", "line", "column");
}

function whatHappened(
  was: PolicySource | undefined,
  is: PolicySource | undefined,
  differs: boolean,
): BundleChange["what"] | undefined {
  if (was === undefined && is !== undefined) return "added";
  if (was !== undefined && is === undefined) return "removed";
  if (differs) return "changed";
  const isMoved = was?.file !== is?.file || was?.line !== is?.line || was?.column !== is?.column;
  return isMoved ? "moved" : undefined;
}

function usesOf({ policies }: BundleContent): Uses {
  const uses = new Map<string, Map<string, Use>>();
  for (const slice of policies.slices) {
    for (const [list, value] of Object.entries(slice as object)) {
      if (!isPolicyList(value)) continue;
      for (const { id, residual } of value) {
        const { tenant, action } = slice;
        const known = uses.get(id) ?? new Map<string, Use>();
        known.set(`${tenant}\0${action}\0${list}`, { tenant, action, list, residual });
        uses.set(id, known);
      }
    }
  }
  return uses;
}

/** Any list of a slice whose items name a policy and a residual, whatever the list is called. */
function isPolicyList(
  value: unknown,
): value is readonly { readonly id: string; readonly residual: Digest }[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item: unknown) => typeof item === "object" && item !== null && "id" in item && "residual" in item,
    )
  );
}

function residualChanges(
  before: ReadonlyMap<string, Use> = new Map(),
  after: ReadonlyMap<string, Use> = new Map(),
): readonly ResidualChange[] {
  return unionOf(before.keys(), after.keys()).flatMap((key): readonly ResidualChange[] => {
    const old = before.get(key);
    const now = after.get(key);
    const use = now ?? old;
    if (use === undefined || old?.residual === now?.residual) return [];
    const { tenant, action, list } = use;
    return [
      {
        tenant,
        action,
        list,
        ...(old === undefined ? {} : { before: old.residual }),
        ...(now === undefined ? {} : { after: now.residual }),
      },
    ];
  });
}
