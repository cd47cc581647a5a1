// The state of the hash chains, and the one set of rules by which a line extends it. The writer, the recovery and the
// verifier all go through here.
import type { AuditEventKind } from "./audit-log.ts";
import type { MerkleTree } from "./merkle.ts";
import { createMerkleTree } from "./merkle.ts";
import type { AuditRecord, SegmentHeader } from "./record-format.ts";
import { ZERO_HASH } from "./record-format.ts";
import type { TenantRange } from "./statements.ts";

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

export interface OpenDecision {
  readonly tenant: string;
  readonly id: string;
}

/** Where the chains stand. Mutable: one owner at a time. */
export interface ChainState {
  readonly heads: Map<string, ChainHead>;
  /** Allowed decisions without a result, oldest first, by `openKey`. */
  readonly open: Map<string, OpenDecision>;
  globalSequence: number;
}

export function emptyChains(): ChainState {
  return { heads: new Map(), open: new Map(), globalSequence: 0 };
}

/** Chains as a header or seal states them. */
export function chainsFrom(
  globalSequence: number,
  heads: readonly (readonly [string, number, string])[],
  open: readonly (readonly [string, string])[],
): ChainState {
  return {
    heads: new Map(heads.map(([tenant, sequence, hash]) => [tenant, { sequence, hash }])),
    open: new Map(open.map(([tenant, id]) => [openKey(tenant, id), { tenant, id }])),
    globalSequence,
  };
}

export function headListOf(heads: ReadonlyMap<string, ChainHead>): [string, number, string][] {
  return Array.from(heads, ([tenant, head]) => [tenant, head.sequence, head.hash]);
}

export function headList(state: ChainState): [string, number, string][] {
  return headListOf(state.heads);
}

export function openList(state: ChainState): [string, string][] {
  return Array.from(state.open.values(), ({ tenant, id }) => [tenant, id]);
}

export function openKey(tenant: string, id: string): string {
  return `${String(tenant.length)}:${tenant}${id}`;
}

/** What a record does to the set of open decisions. */
export interface OpenEffect {
  readonly opens?: string;
  readonly closes?: readonly string[];
}

const NO_EFFECT: OpenEffect = {};

/**
 * An allowed `decision` opens its `body.id`; the `result` with that id closes it, and so does a `gap` record that lists it in
 * `body.decisions`.
 */
export function openEffect(event: AuditEventKind, body: Readonly<Record<string, unknown>>): OpenEffect {
  const id = body["id"];
  switch (event) {
    case "decision":
      return typeof id === "string" && body["effect"] === "allow" ? { opens: id } : NO_EFFECT;
    case "result":
      return typeof id === "string" ? { closes: [id] } : NO_EFFECT;
    case "gap": {
      const ids = body["decisions"];
      return Array.isArray(ids) ? { closes: ids.filter((entry) => typeof entry === "string") } : NO_EFFECT;
    }
    default:
      return NO_EFFECT;
  }
}

export function applyOpenEffect(state: ChainState, tenant: string, effect: OpenEffect): void {
  if (effect.opens !== undefined) state.open.set(openKey(tenant, effect.opens), { tenant, id: effect.opens });
  for (const id of effect.closes ?? []) state.open.delete(openKey(tenant, id));
}

/** One segment's tree and per-tenant ranges. */
export interface SegmentTally {
  readonly tree: MerkleTree;
  /** Changed in place: one object a tenant and segment, not one a record. */
  readonly ranges: Map<string, GrowingRange>;
}

type GrowingRange = { -readonly [member in keyof TenantRange]: TenantRange[member] };

export function createTally(): SegmentTally {
  return { tree: createMerkleTree(), ranges: new Map() };
}

/** Moves the chains over one record that is known to follow them. Returns the new head of its tenant. */
export function advance(
  state: ChainState,
  tally: SegmentTally,
  record: {
    readonly tenant: string;
    readonly sequence: number;
    readonly previousHash: string;
    readonly hash: string;
  },
): ChainHead {
  const head = { sequence: record.sequence, hash: record.hash };
  state.heads.set(record.tenant, head);
  state.globalSequence += 1;
  tally.tree.push(record.hash);
  const range = tally.ranges.get(record.tenant);
  if (range === undefined) {
    tally.ranges.set(record.tenant, {
      tenant: record.tenant,
      first: record.sequence,
      last: record.sequence,
      firstPrevious: record.previousHash,
      lastHash: record.hash,
    });
  } else {
    range.last = record.sequence;
    range.lastHash = record.hash;
  }
  return head;
}

/** Why a record does not follow the chains; undefined where it does. */
export function chainFault(state: ChainState, record: AuditRecord): string | undefined {
  if (record.globalSequence !== state.globalSequence + 1) {
    return `global sequence ${String(record.globalSequence)} follows ${String(state.globalSequence)}`;
  }
  const head = state.heads.get(record.tenant) ?? { sequence: 0, hash: ZERO_HASH };
  if (record.sequence !== head.sequence + 1) {
    return `sequence ${String(record.sequence)} of tenant ${JSON.stringify(record.tenant)} follows ${String(head.sequence)}`;
  }
  return record.previousHash === head.hash ? undefined : "the record does not follow the one before it";
}

/** Why a header does not follow the chains; undefined where it does. */
export function headerFault(
  state: ChainState,
  header: SegmentHeader,
  expected: { readonly segment: number; readonly previousSeal: string },
): string | undefined {
  if (header.segment !== expected.segment) return `the header is of segment ${String(header.segment)}`;
  if (header.previousSeal !== expected.previousSeal) return "the header does not name the seal before it";
  if (header.globalSequence !== state.globalSequence) return "the header's global sequence does not follow";
  if (JSON.stringify(header.heads) !== JSON.stringify(headList(state)))
    return "the header's chain heads do not follow";
  if (JSON.stringify(header.open) !== JSON.stringify(openList(state)))
    return "the header's open decisions do not follow";
  return undefined;
}
