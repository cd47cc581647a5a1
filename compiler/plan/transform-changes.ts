// What is redacted, removed, hashed or cut: which of it no longer is, and for whom.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, LeafAction, TenantId, TransformEntry, TransformOperation } from "#bundle";
import { operationDetail, pathText } from "#explain";
import type { JsonObject } from "#std";
import { compareTables } from "./compare-tables.ts";
import type { StructuralChange } from "./plan-types.ts";

/** Callers of the search whom the head allows some call of the leaf; undefined where it was not searched. */
export type AllowedCallers = (tenant: TenantId, action: LeafAction) => readonly string[] | undefined;

type Direction = "request" | "response";
const DIRECTIONS: readonly Direction[] = ["request", "response"];
const MAX_NAMED_CALLERS = 5;

/** How much a verb leaves of a value: one may take the place of another that is not above it. */
const STRENGTH: Readonly<Record<TransformOperation["verb"], number>> = {
  remove: 4,
  redact: 3,
  replace: 3,
  hash: 2,
  truncate: 1,
  detect: 1,
};

const DONE: Readonly<Record<TransformOperation["verb"], string>> = {
  remove: "removed",
  redact: "redacted",
  replace: "replaced",
  hash: "hashed",
  truncate: "truncated",
  detect: "searched for",
};

/** One row for each definition and tenant whose transforms differ. */
export function transformChanges(
  base: BundleContent,
  head: BundleContent,
  allowedCallers: AllowedCallers,
): readonly StructuralChange[] {
  const before = entriesOf(base);
  const after = entriesOf(head);
  const decided = new Set(head.policies.slices.map(({ tenant, action }) => entryName({ tenant, action })));
  const kind = "transforms-changed";
  const kinds = { added: kind, changed: kind, removed: kind } as const;
  const table = (entries: ReadonlyMap<string, TransformEntry>): ReadonlyMap<string, JsonObject> =>
    new Map([...entries].map(([name, entry]) => [name, transformView(entry)]));
  return compareTables(kinds, table(before), table(after), (_was, _is, name) => {
    const was = before.get(name);
    const is = after.get(name);
    if (!decided.has(name)) return { details: ["nothing of it can be called any more"] };
    const lost = DIRECTIONS.flatMap((direction) => lostLines(direction, was, is));
    const gained = DIRECTIONS.flatMap((direction) => gainedLines(direction, was, is));
    if (lost.length === 0) return { details: gained };
    const entry = was ?? is;
    const whom =
      entry === undefined ? [] : [concerns(entry.tenant, allowedCallers(entry.tenant, entry.action))];
    return { details: [...lost, ...whom, ...gained], weakens: true };
  });
}

function entriesOf(content: BundleContent): ReadonlyMap<string, TransformEntry> {
  return new Map(content.transforms.transforms.map((entry) => [entryName(entry), entry]));
}

/** The action, with the tenant before it where that is not the default one. */
function entryName({ tenant, action }: Pick<TransformEntry, "tenant" | "action">): string {
  return tenant === DEFAULT_TENANT ? action : `${tenant}: ${action}`;
}

/** One operation on one path. */
interface Step {
  readonly operation: TransformOperation;
  readonly path: string;
  /** Digest of what it does, whichever document says so. */
  readonly text: string;
}

function stepsOf(direction: Direction, entry: TransformEntry | undefined): readonly Step[] {
  const steps = (entry?.[direction] ?? []).flatMap((operation) =>
    operation.paths.map((segments): Step => {
      const path = pathText(segments);
      const text = `${operation.verb} ${path} ${operationDetail(operation)}`.trimEnd();
      return { operation, path, text };
    }),
  );
  return [...new Map(steps.map((step) => [step.text, step])).values()].sort((a, b) =>
    a.text < b.text ? -1 : 1,
  );
}

function transformView(entry: TransformEntry): JsonObject {
  const lists = DIRECTIONS.map(
    (direction) => [direction, stepsOf(direction, entry).map(({ text }) => text)] as const,
  );
  return Object.fromEntries(lists.filter(([, list]) => list.length > 0));
}

/** True where `other` leaves no more of the value at the path of `step`. */
function standsFor(other: Step, step: Step): boolean {
  if (other.text === step.text) return true;
  const covers = other.path === step.path || isBelow(step.path, other.path);
  return covers && STRENGTH[other.operation.verb] > STRENGTH[step.operation.verb];
}

/** `$.a.b` and `$.a[0]` are below `$.a`. */
function isBelow(path: string, above: string): boolean {
  return path.startsWith(`${above}.`) || path.startsWith(`${above}[`);
}

function lostLines(
  direction: Direction,
  before: TransformEntry | undefined,
  after: TransformEntry | undefined,
): readonly string[] {
  const now = stepsOf(direction, after);
  return stepsOf(direction, before)
    .filter((step) => !now.some((other) => standsFor(other, step)))
    .map((step) => `no longer ${phrase(step)} in the ${direction}`);
}

function gainedLines(
  direction: Direction,
  before: TransformEntry | undefined,
  after: TransformEntry | undefined,
): readonly string[] {
  const was = new Set(stepsOf(direction, before).map(({ text }) => text));
  return stepsOf(direction, after)
    .filter(({ text }) => !was.has(text))
    .map((step) => `now ${phrase(step)} in the ${direction}`);
}

/** e.g. `redacted: $.response.email`. */
function phrase({ operation, path }: Step): string {
  const detail = operationDetail(operation);
  return `${DONE[operation.verb]}${detail === "" ? "" : ` ${detail}`}: ${path}`;
}

function concerns(tenant: TenantId, callers: readonly string[] | undefined): string {
  const of = tenant === DEFAULT_TENANT ? "" : ` of the tenant ${tenant}`;
  if (callers === undefined) return `for every caller${of}`;
  if (callers.length === 0) return `for every caller${of}; none of the search may call it`;
  const named = callers.slice(0, MAX_NAMED_CALLERS).join("; ");
  const more = callers.length - MAX_NAMED_CALLERS;
  return `for every caller${of} who may call it: ${named}${more <= 0 ? "" : `; and ${more} more`}`;
}
