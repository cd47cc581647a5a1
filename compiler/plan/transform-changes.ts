// What is redacted, removed, hashed or cut: which of it no longer is, and for whom.
import { DEFAULT_TENANT, canonicalJson } from "#bundle";
import type {
  BundleContent,
  LeafAction,
  PathSegment,
  TenantId,
  TransformEntry,
  TransformOperation,
} from "#bundle";
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
  readonly segments: readonly PathSegment[];
  /** What the operation says beside its path. */
  readonly detail: string;
  /** What it does, whichever document says so. */
  readonly text: string;
}

function stepsOf(direction: Direction, entry: TransformEntry | undefined): readonly Step[] {
  const steps = (entry?.[direction] ?? []).flatMap((operation) =>
    operation.paths.map((segments): Step => {
      const path = pathText(segments);
      const detail = operationDetail(operation);
      return { operation, path, segments, detail, text: `${operation.verb} ${path} ${detail}`.trimEnd() };
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

/** Verbs that leave nothing of what is at and below their path. */
const HIDING_STRENGTH = STRENGTH.redact;

/** True where `other` leaves no more of the value at the path of `step`. */
function standsFor(other: Step, step: Step): boolean {
  if (other.text === step.text) return true;
  const { operation, segments } = other;
  if (!reaches(segments, step.segments)) return false;
  const strength = STRENGTH[operation.verb];
  // What is above hides the whole of it, even where the step took it out altogether.
  if (segments.length < step.segments.length && strength >= HIDING_STRENGTH) return true;
  const isSame = operation.verb === step.operation.verb && other.detail === step.detail;
  return isSame || strength > STRENGTH[step.operation.verb];
}

/** True where everything at `path` stands at or below `above`: a wildcard is every index, and at its end every name. */
function reaches(above: readonly PathSegment[], path: readonly PathSegment[]): boolean {
  return (
    above.length <= path.length &&
    above.every((segment, index) => {
      const own = path[index];
      if (own === undefined) return false;
      if (segment.kind !== "wildcard") return canonicalJson(segment) === canonicalJson(own);
      return own.kind !== "name" || index === above.length - 1;
    })
  );
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
function phrase({ operation, path, detail }: Step): string {
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
