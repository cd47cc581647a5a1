// A value that is not known, as the interpreter carries it. Whatever is not written for it throws: it is never taken
// for some other value.
import { RecordValue } from "#pdp";
import type { Value } from "#pdp";

/** An operator that cannot answer came upon a value that is not known. */
export class UnknownReached extends Error {
  readonly unknown: UnknownValue;
  constructor(unknown: UnknownValue) {
    super("a fact is not known");
    this.name = "UnknownReached";
    this.unknown = unknown;
  }
}

export class UnknownValue extends RecordValue {
  /** Names of the facts it depends on, as `factName` writes them. */
  readonly facts: ReadonlySet<string>;
  /** Evaluating it could be an error, whatever it would be otherwise. */
  readonly mayErr: boolean;
  /** False where it is not even known whether there is such a value. */
  readonly isPresent: boolean;

  constructor(
    facts: Iterable<string>,
    options: { readonly mayErr?: boolean; readonly isPresent?: boolean } = {},
  ) {
    const raise = (): never => {
      throw new UnknownReached(this);
    };
    super({ has: raise, get: raise, keys: raise });
    this.facts = new Set(facts);
    this.mayErr = options.mayErr ?? false;
    this.isPresent = options.isPresent ?? true;
  }
}

export function isUnknown(value: Value | undefined): value is UnknownValue {
  return value instanceof UnknownValue;
}

/** Not known because of each of these. */
export function unknownOf(parts: readonly UnknownValue[], mayErr = false): UnknownValue {
  const facts = parts.flatMap((part) => [...part.facts]);
  return new UnknownValue(facts, { mayErr: mayErr || parts.some((part) => part.mayErr) });
}
