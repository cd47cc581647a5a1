// Collects residuals, schemas and slices: content-addressed, so that what is equal is stored and validated once.
import { canonicalJson, sha256Hex } from "#bundle";
import type { Derivation, Digest, PolicySection, Slice } from "#bundle";
import type { JsonObject } from "#std";
import { asJson } from "./est.ts";
import type { PolicyEst } from "./est.ts";

/** A table of values by the sha-256 of their canonical JSON. */
class DigestTable<T extends object> {
  readonly #entries = new Map<Digest, T>();
  readonly #known = new WeakMap<T, Digest>();
  readonly #toJson: (value: T) => JsonObject;

  constructor(toJson: (value: T) => JsonObject) {
    this.#toJson = toJson;
  }

  /** The address of `value`. The same object is hashed once. */
  digest(value: T): Digest {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const digest = sha256Hex(canonicalJson(this.#toJson(value)));
    this.#known.set(value, digest);
    return digest;
  }

  /** Keeps `value` and returns its address. */
  keep(value: T): Digest {
    const digest = this.digest(value);
    this.#entries.set(digest, value);
    return digest;
  }

  /** Everything kept, in order of address. */
  toRecord(): Readonly<Record<Digest, JsonObject>> {
    const entries = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([digest, value]) => [digest, this.#toJson(value)]));
  }
}

export function residualTable(): DigestTable<PolicyEst> {
  return new DigestTable(asJson);
}

export function schemaTable(): DigestTable<JsonObject> {
  return new DigestTable((schema) => schema);
}

/** Slices in order of tenant, then action. */
export function policySection(
  residuals: DigestTable<PolicyEst>,
  schemas: DigestTable<JsonObject>,
  slices: readonly Slice[],
): PolicySection {
  const sorted = [...slices].sort((a, b) => compare(a.tenant, b.tenant) || compare(a.action, b.action));
  return { residuals: residuals.toRecord(), schemas: schemas.toRecord(), slices: sorted };
}

/** Derivations in order of name. */
export function sortedDerivations(derivations: Iterable<Derivation>): readonly Derivation[] {
  return [...derivations].sort((a, b) => compare(a.name, b.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
