// Validates the residuals of one leaf after another. The engine takes a millisecond for two residuals, and most policies
// apply to many leaves: what was accepted where everything it reads has the same types is not asked again.
import { canonicalJson } from "#bundle";
import type { AttributeMapping, Digest, LeafEntry } from "#bundle";
import type { JsonObject } from "#std";
import { pruneProjection } from "../json-schema/index.ts";
import type { ArgumentReads } from "../json-schema/index.ts";
import type { PolicyEst } from "./est.ts";
import type { Complaint } from "./messages.ts";
import { argumentsType, leafIndependentSchema } from "./schema.ts";
import { mentionsVariable, validateResiduals } from "./validate.ts";

/** What one policy became on a leaf. */
export interface LeafResidual {
  readonly call: PolicyEst;
  /** Reads nothing of the context but members of the request, whose types are the same everywhere. */
  readonly visibility: PolicyEst | undefined;
  /** What `call` reads of the arguments. */
  readonly reads: ArgumentReads;
}

/** How far the validity of a residual depends on the leaf. */
type Reach = "none" | "context" | "action";

const NOTHING_WRONG: readonly Complaint[] = [];
const NO_READS: ArgumentReads = { values: [], presences: [], elements: [] };

export class ResidualValidator {
  readonly #digestOf: (residual: PolicyEst) => Digest;
  readonly #independentSchema: JsonObject;
  readonly #reaches = new Map<Digest, Reach>();
  /** Answers that hold on other leaves too, by residual and by the types of what it reads. */
  readonly #known = new Map<string, readonly Complaint[]>();

  constructor(attributes: readonly AttributeMapping[], digestOf: (residual: PolicyEst) => Digest) {
    this.#digestOf = digestOf;
    this.#independentSchema = leafIndependentSchema(attributes);
  }

  /** Complaints by residual, with at most one engine call for the leaf and one for what no leaf decides. */
  validate(
    leaf: LeafEntry,
    schema: JsonObject,
    residuals: readonly LeafResidual[],
  ): ReadonlyMap<Digest, readonly Complaint[]> {
    const complaints = new Map<Digest, readonly Complaint[]>();
    const own = new Map<Digest, PolicyEst>();
    const shared = new Map<Digest, PolicyEst>();
    const keys = new Map<Digest, string>();
    const known = new Map<ArgumentReads, string>();
    const enter = (residual: PolicyEst, reads: ArgumentReads): void => {
      const digest = this.#digestOf(residual);
      if (keys.has(digest)) return;
      const reach = this.#reachOf(digest, residual);
      const types = reach === "context" ? typesOf(leaf, reads, known) : leaf.action;
      const key = `${digest} ${reach === "none" ? "" : types}`;
      keys.set(digest, key);
      const answer = this.#known.get(key);
      if (answer !== undefined) complaints.set(digest, answer);
      else (reach === "none" ? shared : own).set(digest, residual);
    };
    for (const { call, visibility, reads } of residuals) {
      enter(call, reads);
      if (visibility !== undefined) enter(visibility, NO_READS);
    }
    for (const [asked, against] of [
      [shared, this.#independentSchema],
      [own, schema],
    ] as const) {
      const found = validateResiduals(against, asked);
      for (const digest of asked.keys()) {
        const said = found.get(digest) ?? NOTHING_WRONG;
        complaints.set(digest, said);
        // Other complaints may name the leaf.
        if (asked === shared || said.every(isLeafless)) this.#known.set(keys.get(digest) ?? "", said);
      }
    }
    return complaints;
  }

  #reachOf(digest: Digest, residual: PolicyEst): Reach {
    const known = this.#reaches.get(digest);
    if (known !== undefined) return known;
    const reach = mentionsVariable(residual, "action")
      ? "action"
      : mentionsVariable(residual, "context")
        ? "context"
        : "none";
    this.#reaches.set(digest, reach);
    return reach;
  }
}

function isLeafless(complaint: Complaint): boolean {
  return complaint.code === "CEDAR_NEVER_APPLIES";
}

/** The Cedar types of what is read on a leaf; `known`: those of the same leaf already computed. */
function typesOf(leaf: LeafEntry, reads: ArgumentReads, known: Map<ArgumentReads, string>): string {
  const before = known.get(reads);
  if (before !== undefined) return before;
  const text = canonicalJson(argumentsType(pruneProjection(leaf.argumentsProgram, reads)));
  known.set(reads, text);
  return text;
}
