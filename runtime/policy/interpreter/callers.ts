// Who is calling, as the slices with the same entity types see it: admitted once for all of them. A list asks hundreds of
// slices about one caller.
import type { PrincipalFacts } from "#bundle";
import type { CedarEntity } from "../cedar-request.ts";
import { isCedarSafe } from "../cedar-request.ts";
import type { EntityTable, KnownEntity } from "./frame.ts";
import type { EntityTypes } from "./request-types.ts";
import { EntityValue } from "./values.ts";

export interface Caller {
  readonly entity: EntityValue;
  readonly known: KnownEntity;
}

export class Callers {
  readonly types: EntityTypes;
  readonly #principalOf: (facts: PrincipalFacts) => CedarEntity | undefined;
  /** Facts are immutable and live as long as a verified token. */
  readonly #admitted = new WeakMap<PrincipalFacts, { readonly caller: Caller | undefined }>();

  /** `principalOf` gives undefined where the caller cannot be represented. */
  constructor(types: EntityTypes, principalOf: (facts: PrincipalFacts) => CedarEntity | undefined) {
    this.types = types;
    this.#principalOf = principalOf;
  }

  /** Undefined where the principal does not have the declared shape. @throws {ReferenceOnly} */
  of(facts: PrincipalFacts): Caller | undefined {
    const before = this.#admitted.get(facts);
    if (before !== undefined) return before.caller;
    const caller = this.#admit(this.#principalOf(facts));
    this.#admitted.set(facts, { caller });
    return caller;
  }

  #admit(principal: CedarEntity | undefined): Caller | undefined {
    if (principal === undefined || !isCedarSafe(principal)) return undefined;
    const entity = new EntityValue(principal.uid.type, principal.uid.id);
    const known = this.types.admit([principal])?.get(entity.key);
    return known === undefined ? undefined : { entity, known };
  }
}

/** The caller before all others, as the last entity of a request replaces one of the same name. */
export class CallerFirst implements EntityTable {
  readonly #caller: Caller;
  readonly #others: ReadonlyMap<string, KnownEntity>;

  constructor(caller: Caller, others: ReadonlyMap<string, KnownEntity>) {
    this.#caller = caller;
    this.#others = others;
  }

  get(key: string): KnownEntity | undefined {
    return key === this.#caller.entity.key ? this.#caller.known : this.#others.get(key);
  }
}
